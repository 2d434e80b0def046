"""PDFs object by object, with every freedom to be wrong."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from tests.hostile.hostile_file import HostileFile, Kinds

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"

FIRST_FREE = 10
"""The number of the first object of one's own in `between_good_pages`."""

BEFORE, AFTER = "Before", "After"
"""The words on the good pages around the odd one."""


def stream(body: bytes, entries: str = "", *, length: object = None) -> bytes:
    """A stream object; `length` is what it claims, by default the truth."""
    claimed = len(body) if length is None else length
    return f"<< {entries} /Length {claimed} >>\nstream\n".encode() + body + b"\nendstream"


def packed(body: bytes, entries: str = "") -> bytes:
    """A stream object, compressed."""
    return stream(zlib.compress(body, 9), f"/Filter /FlateDecode {entries}")


def text(words: str, x: float = 50, y: float = 100, size: float = 24, font: str = "F1") -> bytes:
    """The operators that show words without parentheses in them."""
    return f"BT /{font} {size} Tf {x} {y} Td ({words}) Tj ET\n".encode("latin-1")


def body_of(objects: Mapping[int, bytes], header: bytes = b"%PDF-1.7\n") -> tuple[bytes, dict[int, int]]:
    """Header and objects, and where each of these begins."""
    parts, offsets, position = [header], {}, len(header)
    for number, content in objects.items():
        offsets[number] = position
        parts.append(b"%d 0 obj\n" % number + content + b"\nendobj\n")
        position += len(parts[-1])
    return b"".join(parts), offsets


def cross_references(offsets: Mapping[int, int], start: int, trailer: str) -> bytes:
    """A table of cross-references that will stand at `start`, with its trailer and the pointer to it."""
    rows = [b"xref\n0 1\n0000000000 65535 f \n"]
    for number in sorted(offsets):
        rows.append(b"%d 1\n%010d 00000 n \n" % (number, offsets[number]))
    return b"".join(rows) + f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()


def write_pdf(objects: Mapping[int, bytes], trailer: str = "", *, size: int | None = None) -> bytes:
    """A file of these objects; number 1 is the catalog. `trailer` comes first, so it wins over what is there anyway."""
    body, offsets = body_of(objects)
    claimed = size if size is not None else max(objects) + 1
    return body + cross_references(offsets, len(body), f"{trailer} /Size {claimed} /Root 1 0 R")


def good_page(word: str, page: str = "") -> dict[int, bytes]:
    """The objects 1 to 5 of a document with one good page: catalog, tree, page, content, font."""
    return {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        3: (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 4 0 R "
            f"/Resources << /Font << /F1 5 0 R >> >> {page} >>"
        ).encode(),
        4: stream(text(word)),
        5: FONT,
    }


def page_objects(
    content: bytes = b"",
    *,
    page: str = "",
    resources: str = "",
    media_box: str = "/MediaBox [0 0 400 300]",
    catalog: str = "",
    objects: Mapping[int, bytes] | None = None,
    content_object: bytes | None = None,
) -> dict[int, bytes]:
    """The objects of a document of three pages, of which the middle one is odd and the others are good.

    Args:
        content: the odd page's operators; the font Helvetica is /F1.
        page: further entries of its dictionary.
        resources: further entries of its resources.
        objects: others, numbered from `FIRST_FREE` on; they may also replace what is made here.
        content_object: its content stream as a whole object, instead of `content`.
    """
    good = "/Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Resources << /Font << /F1 6 0 R >> >>"
    return {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        2: b"<< /Type /Pages /Count 3 /Kids [3 0 R 4 0 R 5 0 R] >>",
        3: f"<< {good} /Contents 7 0 R >>".encode(),
        4: (
            f"<< /Type /Page /Parent 2 0 R {media_box} /Contents 9 0 R "
            f"/Resources << /Font << /F1 6 0 R >> {resources} >> {page} >>"
        ).encode(),
        5: f"<< {good} /Contents 8 0 R >>".encode(),
        6: FONT,
        7: stream(text(BEFORE)),
        8: stream(text(AFTER)),
        9: stream(content) if content_object is None else content_object,
        **(objects or {}),
    }


def between_good_pages(
    name: str,
    why: str,
    make: Callable[[], Mapping[int, bytes]],
    *,
    must_fail: Kinds | None = None,
    may_fail: Kinds = frozenset(),
    word: str | None = None,
    document_may_fail: Kinds = frozenset(),
    needs_limits: bool = False,
) -> HostileFile:
    """The record of a file out of `page_objects`: what is odd costs the page in the middle, and never the others.

    Args:
        must_fail: the kinds of which the page must fail with one.
        may_fail: those with which it may fail, unless it comes out.
        word: what must be read on it if it comes out.
    """
    return HostileFile(
        name,
        lambda: write_pdf(make()),
        why,
        pages=3,
        document_may_fail=document_may_fail,
        page_errors={1: must_fail} if must_fail else {},
        may_fail={1: may_fail} if may_fail else {},
        words={0: BEFORE, 2: AFTER} | ({1: word} if word else {}),
        needs_limits=needs_limits,
    )

"""PDFs written by hand, object by object: for what no library writes."""

from __future__ import annotations

import zlib

from tests.hostile.raw_pdf import FONT, stream, write_pdf

__all__ = ["page_objects", "stream", "write_compressed_pdf", "write_pdf"]


def write_compressed_pdf(objects: dict[int, bytes], streams: dict[int, bytes]) -> bytes:
    """A PDF whose `objects`, the catalog (1) among them, are in an object stream; `streams` cannot be."""
    header, body = "", b""
    for number, content in objects.items():
        header += f"{number} {len(body)} "
        body += content + b" "
    packed = zlib.compress(header.encode() + body)
    holder = max(*objects, *streams) + 1
    dictionary = f"/Type /ObjStm /N {len(objects)} /First {len(header)} /Filter /FlateDecode"
    content, offsets = b"%PDF-1.7\n", dict[int, int]()
    for number, each in {**streams, holder: stream(packed, dictionary)}.items():
        offsets[number] = len(content)
        content += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    offsets[holder + 1] = len(content)
    entries = [b"\x00" + bytes(4) + b"\x00"]
    for number in range(1, holder + 2):
        if number in offsets:
            entries.append(b"\x01" + offsets[number].to_bytes(4, "big") + b"\x00")
        elif number in objects:
            entries.append(b"\x02" + holder.to_bytes(4, "big") + bytes([list(objects).index(number)]))
        else:
            entries.append(b"\x00" + bytes(5))
    table = stream(b"".join(entries), f"/Type /XRef /Size {holder + 2} /W [1 4 1] /Root 1 0 R")
    start = len(content)
    return content + f"{holder + 1} 0 obj\n".encode() + table + f"\nendobj\nstartxref\n{start}\n%%EOF\n".encode()


def page_objects(text: str, *, first: int = 2, page: str = "") -> dict[int, bytes]:
    """The page tree (object `first`), one A4 page with lines of text, its content and its font."""
    lines = " T* ".join(f"({line}) Tj" for line in text.splitlines())
    drawn = f"BT /F 12 Tf 14 TL 50 780 Td {lines} ET".encode()
    tree, leaf, content, font = range(first, first + 4)
    box = "" if "/MediaBox" in page else "/MediaBox [0 0 595 842]"
    return {
        tree: f"<< /Type /Pages /Count 1 /Kids [{leaf} 0 R] >>".encode(),
        leaf: (
            f"<< /Type /Page /Parent {tree} 0 R {box} /Contents {content} 0 R "
            f"/Resources << /Font << /F {font} 0 R >> >> {page} >>"
        ).encode(),
        content: stream(drawn),
        font: FONT,
    }

"""PDFs whose cross-references, object streams or objects lead astray."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests.hostile.hostile_file import ENDED_OR_UNREADABLE, UNREADABLE, HostileFile, Kinds
from tests.hostile.raw_pdf import body_of, cross_references, good_page, stream, text, write_pdf

WORD = "Found"

_ROTATED = bytes((byte + 128) % 256 for byte in range(256))


def _with_trailer(trailer: str) -> bytes:
    body, offsets = body_of(good_page(WORD))
    return body + cross_references(offsets, len(body), trailer.format(start=len(body)))


def _with_ending(ending: bytes) -> bytes:
    body, _ = body_of(good_page(WORD))
    return body + ending


def _shifted_offsets() -> bytes:
    body, offsets = body_of(good_page(WORD))
    wrong = {number: offset + 7 for number, offset in offsets.items()}
    return body + cross_references(wrong, len(body), "/Size 6 /Root 1 0 R")


def _mutual_previous() -> bytes:
    body, offsets = body_of(good_page(WORD))
    first_length = len(cross_references(offsets, len(body), "/Size 6 /Root 1 0 R /Prev 0000000000"))
    second_start = len(body) + first_length
    first = cross_references(offsets, len(body), f"/Size 6 /Root 1 0 R /Prev {second_start:010d}")
    second = cross_references({}, second_start, f"/Size 6 /Root 1 0 R /Prev {len(body)}")
    return body + first + second


def _previous_chain(count: int) -> bytes:
    """So many revisions, each with an empty table that points back to the one before."""
    body, offsets = body_of(good_page(WORD))
    parts = [body, cross_references(offsets, len(body), "/Size 6 /Root 1 0 R")]
    previous, position = len(body), len(body) + len(parts[1])
    for _ in range(count):
        parts.append(cross_references({}, position, f"/Size 6 /Root 1 0 R /Prev {previous}"))
        previous, position = position, position + len(parts[-1])
    return b"".join(parts)


def _reference_stream(entries: str = "", widths: str = "1 4 2", packed: bytes | None = None) -> bytes:
    """The good page with its references in a stream; `entries` come first, and so win."""
    body, offsets = body_of(good_page(WORD))
    rows = b"".join(struct.pack(">BIH", 1, offset, 0) for offset in [*offsets.values(), len(body)])
    content = zlib.compress(struct.pack(">BIH", 0, 0, 65535) + rows) if packed is None else packed
    entries = entries.format(start=len(body))
    described = f"{entries} /Type /XRef /Size 7 /Root 1 0 R /W [{widths}] /Filter /FlateDecode"
    return body + b"6 0 obj\n" + stream(content, described) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(body)


def object_stream_file(content: bytes, entries: str, inside: dict[int, int], first: dict[int, bytes]) -> bytes:
    """A file whose objects `inside` (number: place) are said to be in the object stream 10; `first` are outside."""
    objects = first | {10: stream(content, entries)}
    body, offsets = body_of(objects)
    rows = [struct.pack(">BIH", 0, 0, 65535)]
    for number in range(1, 12):
        if number in inside:
            rows.append(struct.pack(">BIH", 2, 10, inside[number]))
        else:
            place = len(body) if number == 11 else offsets.get(number)
            rows.append(struct.pack(">BIH", 0 if place is None else 1, place or 0, 0))
    described = "/Type /XRef /Size 12 /Root 1 0 R /W [1 4 2]"
    references = b"11 0 obj\n" + stream(b"".join(rows), described) + b"\nendobj\n"
    return body + references + b"startxref\n%d\n%%%%EOF\n" % len(body)


def _inside_itself() -> bytes:
    """The object stream's own object is said to be in it."""
    objects = good_page(WORD)
    return object_stream_file(b"10 0 << >>", "/Type /ObjStm /N 1 /First 5", {10: 0, 5: 0}, objects)


def _extends_itself() -> bytes:
    objects = good_page(WORD)
    page = objects.pop(3)
    entries = "/Type /ObjStm /N 1 /First 4 /Extends 10 0 R"
    return object_stream_file(b"3 0 " + page, entries, {3: 0}, objects)


def _lying_object_stream() -> bytes:
    objects = good_page(WORD)
    page = objects.pop(3)
    entries = "/Type /ObjStm /N 2147483647 /First 2147483647"
    return object_stream_file(b"3 0 " + page, entries, {3: 0}, objects)


def _replaced(**objects: bytes) -> bytes:
    return write_pdf(good_page(WORD) | {int(key[1:]): content for key, content in objects.items()})


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return _replaced(_4=stream(text(WORD)), _7=opening * depth + closing * depth, _3=_PAGE_WITH_EXTRA)


_PAGE_WITH_EXTRA = good_page(WORD, "/PieceInfo 7 0 R")[3]


def _repairable(name: str, make: Callable[[], bytes], why: str, kinds: Kinds = UNREADABLE) -> HostileFile:
    """What may be refused or repaired; but a repair must bring the page's word back."""
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, may_fail={0: kinds}, words={0: WORD})


def _must_open(name: str, make: Callable[[], bytes], why: str, word: str | None = WORD) -> HostileFile:
    return HostileFile(name, make, why, pages=1, words={0: word} if word else {})


def broken_reference_files() -> list[HostileFile]:
    """References that loop, lie or lead nowhere."""
    return [
        _repairable("no-references.pdf", lambda: _with_ending(b""), "objects alone, with no references and no trailer"),
        _repairable(
            "references-nowhere.pdf", lambda: _with_ending(b"startxref\n99999999\n%%EOF\n"), "references beyond the end"
        ),
        _repairable(
            "references-negative.pdf",
            lambda: _with_ending(b"startxref\n-1\n%%EOF\n"),
            "references before the beginning",
        ),
        _must_open(
            "offsets-shifted.pdf", _shifted_offsets, "every offset is off by seven bytes: every reader repairs it"
        ),
        _repairable(
            "previous-itself.pdf",
            lambda: _with_trailer("/Size 6 /Root 1 0 R /Prev {start}"),
            "the table of references is its own predecessor: followed without end",
        ),
        _repairable(
            "previous-each-other.pdf", _mutual_previous, "two tables of references, each the other's predecessor"
        ),
        _repairable(
            "revisions.pdf",
            lambda: _previous_chain(20_000),
            "20,000 revisions: time by the square, or a recursion that overflows the stack",
            ENDED_OR_UNREADABLE,
        ),
        _repairable(
            "size-two-thousand-million.pdf",
            lambda: _with_trailer("/Size 2147483647 /Root 1 0 R"),
            "says that it has 2,147,483,647 objects: memory for all of them",
        ),
        _repairable(
            "section-of-billions.pdf",
            lambda: _with_ending(
                b"xref\n0 4294967295\n0000000000 65535 f \ntrailer << /Root 1 0 R /Size 6 >>\n"
                b"startxref\n%d\n%%%%EOF" % len(body_of(good_page(WORD))[0])
            ),
            "a section of 4,294,967,295 references of which one is there",
        ),
        _repairable(
            "root-no-dictionary.pdf",
            lambda: _with_trailer("/Size 6 /Root 4 0 R"),
            "the catalog is a stream",
            UNREADABLE | {"empty"},
        ),
        _must_open(
            "reference-stream.pdf", _reference_stream, "a plain stream of references: the sound one of its kind"
        ),
        _repairable(
            "reference-stream-itself.pdf",
            lambda: _reference_stream("/Prev {start}"),
            "a stream of references that is its own predecessor",
        ),
        _repairable(
            "reference-stream-wide.pdf",
            lambda: _reference_stream(widths="2147483647 2147483647 2147483647"),
            "fields of 2 GB in a stream of references: a size that overflows",
        ),
        _repairable(
            "reference-stream-index.pdf",
            lambda: _reference_stream("/Index [0 2147483647 2147483646 2147483647]"),
            "a stream of references for 4,000 million objects",
        ),
        _must_open(
            "object-stream-in-itself.pdf", _inside_itself, "a font in an object stream that is packed into itself"
        ),
        _must_open("object-stream-extends-itself.pdf", _extends_itself, "an object stream that goes on in itself"),
        _repairable(
            "object-stream-lies.pdf", _lying_object_stream, "an object stream of 2,147,483,647 objects, beyond its end"
        ),
        _must_open(
            "length-itself.pdf",
            lambda: _replaced(_4=stream(text(WORD), length="4 0 R")),
            "a stream whose length is to be read from the stream",
        ),
        _must_open(
            "length-too-large.pdf",
            lambda: _replaced(_4=stream(text(WORD), length=2_000_000_000)),
            "a length beyond the end",
        ),
        _must_open(
            "length-negative.pdf", lambda: _replaced(_4=stream(text(WORD), length=-5)), "a length below nothing"
        ),
        HostileFile(
            "contents-missing.pdf",
            lambda: write_pdf({number: body for number, body in good_page(WORD).items() if number != 4}),
            "the page's content is an object that does not exist: to the standard that is nothing, a blank page",
            pages=1,
            may_fail={0: UNREADABLE},
        ),
        HostileFile(
            "content-not-inflatable.pdf",
            lambda: _replaced(_4=stream(bytes(range(256)) * 8, "/Filter /FlateDecode")),
            "the page's content is no deflate stream: viewers show a blank page",
            pages=1,
            may_fail={0: UNREADABLE},
        ),
        HostileFile(
            "content-half-inflatable.pdf",
            _half_inflatable,
            "the page's content breaks off in the middle: the lower half of its text is lost",
            pages=1,
            may_fail={0: UNREADABLE},
            words={0: "Line0"},
        ),
        HostileFile(
            "unknown-filter.pdf",
            lambda: _replaced(_4=stream(text(WORD).translate(_ROTATED), "/Filter /RotDecode")),
            "the page's content is packed by a filter that nobody knows: viewers show a blank page",
            pages=1,
            may_fail={0: frozenset({"unreadable", "unsupported"})},
        ),
        _must_open(
            "references-in-circle.pdf",
            lambda: _replaced(_3=good_page(WORD)[3].replace(b"[0 0 400 300]", b"7 0 R"), _7=b"8 0 R", _8=b"7 0 R"),
            "the page's media box is a reference to a reference to itself",
        ),
        _repairable(
            "nested-arrays.pdf",
            lambda: _nested(b"[", b"]", 100_000),
            "100,000 arrays in each other: the stack overflows",
        ),
        _repairable(
            "nested-dictionaries.pdf",
            lambda: _nested(b"<</A ", b">>", 100_000),
            "100,000 dictionaries in each other: the stack overflows",
        ),
        _repairable(
            "nested-strings.pdf",
            lambda: _nested(b"(", b")", 1_000_000),
            "a million parentheses in each other in a string",
        ),
        _must_open(
            "false-linearization.pdf",
            lambda: _linearized(),
            "says that it is linearized, of a length and with objects that it does not have",
        ),
        _must_open(
            "external-stream.pdf",
            lambda: _replaced(_4=stream(text(WORD), "/F (/etc/passwd)")),
            "the page's content is to be read from /etc/passwd: what is in the file itself is shown, if anything",
            word=None,
        ),
    ]


def _linearized() -> bytes:
    lies = b"<< /Linearized 1 /L 123456789 /H [2147483647 1] /O 2147483647 /E 99999999 /N 2147483647 /T 88888888 >>"
    body, offsets = body_of({9: lies} | good_page(WORD))
    return body + cross_references(offsets, len(body), "/Size 10 /Root 1 0 R")


def _half_inflatable() -> bytes:
    lines = b"".join(text(f"Line{index}", y=290 - 5 * index, size=4) for index in range(50))
    content = zlib.compress(lines, 1)
    return _replaced(_4=stream(content[: len(content) // 2], "/Filter /FlateDecode"))

"""PDFs that are small and become large, or take for ever: packed data, and operators that multiply work."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from tests.hostile.broken_references import object_stream_file
from tests.hostile.hostile_file import ENDED, ENDED_OR_UNREADABLE, HostileFile, Kinds
from tests.hostile.long_runs import deflate_again, deflate_run, lzw_run, run_length_run
from tests.hostile.raw_pdf import between_good_pages, body_of, good_page, packed, page_objects, stream, text, write_pdf

GIB = 1 << 30
WORD = "Bomb"
_FLATE = "/Filter /FlateDecode"
_FORM = "/Type /XObject /Subtype /Form /BBox [0 0 400 300]"


def _content(stream_object: bytes) -> Callable[[], dict[int, bytes]]:
    return lambda: page_objects(content_object=stream_object)


def _drawing(content: bytes, resources: str = "", objects: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
    return page_objects(content_object=packed(text(WORD) + content), resources=resources, objects=objects)


def _packed_content(filters: int, size: int) -> dict[int, bytes]:
    """The page's content is its word and then so many spaces, packed so many times."""
    content = deflate_again(deflate_run(0x20, size, before=text(WORD)), filters - 1)
    return page_objects(content_object=stream(content, f"/Filter [{'/FlateDecode ' * filters}]"))


def _bomb_in_object_stream(size: int) -> bytes:
    objects = good_page(WORD)
    page = objects.pop(3)
    content = deflate_run(0x20, size, before=b"3 0 " + page)
    return object_stream_file(content, f"/Type /ObjStm /N 1 /First 4 {_FLATE}", {3: 0}, objects)


def _bomb_in_references(size: int) -> bytes:
    """Cross-references that are a thousand million zero bytes: free objects, without end."""
    body, offsets = body_of(good_page(WORD))
    rows = b"".join(struct.pack(">BIH", 1, offset, 0) for offset in [*offsets.values(), len(body)])
    content = deflate_run(0, size, before=bytes(7) + rows)
    entries = f"/Type /XRef /Size 4000000 /Root 1 0 R /W [1 4 2] {_FLATE}"
    return body + b"6 0 obj\n" + stream(content, entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(body)


def _bomb_in_font(size: int) -> dict[int, bytes]:
    descriptor = (
        b"<< /Type /FontDescriptor /FontName /Big /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 "
        b"/Descent -200 /CapHeight 700 /StemV 80 /FontFile2 12 0 R >>"
    )
    font = b"<< /Type /Font /Subtype /TrueType /BaseFont /Big /FontDescriptor 11 0 R >>"
    made = page_objects(
        text(WORD) + text("Big", y=150, font="F2"),
        objects={10: font, 11: descriptor, 12: stream(deflate_run(0, size), f"{_FLATE} /Length1 {size}")},
    )
    made[4] = made[4].replace(b"/F1 6 0 R", b"/F1 6 0 R /F2 10 0 R")
    return made


def _unread_bomb(size: int) -> dict[int, bytes]:
    """A page's metadata, preview and pieces of other programs, which nobody needs to read."""
    return page_objects(
        text(WORD),
        page="/Metadata 10 0 R /Thumb 10 0 R /PieceInfo << /Other << /Private 10 0 R >> >>",
        objects={10: stream(deflate_run(0x20, size), f"{_FLATE} /Type /Metadata /Subtype /XML")},
    )


def _bomb_in_metadata(size: int) -> bytes:
    metadata = stream(deflate_run(0x20, size), f"{_FLATE} /Type /Metadata /Subtype /XML")
    return write_pdf(good_page(WORD) | {1: b"<< /Type /Catalog /Pages 2 0 R /Metadata 10 0 R >>", 10: metadata})


def _doubling_forms(levels: int) -> dict[int, bytes]:
    """Each form draws the next one twice."""
    forms = {}
    for level in range(levels):
        inner = f"/Resources << /XObject << /X {11 + level} 0 R >> >>"
        forms[10 + level] = stream(b"/X Do /X Do", f"{_FORM} {inner}")
    forms[10 + levels] = stream(b"0 0 1 1 re f", f"{_FORM} /Resources << >>")
    return _drawing(b"/X Do", "/XObject << /X 10 0 R >>", forms)


def _chained_forms(depth: int) -> dict[int, bytes]:
    forms = {}
    for level in range(depth):
        inner = f"/Resources << /XObject << /X {11 + level} 0 R >> >>"
        forms[10 + level] = stream(b"q /X Do Q", f"{_FORM} {inner}")
    forms[10 + depth] = stream(b"0 0 1 1 re f", f"{_FORM} /Resources << >>")
    return _drawing(b"/X Do", "/XObject << /X 10 0 R >>", forms)


def _form_of_itself() -> dict[int, bytes]:
    loop = f"{_FORM} /Resources << /XObject << /X 10 0 R >> >>"
    return _drawing(b"/X Do", "/XObject << /X 10 0 R >>", {10: stream(b"0 0 9 9 re f /X Do /X Do", loop)})


def _forms_of_each_other() -> dict[int, bytes]:
    one = f"{_FORM} /Resources << /XObject << /X 11 0 R >> >>"
    other = f"{_FORM} /Resources << /XObject << /X 10 0 R >> >>"
    return _drawing(
        b"/X Do", "/XObject << /X 10 0 R >>", {10: stream(b"/X Do /X Do", one), 11: stream(b"/X Do /X Do", other)}
    )


def _tiles(box: str, step: str, content: bytes = b"0 0 1 1 re f", resources: str = "") -> dict[int, bytes]:
    pattern = (
        f"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [{box}] /XStep {step} /YStep {step} "
        f"/Resources << {resources} >>"
    )
    return _drawing(
        b"/Pattern cs /P1 scn 0 0 400 300 re f", "/Pattern << /P1 10 0 R >>", {10: stream(content, pattern)}
    )


def _shaded(shading: str, objects: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
    return _drawing(b"/S1 sh", "/Shading << /S1 10 0 R >>", {10: shading.encode()} | dict(objects or {}))


def _mesh(size: int) -> dict[int, bytes]:
    """A mesh of a thousand million bytes of triangles."""
    mesh = (
        "/ShadingType 4 /ColorSpace /DeviceGray /BitsPerCoordinate 8 /BitsPerComponent 8 /BitsPerFlag 8 "
        f"/Decode [0 400 0 300 0 1] {_FLATE}"
    )
    return _drawing(b"/S1 sh", "/Shading << /S1 10 0 R >>", {10: stream(deflate_run(0, size), mesh)})


def _functions_of_each_other() -> dict[int, bytes]:
    stitched = b"<< /FunctionType 3 /Domain [0 1] /Functions [11 0 R 11 0 R] /Bounds [0.5] /Encode [0 1 0 1] >>"
    axial = "<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 400 300] /Function 11 0 R /Extend [true true] >>"
    return _shaded(axial, {11: stitched})


def _endless_samples() -> dict[int, bytes]:
    samples = "/FunctionType 0 /Domain [0 1 0 1] /Range [0 1] /Size [2147483647 2147483647] /BitsPerSample 32"
    painted = (
        "<< /ShadingType 1 /ColorSpace /DeviceGray /Domain [0 1 0 1] /Matrix [400 0 0 300 0 0] /Function 11 0 R >>"
    )
    return _shaded(painted, {11: stream(b"\x01\x02\x03\x04", samples)})


def _mask_of_itself() -> dict[int, bytes]:
    group = f"{_FORM} /Group << /S /Transparency /CS /DeviceGray >> /Resources << /ExtGState << /G 10 0 R >> >>"
    state = b"<< /Type /ExtGState /SMask << /S /Luminosity /G 11 0 R >> >>"
    return _drawing(
        b"/G gs 0 0 400 300 re f",
        "/ExtGState << /G 10 0 R >>",
        {10: state, 11: stream(b"/G gs 0 0 200 200 re f", group)},
    )


def _colour_space_of_itself() -> dict[int, bytes]:
    loop = b"[/Indexed 10 0 R 255 <000000>]"
    return _drawing(b"/C cs 1 sc 0 0 99 99 re f", "/ColorSpace << /C 10 0 R >>", {10: loop})


def _nested_groups(depth: int) -> dict[int, bytes]:
    """Transparent groups in each other: a picture of the page for each, at one time."""
    forms = {9 + depth + 1: stream(b"0 0 400 300 re f", f"{_FORM} /Resources << >>")}
    for level in range(depth):
        inner = (
            f"/Group << /S /Transparency /I true >> /Resources << /XObject << /X {11 + level} 0 R >> "
            "/ExtGState << /G << /ca 0.9 /BM /Multiply >> >> >>"
        )
        forms[10 + level] = stream(b"/G gs /X Do", f"{_FORM} {inner}")
    return _drawing(b"/X Do", "/XObject << /X 10 0 R >>", forms)


def _operators(unit: bytes, count: int) -> dict[int, bytes]:
    return page_objects(content_object=packed(text(WORD) + unit * count))


def _bomb(
    name: str,
    why: str,
    make: Callable[[], Mapping[int, bytes]],
    *,
    kinds: Kinds = ENDED_OR_UNREADABLE,
    word: str | None = None,
    limits: bool = True,
) -> HostileFile:
    return between_good_pages(name, why, make, may_fail=kinds, word=word, needs_limits=limits)


def _whole(name: str, why: str, make: Callable[[], bytes]) -> HostileFile:
    """A bomb that goes off while the document is opened, and may cost all of it."""
    return HostileFile(
        name,
        make,
        why,
        document_may_fail=ENDED_OR_UNREADABLE | {"empty"},
        may_fail={0: ENDED_OR_UNREADABLE},
        needs_limits=True,
    )


def packed_bomb_files() -> list[HostileFile]:
    """Streams of gigabytes in kilobytes."""
    return [
        _bomb(
            "flate-bomb-in-content.pdf",
            "a page's content of 2 GiB of spaces in 2 MB",
            lambda: _packed_content(1, 2 * GIB),
        ),
        _bomb("flate-bomb-packed-twice.pdf", "the same in 12 kB", lambda: _packed_content(2, 2 * GIB)),
        _bomb(
            "flate-bomb-packed-often.pdf",
            "a page's content packed 30 times",
            lambda: _packed_content(30, 1 << 26),
            limits=False,
        ),
        _bomb(
            "lzw-bomb-in-content.pdf",
            "a page's content of 500 MB of spaces in LZW",
            lambda: page_objects(content_object=stream(lzw_run(0x20, 500_000_000), "/Filter /LZWDecode")),
        ),
        _bomb(
            "chain-of-filters.pdf",
            "256 MB in run lengths in hexadecimal in deflate",
            lambda: page_objects(
                content_object=stream(
                    deflate_again(run_length_run(0x20, 1 << 28).hex().encode() + b">"),
                    "/Filter [/FlateDecode /ASCIIHexDecode /RunLengthDecode]",
                )
            ),
            limits=False,
        ),
        _bomb(
            "predictor-of-billions.pdf",
            "rows of 2,147,483,647 columns for the predictor: a size that overflows",
            lambda: page_objects(
                content_object=stream(
                    deflate_again(text(WORD)),
                    f"{_FLATE} /DecodeParms << "
                    "/Predictor 15 /Columns 2147483647 /Colors 2147483647 /BitsPerComponent 16 >>",
                )
            ),
            limits=False,
        ),
        _whole("flate-bomb-in-object-stream.pdf", "an object stream of 2 GiB", lambda: _bomb_in_object_stream(2 * GIB)),
        _whole("flate-bomb-in-references.pdf", "cross-references of 1 GiB", lambda: _bomb_in_references(GIB)),
        _whole(
            "flate-bomb-in-metadata.pdf",
            "metadata of 2 GiB, which readers look into as they open the file",
            lambda: _bomb_in_metadata(2 * GIB),
        ),
        _bomb("flate-bomb-in-font.pdf", "an embedded font of 1 GiB", lambda: _bomb_in_font(GIB), word=WORD),
        between_good_pages(
            "flate-bomb-unread.pdf",
            "2 GiB that nobody needs to unpack",
            lambda: _unread_bomb(2 * GIB),
            word=WORD,
        ),
    ]


def drawing_bomb_files() -> list[HostileFile]:
    """Operators, forms, patterns and functions that multiply work, or never end."""
    tiny_dashes = b"[0.0001 0.0001] 0 d 0.1 w " + b"0 0 m 400 300 l S " * 50
    axial = (
        "<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 1e30 -1e30] /Domain [-1e38 1e38] /Extend [true true] "
        "/Function << /FunctionType 2 /Domain [0 1] /N -1000000 /C0 [0] /C1 [1] >> >>"
    )
    return [
        _bomb("form-draws-itself.pdf", "a form that draws itself, twice", _form_of_itself, limits=True, word=WORD),
        _bomb(
            "forms-draw-each-other.pdf", "two forms that draw each other", _forms_of_each_other, limits=True, word=WORD
        ),
        _bomb("forms-doubling.pdf", "30 forms, each of which draws the next one twice", lambda: _doubling_forms(30)),
        _bomb(
            "forms-in-a-chain.pdf",
            "10,000 forms in each other: the stack overflows",
            lambda: _chained_forms(10_000),
            limits=False,
        ),
        _bomb(
            "states-saved.pdf",
            "100,000 times q without a Q",
            lambda: _drawing(b"q " * 100_000),
            limits=False,
            word=WORD,
        ),
        _bomb(
            "states-restored.pdf",
            "100,000 times Q without a q",
            lambda: _drawing(b"Q " * 100_000),
            limits=False,
            word=WORD,
        ),
        _bomb(
            "operands-nested.pdf",
            "100,000 arrays in each other among the operands",
            lambda: _drawing(b"[" * 100_000 + b"]" * 100_000 + b" 0 d"),
            limits=False,
            word=WORD,
        ),
        _bomb(
            "dictionaries-nested-in-content.pdf",
            "100,000 dictionaries in each other among the operands",
            lambda: _drawing(b"/A " + b"<</A " * 100_000 + b">>" * 100_000 + b" BDC EMC"),
            limits=False,
            word=WORD,
        ),
        _bomb(
            "text-objects-nested.pdf",
            "100,000 times BT and marked content without an end",
            lambda: _drawing(b"BT /A BMC " * 100_000),
            limits=True,
            word=WORD,
        ),
        _bomb(
            "clips-nested.pdf",
            "50,000 clipping paths, one in the other",
            lambda: _drawing(b"0 0 400 300 re W n " * 50_000 + b"0 0 9 9 re f"),
            word=WORD,
            limits=False,
        ),
        _bomb(
            "operators-by-the-million.pdf",
            "5 million curves in one path in 100 kB",
            lambda: _operators(b"1 2 3 4 5 6 c\n", 5_000_000),
            kinds=ENDED,
            limits=False,
        ),
        _bomb(
            "lines-by-the-million.pdf",
            "2 million lines, each an object of its own",
            lambda: _operators(b"0 0 m 400 300 l S\n", 2_000_000),
            kinds=ENDED,
        ),
        _bomb("dashes.pdf", "lines of 5 million dashes each", lambda: _drawing(tiny_dashes), word=WORD, limits=False),
        _bomb(
            "line-of-endless-width.pdf",
            "lines of widths and joins that overflow",
            lambda: _drawing(b"1" + b"0" * 38 + b" w 1" + b"0" * 38 + b" M 0 0 m 9 9 l 400 1 l S -1 w 0 0 m 9 9 l S"),
            word=WORD,
            limits=False,
        ),
        _bomb(
            "pattern-of-small-tiles.pdf",
            "a pattern that repeats every ten-thousandth of a point",
            lambda: _tiles("0 0 1 1", "0.0001"),
        ),
        _bomb("pattern-of-no-step.pdf", "a pattern whose step is zero", lambda: _tiles("0 0 1 1", "0"), limits=False),
        _bomb(
            "pattern-of-extreme-size.pdf",
            "one tile of a thousand million points",
            lambda: _tiles("-1000000000 -1000000000 1000000000 1000000000", "2000000000"),
            limits=False,
        ),
        _bomb(
            "pattern-of-itself.pdf",
            "a pattern that is painted with itself",
            lambda: _tiles("0 0 50 50", "50", b"/Pattern cs /P1 scn 0 0 40 40 re f", "/Pattern << /P1 10 0 R >>"),
            limits=False,
        ),
        _bomb(
            "shading-of-extreme-size.pdf",
            "an axis of 10 to the power of 30 points and an exponent of minus a million",
            lambda: _shaded(axial),
            limits=False,
            word=WORD,
        ),
        _bomb("shading-mesh.pdf", "a mesh of 300 million triangles in a megabyte", lambda: _mesh(GIB)),
        _bomb(
            "function-of-itself.pdf",
            "a colour that is the function of itself, twice",
            _functions_of_each_other,
            limits=False,
        ),
        _bomb(
            "function-of-endless-samples.pdf",
            "a table of 4 times 10 to the power of 18 samples, of which four bytes are there",
            _endless_samples,
            limits=False,
            word=WORD,
        ),
        _bomb("mask-of-itself.pdf", "a soft mask that is drawn through itself", _mask_of_itself, limits=False),
        _bomb(
            "colour-space-of-itself.pdf",
            "a palette of colours of the palette",
            _colour_space_of_itself,
            limits=False,
            word=WORD,
        ),
        _bomb(
            "groups-nested.pdf",
            "500 transparent groups in each other: a picture of the page for each",
            lambda: _nested_groups(500),
            limits=False,
        ),
    ]

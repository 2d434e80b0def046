"""PDF pages whose fonts are broken and whose text layers cannot be meant."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping

from PIL import Image

from tests.hostile.hostile_file import ENDED, ENDED_OR_UNREADABLE, UNREADABLE, HostileFile, Kinds
from tests.hostile.raw_pdf import between_good_pages, packed, page_objects, stream, text

WORD = "Text"

_FONT_FILE = (
    "<< /Type /FontDescriptor /FontName /Broken /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 "
    "/Descent -200 /CapHeight 700 /StemV 80 {} >>"
)
_WIDTHS = "/FirstChar 32 /LastChar 126 /Widths [" + "600 " * 95 + "]"


def _with_font(font: str, objects: Mapping[int, bytes] | None = None, content: bytes = b"") -> dict[int, bytes]:
    """A page whose font /F2 is `font`; a line in it, and one in Helvetica."""
    shown = text(WORD) + (content or text("Broken", y=150, font="F2"))
    made = page_objects(shown, objects=objects)
    made[4] = made[4].replace(b"/F1 6 0 R", f"/F1 6 0 R /F2 {font}".encode())
    return made


def _embedded(kind: str, subtype: str, data: bytes, entries: str = "") -> dict[int, bytes]:
    font = f"<< /Type /Font /Subtype /{subtype} /BaseFont /Broken {_WIDTHS} /FontDescriptor 10 0 R >>"
    return _with_font(font, {10: _FONT_FILE.format(f"/{kind} 11 0 R").encode(), 11: stream(data, entries)})


def _noise(count: int) -> bytes:
    return random.Random(7).randbytes(count)


def _true_type_of_noise() -> bytes:
    """A directory of tables whose places and lengths point into noise and beyond the end."""
    tables = [b"cmap", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"post"]
    head = b"\x00\x01\x00\x00" + len(tables).to_bytes(2, "big") + bytes(6)
    for index, tag in enumerate(tables):
        head += tag + bytes(4) + (200 + 50 * index).to_bytes(4, "big") + (0x7FFFFFFF).to_bytes(4, "big")
    return head + _noise(3000)


def _mapped(bfchar: str, content: bytes, extra: str = "") -> dict[int, bytes]:
    """A page in Helvetica whose characters mean what a map says."""
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{bfchar}\nendcmap end end"
    )
    font = f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 10 0 R {extra} >>"
    return _with_font(font, {10: packed(to_unicode.encode())}, content)


def _one_meaning(meaning: str, length: int = 200) -> dict[int, bytes]:
    """Every letter "a" means the text `meaning` (UTF-16, in hexadecimal)."""
    return _mapped(f"1 beginbfchar\n<61> <{meaning}>\nendbfchar", text("a" * length, x=5, size=1, y=150, font="F2"))


def _composite(
    entries: str, objects: Mapping[int, bytes] | None = None, encoding: str = "/Identity-H"
) -> dict[int, bytes]:
    font = f"<< /Type /Font /Subtype /Type0 /BaseFont /Wide /Encoding {encoding} /DescendantFonts [10 0 R] >>"
    child = (
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Wide /CIDSystemInfo << /Registry (Adobe) "
        f"/Ordering (Identity) /Supplement 0 >> /FontDescriptor 11 0 R {entries} >>"
    )
    made = {10: child.encode(), 11: _FONT_FILE.format("").encode()}
    return _with_font(font, made | dict(objects or {}), b"BT /F2 24 Tf 50 150 Td <004100420043> Tj ET\n")


def _drawn_font(procedure: bytes, matrix: str = "0.001 0 0 0.001 0 0") -> dict[int, bytes]:
    """A font whose letter "a" is drawn by operators; the font itself is /F2 there too."""
    font = (
        f"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [{matrix}] /CharProcs << /a 11 0 R >> "
        "/Encoding << /Type /Encoding /Differences [97 /a] >> /FirstChar 97 /LastChar 97 /Widths [1000] "
        "/Resources << /Font << /F2 10 0 R >> >> >>"
    )
    return _with_font("10 0 R", {10: font.encode(), 11: stream(procedure)}, text("aaa", y=150, font="F2"))


def _scan_under_text() -> dict[int, bytes]:
    """A scan over the whole page with an invisible layer that says something else than what is seen."""
    rows = b"".join(text(f"Hidden words of line {row}", x=20, y=280 - 8 * row, size=7) for row in range(34))
    image = (
        "/Type /XObject /Subtype /Image /Width 400 /Height 300 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        "/Filter /DCTDecode"
    )
    return page_objects(
        b"q 400 0 0 300 0 0 cm /Im1 Do Q 3 Tr " + rows,
        resources="/XObject << /Im1 10 0 R >>",
        objects={10: stream(_flat_jpeg(), image)},
    )


def _flat_jpeg() -> bytes:
    stored = io.BytesIO()
    picture = Image.new("L", (400, 300), 230)
    picture.paste(40, (50, 50, 350, 70))
    picture.save(stored, "JPEG")
    return stored.getvalue()


def _words_of_many_pages(words: int) -> bytes:
    source = random.Random(3)
    parts = []
    for index in range(words):
        word = "".join(source.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(9))
        parts.append(text(word, x=(index * 7) % 380, y=(index * 3) % 295, size=3))
    return b"".join(parts)


def _text_page(
    name: str, why: str, content: bytes, *, may_fail: Kinds = frozenset(), word: str | None = None, limits: bool = False
) -> HostileFile:
    return between_good_pages(
        name,
        why,
        lambda: page_objects(content_object=packed(content)),
        may_fail=may_fail,
        word=word,
        needs_limits=limits,
    )


def _font_page(
    name: str, why: str, objects: dict[int, bytes], *, may_fail: Kinds = frozenset(), limits: bool = False
) -> HostileFile:
    """The font may be replaced or left out; the line in the other font must be there."""
    return between_good_pages(name, why, lambda: objects, may_fail=may_fail, word=WORD, needs_limits=limits)


def odd_text_files() -> list[HostileFile]:
    """Fonts that are missing, broken or endless, and text layers of nonsense."""
    loop = "<< /Type /Font /Subtype /Type0 /BaseFont /Loop /Encoding /Identity-H /DescendantFonts [10 0 R] >>"
    everything = "\n".join(["100 beginbfrange", *["<0000> <ffff> <0000>"] * 100, "endbfrange"] * 200)
    lines = b"".join(b"(" + b"lorem ipsum dolor " * 500 + b") Tj 0 -1 Td\n" for _ in range(1150))
    return [
        _font_page(
            "font-missing.pdf",
            "a font that the resources do not have",
            page_objects(text(WORD) + text("Missing", y=150, font="F9")),
        ),
        _font_page("font-object-missing.pdf", "a font whose object does not exist", _with_font("99 0 R")),
        _font_page("font-no-dictionary.pdf", "a font that is a number", _with_font("42")),
        _font_page(
            "font-not-embedded.pdf",
            "a font that no machine has, and is not embedded",
            _with_font(f"<< /Type /Font /Subtype /TrueType /BaseFont /NoSuchFont {_WIDTHS} >>"),
        ),
        _font_page(
            "font-truetype-noise.pdf",
            "an embedded TrueType font whose tables lie",
            _embedded("FontFile2", "TrueType", _true_type_of_noise()),
        ),
        _font_page(
            "font-type1-noise.pdf",
            "an embedded Type 1 font of noise",
            _embedded(
                "FontFile",
                "Type1",
                b"%!PS-AdobeFont-1.0: Broken\n" + _noise(3000),
                "/Length1 100 /Length2 999999 /Length3 -1",
            ),
        ),
        _font_page(
            "font-cff-noise.pdf",
            "an embedded CFF font of noise",
            _embedded("FontFile3", "Type1", b"\x01\x00\x04\x04" + _noise(3000), "/Subtype /Type1C"),
        ),
        _font_page("font-empty.pdf", "an embedded font of no bytes", _embedded("FontFile2", "TrueType", b"")),
        _font_page(
            "font-its-own-child.pdf",
            "a composite font that is its own descendant",
            _with_font("10 0 R", {10: loop.encode()}),
        ),
        _font_page(
            "font-endless-widths.pdf",
            "widths for 2,147,483,647 glyphs",
            _composite("/DW 1000 /W [0 2147483647 500 5 [600 600] -9 7]"),
        ),
        _font_page(
            "font-character-map-loop.pdf",
            "a map of characters that uses itself",
            _composite("", {12: stream(b"begincmap /Self usecmap endcmap", "/Type /CMap /UseCMap 12 0 R")}, "12 0 R"),
        ),
        _font_page(
            "font-map-endless.pdf",
            "2 million ranges of 65,536 meanings each, in 5 kB",
            _mapped(everything, text("abc", y=150, font="F2")),
            may_fail=ENDED_OR_UNREADABLE,
        ),
        _font_page(
            "font-map-noise.pdf",
            "a map of meanings that is noise",
            _with_font(
                "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 10 0 R >>", {10: stream(_noise(5000))}
            ),
        ),
        _font_page(
            "font-draws-itself.pdf",
            "a Type 3 letter that is drawn with itself",
            _drawn_font(b"1000 0 d0 BT /F2 500 Tf (aa) Tj ET"),
        ),
        _font_page(
            "font-of-no-size.pdf",
            "a Type 3 font whose matrix is zero",
            _drawn_font(b"1000 0 0 0 1000 1000 d1 0 0 900 900 re f", "0 0 0 0 0 0"),
        ),
        _font_page("text-private-use.pdf", "a text layer of characters without a meaning", _one_meaning("e123")),
        _font_page("text-half-surrogates.pdf", "halves of characters: no encoding takes them", _one_meaning("d800")),
        _font_page("text-zero-bytes.pdf", "a text layer of zero characters", _one_meaning("0000")),
        _font_page("text-not-a-character.pdf", "U+FFFF for every letter", _one_meaning("ffff")),
        _font_page(
            "text-direction-marks.pdf", "marks that turn the direction of writing", _one_meaning("202e061c2067")
        ),
        _font_page("text-many-accents.pdf", "accents on accents without a letter", _one_meaning("0301" * 100)),
        _font_page(
            "text-multiplied.pdf",
            "each of 10,000 letters means 500: 5 million out of a few kilobytes",
            _one_meaning("0078" * 500, 10_000),
            may_fail=ENDED,
            limits=True,
        ),
        _text_page(
            "text-ten-megabytes.pdf",
            "10 MB of text on one page",
            b"BT /F1 1 Tf 0 299 Td\n" + lines + b"ET\n",
            may_fail=ENDED,
            limits=True,
        ),
        between_good_pages(
            "text-hundred-thousand-words.pdf",
            "100,000 words on one page, each an object of its own",
            lambda: page_objects(content_object=packed(_words_of_many_pages(100_000))),
            may_fail=ENDED,
        ),
        _text_page(
            "text-one-long-word.pdf",
            "one word of 150,000 letters",
            b"BT /F1 0.01 Tf 10 100 Td (" + b"a" * 150_000 + b") Tj ET",
            may_fail=ENDED,
        ),
        _text_page(
            "text-off-the-page.pdf",
            "every word stands far off the page",
            b"".join(text(f"Away{index}", x=5000 + index, y=-9000) for index in range(300)),
        ),
        _text_page(
            "text-of-no-size.pdf",
            "words of size zero, of no width, and of boxes without extent",
            text("None", size=0)
            + b"q BT /F1 12 Tf 0 Tz 50 50 Td (Flat) Tj ET Q\nBT /F1 12 Tf 0 0 0 0 50 70 Tm (Point) Tj ET\n"
            + text(WORD, y=200),
            word=WORD,
        ),
        _text_page(
            "text-of-endless-size.pdf",
            "words of a size that overflows",
            text("Huge", size=1e9) + b"BT /F1 1" + b"0" * 45 + b" Tf 50 50 Td (Endless) Tj ET\n"
            b"BT /F1 9 Tf 1" + b"0" * 40 + b" 0 0 1" + b"0" * 40 + b" 0 0 Tm (Wide) Tj ET\n"
            b"BT /F1 9 Tf NaN NaN NaN NaN NaN NaN Tm (NaN) Tj ET\n" + text(WORD),
            word=None,
        ),
        _text_page("text-all-in-one-place.pdf", "5,000 words on top of each other", text(WORD) * 5000, may_fail=ENDED),
        between_good_pages(
            "text-hidden-over-scan.pdf",
            "a scan with an invisible layer under it, as scanners leave it",
            _scan_under_text,
            word="Hidden",
        ),
        between_good_pages(
            "text-without-resources.pdf",
            "a page whose resources are missing altogether",
            lambda: page_objects(
                objects={
                    4: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 9 0 R >>",
                    9: stream(text(WORD)),
                }
            ),
            may_fail=UNREADABLE,
        ),
    ]

"""The characters of a PDF page as PDFium gives them: code, kind, box, and the text object that draws each."""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.pdfium_ffi import (
    address_of,
    get_character_box,
    get_font,
    get_text_object,
    get_unicode,
    has_unicode_map_error,
    is_generated,
    is_hyphen,
)

SEPARATOR, INVISIBLE, DAMAGED, GLYPH = 0, 1, 2, 3
"""Kinds of character: white space, without a glyph, without a meaning, ordinary."""

LINE_END_HYPHENS = (0x02, 0xFFFE)
"""PDFium returns a hyphen at the end of a line as U+0002, followed by the first word of the next line."""

TRANSLATION = str.maketrans(
    {
        "\x02": "-",
        "\ufffe": "-",
        "\u00ad": "-",  # a soft hyphen has a box, and so a glyph, only if it is visible
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        # Symbol and Wingdings, which word processors embed with private-use codes: bullets, arrows, check boxes.
        "\uf0b7": "\u2022",
        "\uf0a7": "\u25aa",
        "\uf06e": "\u25a0",
        "\uf0d8": "\u27a2",
        "\uf0e0": "\u2192",
        "\uf06f": "\u25a1",
        "\uf0a8": "\u25a1",
        "\uf071": "\u25a1",
        "\uf0fc": "\u2713",
        "\uf0fb": "\u2717",
        "\uf0fe": "\u2611",
        "\uf0fd": "\u2612",
        "\uf078": "\u2612",
    }
)
"""Characters that are written as others."""

_TRANSLATION_KEYS = frozenset(map(chr, TRANSLATION))

# The ink of a capital letter above its baseline and its width, as fractions of the font size, where PDFium knows no
# better: fonts that are neither embedded nor installed.
_ASCENT = 0.7
_WIDTH = 0.5

# In points. PDFium gives glyphs that it does not have, and spaces, a height of less than this.
_FLAT = 0.1

# Characters between two whose text objects are compared.
_SAMPLE = 16


_SYMBOL_FONTS = {
    "dingbats": {
        "3": "\u2713",
        "4": "\u2714",
        "5": "\u2715",
        "6": "\u2716",
        "7": "\u2717",
        "8": "\u2718",
        "l": "\u25cf",
        "m": "\u274d",
        "n": "\u25a0",
        "o": "\u274f",
        "p": "\u2750",
        "q": "\u2751",
        "r": "\u2752",
        "u": "\u25c6",
    },
    "wingdings": {
        "\u00a7": "\u25aa",
        "\u00a8": "\u25a1",
        "\u00b7": "\u2022",
        "\u00d8": "\u27a2",
        "\u00e0": "\u2192",
        "\u00fb": "\u2717",
        "\u00fc": "\u2713",
        "\u00fd": "\u2612",
        "\u00fe": "\u2611",
        "n": "\u25a0",
        "o": "\u25a1",
        "q": "\u25a1",
        "x": "\u2612",
    },
}
"""What the characters of fonts with this in their names show, if the font is said to have letters."""


@dataclass(frozen=True)
class Characters:
    """The characters of a page, n in all, m of them with a glyph.

    Attributes:
        codes: [n] code points.
        kinds: [n] of `SEPARATOR`, `INVISIBLE`, `DAMAGED`, `GLYPH`.
        shown: [m] indices of the characters with a glyph, damaged or not.
        unmapped: [m] the font does not map the character to Unicode.
        boxes: [m, 4] x0, y0, x1, y1 on the displayed page in points; NaN without extent.
        objects: [m] addresses of the text objects; 0 for none.
        fonts: [m] addresses of their fonts; 0 for none.
    """

    codes: npt.NDArray[np.uint32]
    kinds: npt.NDArray[np.uint8]
    shown: npt.NDArray[np.intp]
    unmapped: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.float64]
    objects: npt.NDArray[np.uint64]
    fonts: npt.NDArray[np.uint64]

    def without(self, hidden: npt.NDArray[np.bool_]) -> Characters:
        """These characters, except that those marked in `hidden` [m] have no glyph any more."""
        kinds = self.kinds.copy()
        kinds[self.shown[hidden]] = INVISIBLE
        kept = ~hidden
        return Characters(
            self.codes,
            kinds,
            self.shown[kept],
            self.unmapped[kept],
            self.boxes[kept],
            self.objects[kept],
            self.fonts[kept],
        )


def read_characters(page: pypdfium2.PdfPage, text_page: Any, count: int) -> Characters:
    """The first `count` characters of a page."""
    handle = address_of(text_page)
    codes = _codes(text_page, count)
    kinds = _classify(codes)
    controls = np.flatnonzero(codes < 0x20)
    for index in controls.tolist():
        # A font without a mapping gives its own codes, which can look like white space or like a line-end hyphen.
        if has_unicode_map_error(handle, index) and not is_generated(handle, index):
            kinds[index] = DAMAGED if _has_ink(handle, index) else SEPARATOR
        elif codes[index] in LINE_END_HYPHENS and not is_hyphen(handle, index):
            kinds[index] = DAMAGED
    shown = np.flatnonzero(kinds >= DAMAGED)
    objects = _objects(handle, shown)
    handles, of_character = np.unique(objects, return_inverse=True)
    fonts, of_handle = np.unique(np.fromiter(map(get_font, handles.tolist()), np.uint64), return_inverse=True)
    font_of = of_handle[of_character]
    unmapped = _unmapped(handle, codes[shown], font_of, shown)
    codes[shown] = _as_symbols(codes[shown], fonts, font_of)
    kinds[shown[unmapped]] = DAMAGED
    boxes = upright(_character_boxes(handle, shown), page)
    return Characters(codes, kinds, shown, unmapped, boxes, objects, fonts[font_of])


def _codes(text_page: Any, count: int) -> npt.NDArray[np.uint32]:
    """The code points, in one call where it gives all of them: it leaves out characters without a code."""
    units = np.zeros(count + 1, np.uint16)
    buffer = ctypes.cast(units.ctypes.data, ctypes.POINTER(ctypes.c_ushort))
    if pdfium.FPDFText_GetText(text_page, 0, count, buffer) == count + 1:
        codes = units[:count].astype(np.uint32)
        codes[codes == LINE_END_HYPHENS[1]] = LINE_END_HYPHENS[0]
        return codes
    return np.fromiter(map(get_unicode, repeat(address_of(text_page)), range(count)), np.uint32, count)


def _objects(handle: int, shown: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    """The text object of each character; those of one object follow each other, so most need not be asked for."""

    def ask(places: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
        return np.fromiter(map(get_text_object, repeat(handle), shown[places].tolist()), np.uint64, len(places))

    every = np.arange(len(shown))
    samples = np.append(every[::_SAMPLE], every[-1:])
    sampled = ask(samples)
    same = sampled[1:] == sampled[:-1]
    if len(same) == 0 or same.mean() < 0.5:
        return ask(every)
    objects = np.repeat(sampled[:-1], np.diff(samples))
    objects = np.append(objects, sampled[-1:])
    unknown = np.flatnonzero(np.append(np.repeat(~same, np.diff(samples)), False))
    objects[unknown] = ask(unknown)
    return objects


def _unmapped(
    handle: int, codes: npt.NDArray[np.uint32], font_of: npt.NDArray[np.intp], shown: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Which characters `shown` their fonts do not map; asked once for all that are equal, since each call costs."""
    keys = font_of.astype(np.int64) << 32 | codes
    _, first, of_character = np.unique(keys, return_index=True, return_inverse=True)
    errors = map(has_unicode_map_error, repeat(handle), shown[first].tolist())
    return (np.fromiter(errors, np.int32, len(first)) > 0)[of_character]


def _as_symbols(
    codes: npt.NDArray[np.uint32], fonts: npt.NDArray[np.uint64], font_of: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint32]:
    """The codes, with those of symbol fonts that pass for letters replaced by what they show."""
    name = ctypes.create_string_buffer(128)
    for index, font in enumerate(fonts.tolist()):
        if not font:
            continue
        length = pdfium.FPDFFont_GetBaseFontName(ctypes.cast(font, pdfium.FPDF_FONT), name, len(name))
        if not 0 < length <= len(name):
            continue
        base_name = name.value.lower().decode("latin-1")
        for family, symbols in _SYMBOL_FONTS.items():
            if family in base_name and "wingdings2" not in base_name and "wingdings3" not in base_name:
                table = np.arange(0x100, dtype=np.uint32)
                table[[ord(letter) for letter in symbols]] = [ord(symbol) for symbol in symbols.values()]
                own = (font_of == index) & (codes < 0x100)
                codes = np.where(own, table[np.minimum(codes, 0xFF)], codes)
    return codes


def _has_ink(handle: int, index: int) -> bool:
    edges = (ctypes.c_double * 4)()
    first = ctypes.addressof(edges)
    found = get_character_box(handle, index, first, first + 8, first + 16, first + 24)
    return bool(found) and edges[1] > edges[0] and edges[3] - edges[2] > _FLAT


def _classify(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """The kind of each character, by its code alone."""
    kinds = np.full(len(codes), GLYPH, np.uint8)
    for index in np.flatnonzero((codes < 0x21) | (codes > 0x7E)).tolist():
        kinds[index] = _kind_of(int(codes[index]))
    return kinds


@lru_cache(maxsize=4096)
def _kind_of(code: int) -> int:
    if code in LINE_END_HYPHENS:
        return GLYPH
    if code > 0x10FFFF:
        return DAMAGED
    character = chr(code)
    if character.isspace():
        return SEPARATOR
    if character in _TRANSLATION_KEYS:
        return GLYPH
    category = unicodedata.category(character)
    if category == "Cf":
        return INVISIBLE
    return DAMAGED if category in ("Cc", "Co", "Cn") or code == 0xFFFD else GLYPH


def _character_boxes(handle: int, shown: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Boxes of the characters `shown` in the page's own coordinates: left, right, bottom, top; NaN without extent.

    The box is tight around the ink. A glyph without ink (an empty outline) gets the line-high loose box, and a glyph
    of a font that PDFium does not have, whose box has no height or no width, one from its font size.
    """
    boxes = np.full((len(shown), 4), np.nan)
    first = boxes.ctypes.data
    columns = (range(first + 8 * k, first + 8 * k + 32 * len(shown), 32) for k in range(4))
    deque(map(get_character_box, repeat(handle), shown.tolist(), *columns), maxlen=0)
    sides = boxes[:, [1, 3]] - boxes[:, [0, 2]]
    # The thinnest strokes are about 4% of their length.
    flat = ~(sides.min(axis=1) > np.minimum(_FLAT, 0.01 * sides.max(axis=1)))
    if flat.any():
        text_page = ctypes.cast(handle, pdfium.FPDF_TEXTPAGE)
        for row in np.flatnonzero(flat).tolist():
            boxes[row] = _box_without_ink(text_page, int(shown[row]))
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def _box_without_ink(text_page: Any, index: int) -> tuple[float, float, float, float]:
    rectangle = pdfium.FS_RECTF()
    if pdfium.FPDFText_GetLooseCharBox(text_page, index, rectangle):
        edges = rectangle.left, rectangle.right, rectangle.bottom, rectangle.top
        if edges[1] > edges[0] and edges[3] > edges[2]:
            return edges
    nowhere = (math.nan,) * 4
    x, y = ctypes.c_double(), ctypes.c_double()
    matrix = pdfium.FS_MATRIX()
    size = pdfium.FPDFText_GetFontSize(text_page, index)
    found = pdfium.FPDFText_GetCharOrigin(text_page, index, x, y) and pdfium.FPDFText_GetMatrix(
        text_page, index, matrix
    )
    if not found or size <= 0:
        return nowhere
    across = (matrix.a * _WIDTH * size, matrix.b * _WIDTH * size)
    up = (matrix.c * _ASCENT * size, matrix.d * _ASCENT * size)
    columns = x.value, x.value + across[0], x.value + up[0], x.value + across[0] + up[0]
    rows = y.value, y.value + across[1], y.value + up[1], y.value + across[1] + up[1]
    if max(columns) <= min(columns) or max(rows) <= min(rows):
        return nowhere
    return min(columns), max(columns), min(rows), max(rows)


def upright(boxes: npt.NDArray[np.float64], page: pypdfium2.PdfPage) -> npt.NDArray[np.float64]:
    """Convert left, right, bottom, top on the unrotated page to x0, y0, x1, y1 on the displayed one, in points."""
    left, bottom, right, top = page.get_bbox()
    x0, x1, y0, y1 = boxes.T
    rotated = {
        0: (x0 - left, top - y1, x1 - left, top - y0),
        90: (y0 - bottom, x0 - left, y1 - bottom, x1 - left),
        180: (right - x1, y0 - bottom, right - x0, y1 - bottom),
        270: (top - y1, right - x1, top - y0, right - x0),
    }
    return np.stack(rotated[page.get_rotation()], axis=1)

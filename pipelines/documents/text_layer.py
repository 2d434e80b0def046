"""The words in the text layer of a PDF page, their boxes, and whether they can be trusted.

A page with a trusted layer needs no OCR, which costs about fifty times as much; a layer that is trusted wrongly spoils
the page. So in doubt, the page goes to OCR. `judge` applies these rules; a layer is not trusted if

1. there is no text at all, unless nothing else that can be read is drawn on the page either (lines and boxes
   cannot): then the page is blank and trusted as such, with no words;
2. it has fewer than 12 letters and digits while images or shapes are drawn on the page: these probably contain the
   actual text (without them, a page of text can be arbitrarily short: "Exhibit A");
3. it has more than 200,000 characters, which no page shows;
4. more than 5% of its characters are damaged: U+FFFD, control characters, private use, or characters that the font
   does not map to Unicode (`FPDFText_HasUnicodeMapError`);
5. fewer than 40% of its characters are letters or digits (leader dots and rules of underscores or dashes, at least
   three equal ones in a row, are not counted);
6. at least half of its words lie outside the displayed page;
7. images cover at least half of the page and the layer has fewer than 30 words, or words in fewer than 5 of 20
   equal bands down the page: a stamp, header or page number over a scan. A scan with a full layer, as scanning
   software writes it, is trusted;
8. it does not look like a language: it has at least 200 unaccented Latin letters and fewer than 15% of them are
   vowels (an undeclared font encoding), or more than 60% of its words are single letters (words are split), or more
   than half of its letters are in words of over 40 letters (words are joined).

Words are in the order of the page's content stream, as PDFium returns it.
"""

from __future__ import annotations

import ctypes
import re
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

from pipelines.documents.document import Document
from pipelines.documents.media_type import PDF
from pipelines.documents.page_objects import PageContent, read_page_content
from pipelines.documents.pdfium_ffi import address_of, get_character_box, get_unicode, has_unicode_map_error

Box = tuple[float, float, float, float]

MAX_CHARACTERS = 200_000
MIN_READABLE = 12
MAX_DAMAGED_SHARE = 0.05
MIN_READABLE_SHARE = 0.40
MAX_OFF_PAGE_SHARE = 0.50
COVERING_IMAGES = 0.50
MIN_WORDS_OVER_IMAGES = 30
BANDS = 20
MIN_BANDS_OVER_IMAGES = 5
MIN_LETTERS_FOR_LANGUAGE = 200
MIN_VOWEL_SHARE = 0.15
MAX_SINGLE_LETTER_SHARE = 0.60
LONG_WORD = 40
MAX_LONG_WORD_SHARE = 0.50

# A gap between two character boxes that ends a word even if PDFium puts no space or line break there, as a fraction of
# the text height: along the line (widely spaced letters) and across it (short lines of upside-down text).
_GAP_ACROSS = 1.0
_GAP_DOWN = 0.8
# Characters on a line with a smaller gap than this belong together even if PDFium breaks the line between them: on
# pages of one or two lines that it takes for vertical writing, it does so after every character.
_TOUCHING = 0.25

_LINE_BREAKS = (0x0A, 0x0D)

# Kinds of character.
_SEPARATOR, _INVISIBLE, _DAMAGED, _GLYPH = 0, 1, 2, 3

# PDFium returns a hyphen at the end of a line as U+0002, followed by the first word of the next line.
_LINE_END_HYPHENS = (0x02, 0xFFFE)

_TRANSLATION = str.maketrans(
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

_TRANSLATION_KEYS = frozenset(map(chr, _TRANSLATION))

_LEADERS = re.compile(r"([._\-\u2013\u2014\u2026*=~\u00b7])\1{2,}")


@dataclass(frozen=True)
class TextLayer:
    """A page's words from its text layer.

    Attributes:
        words: without white space, ligatures spelled out, composed (NFC); none is empty.
        boxes: one per word: x0, y0, x1, y1 as fractions (0 to 1) of the page as displayed, that is, after its crop box
            and its rotation; the origin is at the top left. Tight around the ink, like OCR's boxes and those that the
            models were trained on; not the line's full height.
        trusted: whether the words can replace OCR; see the module's rules.
        reason: why, as text.
    """

    words: list[str]
    boxes: list[Box]
    trusted: bool
    reason: str

    @property
    def blank(self) -> bool:
        """Whether the page is known to be blank, so that OCR would find nothing."""
        return self.trusted and not self.words


@dataclass(frozen=True)
class LayerFacts:
    """The input of the rules of trust.

    Attributes:
        characters: number of all characters on the page, white space included.
        visible: number of characters with a glyph, white space excluded.
        damaged: how many of these have no meaning.
        words: on the page; in the layer's order.
        words_off_page: number of further words, outside the page.
        bands: how many of `BANDS` equal bands down the page hold the middle of a word.
        content: what else is drawn on the page.
    """

    characters: int
    visible: int
    damaged: int
    words: list[str]
    words_off_page: int
    bands: int
    content: PageContent


def judge(facts: LayerFacts) -> tuple[bool, str]:
    """Whether a layer is trusted, and why; the module's docstring has the rules."""
    if facts.characters > MAX_CHARACTERS:
        return False, f"{facts.characters} characters on one page"
    content = facts.content
    if facts.visible == 0:
        if content.drawings == 0:
            return True, "blank page: nothing to read is drawn on it"
        return False, "no text layer"
    text = "".join(facts.words)
    readable = sum(map(str.isalnum, text))
    total_words = len(facts.words) + facts.words_off_page
    if facts.damaged > MAX_DAMAGED_SHARE * facts.visible:
        return False, f"{facts.damaged} of {facts.visible} characters have no meaning"
    if total_words and facts.words_off_page >= MAX_OFF_PAGE_SHARE * total_words:
        return False, f"{facts.words_off_page} of {total_words} words lie off the page"
    if readable < MIN_READABLE and content.drawings > 0:
        return False, f"only {readable} letters and digits beside {content.drawings} images or shapes"
    counted = len(_LEADERS.sub("", text))
    if readable < MIN_READABLE_SHARE * counted:
        return False, f"only {readable} of {counted} characters are letters or digits"
    if content.image_cover >= COVERING_IMAGES:
        cover = f"images cover {content.image_cover:.0%} of the page"
        if len(facts.words) < MIN_WORDS_OVER_IMAGES:
            return False, f"{cover} and the layer has only {len(facts.words)} words"
        if facts.bands < MIN_BANDS_OVER_IMAGES:
            return False, f"{cover} and the words lie in only {facts.bands} of {BANDS} bands of it"
    reason = _reason_against_language(facts.words)
    return (False, reason) if reason else (True, "text layer")


def _reason_against_language(words: list[str]) -> str | None:
    latin = [word for word in words if word.isascii() and word.isalpha()]
    letters = sum(map(len, latin))
    if letters < MIN_LETTERS_FOR_LANGUAGE:
        return None
    vowels = sum(character in "aeiouyAEIOUY" for word in latin for character in word)
    if vowels < MIN_VOWEL_SHARE * letters:
        return f"only {vowels} of {letters} letters are vowels: the font's encoding is probably wrong"
    if sum(len(word) == 1 for word in latin) > MAX_SINGLE_LETTER_SHARE * len(latin):
        return "most words are single letters: words are torn apart"
    if sum(len(word) for word in latin if len(word) > LONG_WORD) > MAX_LONG_WORD_SHARE * letters:
        return f"most letters are in words of over {LONG_WORD}: words are run together"
    return None


def read_text_layer(document: Document, page_index: int) -> TextLayer | None:
    """The text layer of a page, trusted or not; None for images, which have none.

    Raises:
        ProcessingError: `unreadable` if the page is damaged.
        IndexError: there is no such page.
    """
    if document.media_type != PDF:
        return None
    page = document.pdf_page(page_index)
    content = read_page_content(page)
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        return TextLayer([], [], False, "PDFium cannot read the page's text")
    try:
        return _read(page, text_page, content)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _read(page: pypdfium2.PdfPage, text_page: Any, content: PageContent) -> TextLayer:
    count = max(0, int(pdfium.FPDFText_CountChars(text_page)))
    if count > MAX_CHARACTERS:
        trusted, reason = judge(LayerFacts(count, 0, 0, [], 0, 0, content))
        return TextLayer([], [], trusted, reason)
    handle = address_of(text_page)
    codes = np.fromiter(map(get_unicode, repeat(handle), range(count)), np.uint32, count)
    kinds = _classify(codes)
    shown = np.flatnonzero(kinds >= _DAMAGED)
    unmapped = sum(map(bool, map(has_unicode_map_error, repeat(handle), shown.tolist())))
    damaged = max(int((kinds == _DAMAGED).sum()), unmapped)
    boxes = _character_boxes(handle, shown)
    words, word_boxes, off_page = _form_words(codes, kinds, shown, boxes, page)
    bands = len({min(BANDS - 1, int((y0 + y1) / 2 * BANDS)) for _, y0, _, y1 in word_boxes})
    trusted, reason = judge(LayerFacts(count, len(shown), damaged, words, off_page, bands, content))
    return TextLayer(words, word_boxes, trusted, reason)


def _classify(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """The kind of each character: white space, invisible, without a meaning, or an ordinary glyph."""
    kinds = np.full(len(codes), _GLYPH, np.uint8)
    for index in np.flatnonzero((codes < 0x21) | (codes > 0x7E)).tolist():
        kinds[index] = _kind_of(int(codes[index]))
    return kinds


@lru_cache(maxsize=4096)
def _kind_of(code: int) -> int:
    if code in _LINE_END_HYPHENS:
        return _GLYPH
    if code > 0x10FFFF:
        return _DAMAGED
    character = chr(code)
    if character.isspace():
        return _SEPARATOR
    if character in _TRANSLATION_KEYS:
        return _GLYPH
    category = unicodedata.category(character)
    if category == "Cf":
        return _INVISIBLE
    return _DAMAGED if category in ("Cc", "Co", "Cn") or code == 0xFFFD else _GLYPH


def _character_boxes(handle: int, shown: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Boxes of the characters `shown` in the page's own coordinates: left, right, bottom, top; NaN without extent.

    The box is tight around the ink, or the line-high loose box if a glyph has no ink (an empty outline).
    """
    boxes = np.full((len(shown), 4), np.nan)
    first = boxes.ctypes.data
    columns = (range(first + 8 * k, first + 8 * k + 32 * len(shown), 32) for k in range(4))
    deque(map(get_character_box, repeat(handle), shown.tolist(), *columns), maxlen=0)
    empty = ~((boxes[:, 1] > boxes[:, 0]) | (boxes[:, 3] > boxes[:, 2]))
    if empty.any():
        rectangle = pdfium.FS_RECTF()
        text_page = ctypes.cast(handle, pdfium.FPDF_TEXTPAGE)
        for row in np.flatnonzero(empty).tolist():
            boxes[row] = np.nan
            if pdfium.FPDFText_GetLooseCharBox(text_page, int(shown[row]), rectangle):
                edges = rectangle.left, rectangle.right, rectangle.bottom, rectangle.top
                if edges[1] > edges[0] and edges[3] > edges[2]:
                    boxes[row] = edges
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def _upright(boxes: npt.NDArray[np.float64], page: pypdfium2.PdfPage) -> npt.NDArray[np.float64]:
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


def _form_words(
    codes: npt.NDArray[np.uint32],
    kinds: npt.NDArray[np.uint8],
    shown: npt.NDArray[np.intp],
    boxes: npt.NDArray[np.float64],
    page: pypdfium2.PdfPage,
) -> tuple[list[str], list[Box], int]:
    """Words on the page, their boxes as fractions of it, and the number of words outside it or without extent."""
    if len(shown) == 0:
        return [], [], 0
    boxes = _upright(boxes, page)
    breaks = np.isin(codes, _LINE_BREAKS)
    spaces_before = np.cumsum((kinds == _SEPARATOR) & ~breaks, dtype=np.intp)[shown]
    starts = _word_starts(codes[shown], spaces_before, np.cumsum(breaks, dtype=np.intp)[shown], boxes)
    width, height = page.get_size()
    word_boxes = np.concatenate(
        [np.fmin.reduceat(boxes[:, :2], starts, axis=0), np.fmax.reduceat(boxes[:, 2:], starts, axis=0)], axis=1
    ) / np.array([width, height, width, height])
    middle = (word_boxes[:, :2] + word_boxes[:, 2:]) / 2
    on_page = ((middle >= 0) & (middle <= 1)).all(axis=1)
    text = "".join(map(chr, np.minimum(codes[shown], 0x10FFFF).tolist()))
    ends = [*starts[1:].tolist(), len(shown)]
    words: list[str] = []
    kept: list[Box] = []
    for start, end, box, inside in zip(
        starts.tolist(), ends, np.clip(word_boxes, 0, 1).tolist(), on_page.tolist(), strict=True
    ):
        word = _clean(text[start:end]) if inside else ""
        if word:
            words.append(word)
            kept.append(tuple(box))
    return words, kept, int((~on_page).sum())


def _word_starts(
    codes: npt.NDArray[np.uint32],
    spaces_before: npt.NDArray[np.intp],
    breaks_before: npt.NDArray[np.intp],
    boxes: npt.NDArray[np.float64],
) -> npt.NDArray[np.intp]:
    """Indices of the characters that begin a word: after white space, a line-end hyphen, a wide gap or a new line."""
    begins = np.ones(len(codes), bool)
    begins[1:] = (np.diff(spaces_before) > 0) | (np.diff(breaks_before) > 0)
    extents = np.nan_to_num(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))
    runs = np.flatnonzero(begins)
    sizes = np.maximum.reduceat(extents, runs)
    # Leader dots are smaller than the text that they belong to.
    sizes = np.maximum(sizes, np.median(sizes) / 2)
    size_of_run = np.repeat(sizes, np.diff([*runs.tolist(), len(codes)]))
    size = np.maximum(size_of_run[1:], size_of_run[:-1])
    before, after = boxes[:-1], boxes[1:]
    gaps = np.maximum(after[:, :2] - before[:, 2:], before[:, :2] - after[:, 2:])
    touching = (np.abs(after[:, 0] - before[:, 2]) < _TOUCHING * size) & (gaps[:, 1] < 0)
    begins[1:] &= (np.diff(spaces_before) > 0) | ~touching
    begins[1:] |= (gaps[:, 0] > _GAP_ACROSS * size) | (gaps[:, 1] > _GAP_DOWN * size)
    begins[1:] |= np.isin(codes[:-1], _LINE_END_HYPHENS)
    return np.flatnonzero(begins)


def _clean(word: str) -> str:
    if word.isascii() and word.isprintable():
        return word
    word = word.translate(_TRANSLATION)
    if any("\ud800" <= character <= "\udfff" for character in word):  # pairs, or one half alone
        word = word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    word = "".join(character for character in word if unicodedata.category(character) != "Cc")
    return unicodedata.normalize("NFC", word)

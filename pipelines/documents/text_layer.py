"""The words in the text layer of a PDF page, their boxes, and whether they can be trusted.

A page with a trusted layer needs no OCR, which costs about fifty times as much; a word that is trusted wrongly spoils
the page. Words are trusted one by one: those without a meaning (characters that the font does not map to Unicode,
fonts that map them wrongly: `layer_fonts.py`) are left to OCR, and so is the ink that no word explains
(`unread_ink.py`). What stands there but cannot be seen is not read (`hidden_text.py`). The layer as a whole is judged
only if hardly anything in it is sound; it is not trusted if

1. there is no text at all, unless nothing else that can be read is drawn on the page either (lines and boxes
   cannot): then the page is blank and trusted as such, with no words;
2. it has no letters or digits while images or shapes are drawn on the page, or fewer than 12 and the text is not
   drawn (the layer of a scan): these contain the actual text (without them, a page of text can be arbitrarily short:
   "Exhibit A");
3. it has more than 200,000 characters, which no page shows;
4. more than half of its characters are damaged;
5. fewer than 40% of its characters are letters or digits (leader dots and rules of underscores or dashes, at least
   three equal ones in a row, are not counted);
6. at least half of its words lie outside the displayed page;
7. images cover at least half of the page, the text is not drawn, and the layer has fewer than 30 words, or words in
   fewer than 5 of 20 equal bands down the page: a header that a scanner recognised. A scan with a full layer, as
   scanning software writes it, is trusted, and so are drawn words over a scan: a stamp, values typed on a form;
8. it does not look like a language: it has at least 200 unaccented Latin letters and fewer than 15% of them are
   vowels (an undeclared font encoding), or more than 60% of its words are single letters (words are split), or more
   than half of its letters are in words of over 40 letters (words are joined).

Words are in the order of the page's content stream, as PDFium returns it, unless that runs from bottom to top or at
random. A word that the layer has twice at one place is given once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.check_boxes import CheckBox, drawn_check_boxes, with_check_boxes
from pipelines.documents.document import Document
from pipelines.documents.hidden_text import hidden_characters
from pipelines.documents.layer_characters import read_characters
from pipelines.documents.layer_fonts import wrong_fonts
from pipelines.documents.layer_words import Box, Word, each_once, form_words, in_reading_order
from pipelines.documents.media_type import PDF
from pipelines.documents.page_objects import PageContent, read_page_content

MAX_CHARACTERS = 200_000
MIN_READABLE = 12
MAX_DAMAGED_SHARE = 0.50
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

_LEADERS = re.compile(r"([._\-\u2013\u2014\u2026*=~\u00b7])\1{2,}")


@dataclass(frozen=True)
class TextLayer:
    """A page's words from its text layer.

    Attributes:
        words: sound and displayed, without white space, ligatures spelled out, composed (NFC); none is empty.
        boxes: one per word: x0, y0, x1, y1 as fractions (0 to 1) of the page as displayed, that is, after its crop box
            and its rotation; the origin is at the top left; x0 < x1 and y0 < y1. Tight around the ink, like OCR's boxes
            and those that the models were trained on; not the line's full height.
        trusted: whether these words may stand in the result; see the module's rules. Otherwise, the whole page must be
            read by OCR.
        reason: why, as text.
        damaged_boxes: words that are displayed but whose characters have no meaning or a wrong one; OCR must read them.
        has_drawings: images or shapes that can contain writing are on the page, so that its ink must be held against
            the layer's words.
    """

    words: list[str]
    boxes: list[Box]
    trusted: bool
    reason: str
    damaged_boxes: list[Box] = field(default_factory=list)
    has_drawings: bool = False

    @property
    def blank(self) -> bool:
        """Whether the page is known to be blank, so that OCR would find nothing."""
        return self.trusted and not self.words and not self.damaged_boxes and not self.has_drawings


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
        drawn: whether most of the words are drawn; those that a scanner adds to its image are not.
    """

    characters: int
    visible: int
    damaged: int
    words: list[str]
    words_off_page: int
    bands: int
    content: PageContent
    drawn: bool = True


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
    if readable < (1 if facts.drawn else MIN_READABLE) and content.drawings > 0:
        return False, f"only {readable} letters and digits beside {content.drawings} images or shapes"
    counted = len(_LEADERS.sub("", text))
    if readable < MIN_READABLE_SHARE * counted:
        return False, f"only {readable} of {counted} characters are letters or digits"
    if content.image_cover >= COVERING_IMAGES and not facts.drawn:
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
        return TextLayer([], [], False, "PDFium cannot read the page's text", has_drawings=bool(content.drawings > 0))
    try:
        return _read(page, text_page, content, document.check_boxes(page_index))
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _read(page: pypdfium2.PdfPage, text_page: Any, content: PageContent, check_boxes: list[CheckBox]) -> TextLayer:
    count = max(0, int(pdfium.FPDFText_CountChars(text_page)))
    drawings = bool(content.drawings > 0)
    if count > MAX_CHARACTERS:
        trusted, reason = judge(LayerFacts(count, 0, 0, [], 0, 0, content))
        return TextLayer([], [], trusted, reason, has_drawings=drawings)
    characters = read_characters(page, text_page, count)
    hidden, invisible = hidden_characters(page, characters, content)
    if hidden.any():
        characters = characters.without(hidden)
    words, off_page = form_words(characters, page.get_size())
    words = in_reading_order(each_once(_mark_wrong_fonts(words), invisible))
    sound = [word for word in words if not word.damaged]
    damaged = [word for word in words if word.damaged]
    bands = len({min(BANDS - 1, int((word.box[1] + word.box[3]) / 2 * BANDS)) for word in words})
    undrawn = sum(word.text_object in invisible for word in words) if invisible else 0
    ill = sum(max(1, len(word.text)) for word in damaged)
    facts = LayerFacts(
        characters=count,
        visible=len(characters.shown),
        damaged=ill,
        words=[word.text for word in sound],
        words_off_page=off_page,
        bands=bands,
        content=content,
        drawn=2 * undrawn < max(1, len(words)),
    )
    # Why damaged words are no language says more than their number.
    against = _reason_against_language([word.text for word in words]) if damaged else None
    trusted, reason = (False, against) if against else judge(facts)
    shapes = content.painting.small_shapes
    sound = with_check_boxes(sound, check_boxes or drawn_check_boxes(shapes, sound, page))
    return TextLayer(
        [word.text for word in sound],
        [word.box for word in sound],
        trusted,
        reason,
        [word.box for word in damaged],
        drawings,
    )


def _mark_wrong_fonts(words: list[Word]) -> list[Word]:
    wrong = wrong_fonts(words)
    return [word._replace(damaged=True) if word.font in wrong else word for word in words] if wrong else words

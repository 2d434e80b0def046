"""Characters of a text layer to words: where words begin and end, each once, in reading order."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.ocr.reading_order import reading_order
from model.word_breaks import word_spans
from pipelines.documents.layer_characters import DAMAGED, LINE_END_HYPHENS, SEPARATOR, TRANSLATION, Characters

Box = tuple[float, float, float, float]

# A gap between two character boxes that ends a word even if PDFium puts no space or line break there, as a fraction of
# the text height: along the line (widely spaced letters) and across it (short lines of upside-down text).
_GAP_ACROSS = 1.0
_GAP_DOWN = 0.8
# Characters on a line with a smaller gap than this belong together even if PDFium breaks the line between them: on
# pages of one or two lines that it takes for vertical writing, it does so after every character.
_TOUCHING = 0.25

_LINE_BREAKS = (0x0A, 0x0D)

# A box is at least this wide and high, as a fraction of the page.
_MIN_SIDE = 1e-4

# Two words of which one covers at least this share of the other's box stand at the same place.
_SAME_PLACE = 0.6
_MAX_HEIGHT_RATIO = 2.0
_CELLS = 200

# The order of the content is nonsense if this many lines, and this share of all, lie above the line before.
_MIN_LINES_UPWARD = 4
_UPWARD_SHARE = 0.4

# The first letter of a script without spaces, in Unicode's order: that of Thai.
_FIRST_UNSPACED = 0x0E00

# Letters as they are joined in print, which stand for the letters themselves.
_ARABIC_FORMS = re.compile("[\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdfb\ufe70-\ufefc]")

# More damaged characters than this make the word damaged.
_MAX_DAMAGED_IN_WORD = 1 / 3


class Word(NamedTuple):
    """A word of a layer.

    Attributes:
        text: as shown, or with the characters that the layer gives if the word is damaged.
        box: x0, y0, x1, y1 as fractions of the displayed page.
        damaged: characters of the word have no meaning.
        text_object: address of the object that draws the first character.
        font: address of its font.
        forward: the last character lies right of the first.
        lost: number of its characters that have no meaning.
    """

    text: str
    box: Box
    damaged: bool
    text_object: int
    font: int
    forward: bool
    lost: int = 0


def form_words(characters: Characters, size: tuple[float, float]) -> tuple[list[Word], int]:
    """The words on a page of `size` (width and height in points), and the number of those off it or without extent."""
    shown, boxes = characters.shown, characters.boxes
    if len(shown) == 0:
        return [], 0
    codes = characters.codes[shown]
    breaks = np.isin(characters.codes, _LINE_BREAKS) & (characters.kinds == SEPARATOR)
    spaces = (characters.kinds == SEPARATOR) & ~breaks
    spaces_before = np.cumsum(spaces, dtype=np.intp)[shown]
    starts = _word_starts(codes, spaces_before, np.cumsum(breaks, dtype=np.intp)[shown], boxes)
    starts = _with_unspaced_starts(codes, starts)
    width, height = size
    word_boxes = np.concatenate(
        [np.fmin.reduceat(boxes[:, :2], starts, axis=0), np.fmax.reduceat(boxes[:, 2:], starts, axis=0)], axis=1
    ) / np.array([width, height, width, height])
    middle = (word_boxes[:, :2] + word_boxes[:, 2:]) / 2
    on_page = ((middle >= 0) & (middle <= 1)).all(axis=1)
    ends = np.array([*starts[1:].tolist(), len(shown)])
    damaged = _damaged_words(codes, characters.kinds[shown] == DAMAGED, characters.unmapped, starts, ends)
    forward = boxes[ends - 1, 2] > boxes[starts, 2]
    text = "".join(map(chr, np.minimum(codes, 0x10FFFF).tolist()))
    words = []
    for start, end, box, inside, bad, drawer, font, onward, missing in zip(
        starts.tolist(),
        ends.tolist(),
        _with_extent(np.clip(word_boxes, 0, 1)).tolist(),
        on_page.tolist(),
        damaged.tolist(),
        characters.objects[starts].tolist(),
        characters.fonts[starts].tolist(),
        forward.tolist(),
        np.add.reduceat((characters.kinds[shown] == DAMAGED).astype(np.intp), starts).tolist(),
        strict=True,
    ):
        word = _clean(text[start:end]) if inside else ""
        if word or (inside and bad):
            words.append(Word(word, tuple(box), bad, drawer, font, onward, missing))
    return words, int((~on_page).sum())


def _with_extent(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low = np.minimum(boxes[:, :2], 1 - _MIN_SIDE)
    return np.concatenate([low, np.maximum(boxes[:, 2:], low + _MIN_SIDE)], axis=1)


def _damaged_words(
    codes: npt.NDArray[np.uint32],
    damaged: npt.NDArray[np.bool_],
    unmapped: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
) -> npt.NDArray[np.bool_]:
    """Which words cannot be known from their characters.

    One character without a meaning is enough, since the word without it would be another one. Stray control characters
    in a word without digits are dropped, as before; a single private-use character is a bullet of a symbol font.
    """
    if not damaged.any():
        return np.zeros(len(starts), bool)
    lengths = ends - starts
    count = np.add.reduceat(damaged.astype(np.intp), starts)
    control = codes < 0x20
    lost = np.add.reduceat((damaged & (unmapped | ~control)).astype(np.intp), starts)
    digits = np.add.reduceat(((codes >= 0x30) & (codes <= 0x39)).astype(np.intp), starts)
    private = (codes >= 0xE000) & (codes <= 0xF8FF)
    symbol = (lengths == 1) & private[starts] & ~unmapped[starts]
    harmful = (lost > 0) | (count > _MAX_DAMAGED_IN_WORD * lengths) | ((count > 0) & (digits > 0))
    return harmful & ~symbol


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
    begins[1:] |= np.isin(codes[:-1], LINE_END_HYPHENS)
    return np.flatnonzero(begins)


def _with_unspaced_starts(codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The starts of words, with those inside runs of Chinese, Japanese or the like (`model.word_breaks`)."""
    if not (codes >= _FIRST_UNSPACED).any():
        return starts
    found: list[int] = []
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(codes)], strict=True):
        run = codes[start:end]
        if (run >= _FIRST_UNSPACED).any():
            text = "".join(map(chr, np.minimum(run, 0x10FFFF).tolist()))
            low_half = {index for index, code in enumerate(run.tolist()) if 0xDC00 <= code <= 0xDFFF}
            found += [start + first for first, _ in word_spans(text) if first not in low_half]
        else:
            found.append(start)
    return np.array(found, dtype=np.intp)


def _clean(word: str) -> str:
    if word.isascii() and word.isprintable():
        return word
    word = word.translate(TRANSLATION)
    if any("\ud800" <= character <= "\udfff" for character in word):  # pairs, or one half alone
        word = word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    word = "".join(character for character in word if unicodedata.category(character) != "Cc")
    word = _ARABIC_FORMS.sub(lambda form: unicodedata.normalize("NFKC", form.group()), word)
    return unicodedata.normalize("NFC", word)


def each_once(words: list[Word], invisible: set[int]) -> list[Word]:
    """The words without those that stand a second time at the same place: bold drawn twice, two OCR layers.

    Args:
        words: in the layer's order.
        invisible: addresses of the text objects that are not drawn. A word of these gives way to any word at its
            place, for two OCR engines can have read the same print differently; visible words only to their equals.
    """
    if len(words) < 2:
        return words
    boxes = np.array([word.box for word in words])
    hidden = np.array([word.text_object in invisible for word in words])
    if not hidden.any() and not _has_equal_neighbours(words, boxes):
        return words
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    heights = boxes[:, 3] - boxes[:, 1]
    kept = np.zeros(len(words), bool)
    of_text: dict[str, list[int]] = defaultdict(list)
    for index in np.flatnonzero(~hidden).tolist():
        equals = of_text[words[index].text]
        kept[index] = not any(_overlap(boxes[other], boxes[index]) > _SAME_PLACE * areas[index] for other in equals)
        if kept[index]:
            equals.append(index)
    for index in np.flatnonzero(hidden).tolist():
        near = kept & (boxes[:, 3] > boxes[index, 1]) & (boxes[:, 1] < boxes[index, 3])
        near &= np.maximum(heights, heights[index]) < _MAX_HEIGHT_RATIO * np.minimum(heights, heights[index])
        # Several words together can cover one that another engine ran together.
        kept[index] = _overlap(boxes[near], boxes[index]).sum() < _SAME_PLACE * areas[index]
    return [word for word, keep in zip(words, kept.tolist(), strict=True) if keep]


def _overlap(boxes: npt.NDArray[np.float64], box: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sides = np.minimum(boxes[..., 2:], box[2:]) - np.maximum(boxes[..., :2], box[:2])
    area: npt.NDArray[np.float64] = np.clip(sides, 0, None).prod(axis=-1)
    return area


def _has_equal_neighbours(words: list[Word], boxes: npt.NDArray[np.float64]) -> bool:
    """Whether equal words may stand at one place; quick, since on nearly all pages none do."""
    hashes = np.fromiter((hash(word.text) for word in words), np.int64, len(words))
    for shift in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)):
        cells = np.floor(boxes[:, :2] * _CELLS + shift).astype(np.int64)
        keys = np.sort(hashes ^ (cells[:, 0] * 1_000_003 + cells[:, 1] * 7_919))
        if (keys[1:] == keys[:-1]).any():
            return True
    return False


def in_reading_order(words: list[Word]) -> list[Word]:
    """The words in the layer's order, or in reading order if the content is drawn from bottom to top or at random.

    Only text that runs from left to right is judged: lines of a text that stands on its head do go upward.
    """
    if len(words) < 2:
        return words
    boxes = np.array([word.box for word in words])
    before, after = boxes[:-1], boxes[1:]
    heights = np.maximum(before[:, 3] - before[:, 1], after[:, 3] - after[:, 1])
    back = after[:, 0] < before[:, 2]  # the next line begins further left; the next cell of a table does not
    move = (after[:, 1] + after[:, 3] - before[:, 1] - before[:, 3]) / 2
    upward = int((back & (move < -0.5 * heights)).sum())
    downward = int((back & (move > 0.5 * heights)).sum())
    if upward < _MIN_LINES_UPWARD or upward < _UPWARD_SHARE * (upward + downward):
        return words
    onward = [word.forward for word in words if len(word.text) > 1]
    if 2 * sum(onward) < len(onward):
        return words
    return [words[index] for index in reading_order([word.box for word in words], [word.text for word in words])]

"""Words of Tesseract's lines of Chinese, Japanese, Thai or Korean, which it cuts into pieces of a character or more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from model.ocr.word_filter import Word
from model.word_breaks import is_unspaced, word_spans

__all__ = ["cut_anew"]

MOST_GAP = 0.8
"""Between pieces of one text without spaces, in heights of the line; a wider gap ends it."""
MOST_GAP_OF_HANGUL = 0.28
"""The same of Korean, whose spaces are a third of a height and more."""

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


def cut_anew(line: Sequence[Word]) -> list[Word]:
    """The words of a line, in its order: pieces that touch are joined and cut as in `model.word_breaks`.

    Lines without letters of such scripts are left as they are. The boxes of the new words have the height of the line,
    since those of strokes such as "一" would not tell which line they are on.
    """
    if not any(_is_cut(word.text) for word in line):
        return list(line)
    top, bottom = min(word.box[1] for word in line), max(word.box[3] for word in line)
    words: list[Word] = []
    run: list[Word] = []
    for word in _beside_each_other(line):
        if run and not _touch(run[-1], word, bottom - top):
            words += _cut(run, top, bottom)
            run = []
        run.append(word)
    return words + _cut(run, top, bottom)


def _is_cut(text: str) -> bool:
    return not text.isascii() and (is_unspaced(text) or _HANGUL.search(text) is not None)


def _beside_each_other(line: Sequence[Word]) -> list[Word]:
    """The pieces, each ending where the next one begins: where they begin can be relied upon, their ends overlap."""
    placed = list(line)
    for index, (word, after) in enumerate(pairwise(line)):
        x0, y0, x1, y1 = word.box
        if x0 < after.box[0] < x1:
            placed[index] = replace(word, box=(x0, y0, after.box[0], y1))
    return placed


def _touch(first: Word, second: Word, height: float) -> bool:
    gap = second.box[0] - first.box[2]
    if second.box[0] < first.box[0]:
        return False
    if is_unspaced(first.text) or is_unspaced(second.text):
        return gap < MOST_GAP * height
    if first.text.endswith(":"):
        return False
    return (_is_cut(first.text) or _is_cut(second.text)) and gap < MOST_GAP_OF_HANGUL * height


def _cut(run: Sequence[Word], top: float, bottom: float) -> list[Word]:
    text = "".join(word.text for word in run)
    if not _is_cut(text):
        return list(run)
    ends = list(accumulate(len(word.text) for word in run))
    words = []
    for start, stop in word_spans(text):
        parts = [
            (word, max(start - (end - len(word.text)), 0), min(stop - (end - len(word.text)), len(word.text)))
            for word, end in zip(run, ends, strict=True)
            if start < end and stop > end - len(word.text)
        ]
        left = min(_along(word, begin) for word, begin, _ in parts)
        right = max(_along(word, end) for word, _, end in parts)
        confidence = sum((end - begin) * word.confidence for word, begin, end in parts) / (stop - start)
        words.append(Word(text[start:stop], (left, top, max(right, left + 1), bottom), confidence))
    return words


def _along(word: Word, characters: int) -> float:
    """Where a character of a word begins; characters are taken to be of one width."""
    x0, _, x1, _ = word.box
    return x0 + (x1 - x0) * characters / len(word.text)

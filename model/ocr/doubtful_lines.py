"""Tells which detected lines Tesseract read doubtfully, so that PP-OCR reads those again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.ocr.boxes import shared_area
from model.ocr.text_detection import TextLine
from model.ocr.word_filter import Word

__all__ = ["Division", "divide"]

SURE_CONFIDENCE = 0.85
"""Mean confidence of the characters, 0-1, from which a line is not read again."""
SURE_COVER = 0.5
"""Share of a line's width that words must cover, so that it is not read again."""
SURE_ALONE = 0.8
"""Confidence, 0-1, from which words with letters or digits are kept where the detector found no line."""
LEAST_SHARE = 0.4
"""A word lies on a line that covers this share of its box."""


@dataclass(frozen=True)
class Division:
    """Words of a page that stay, and lines to read again; words on those are left out."""

    words: list[Word]
    lines: list[TextLine]


def divide(words: Sequence[Word], lines: Sequence[TextLine]) -> Division:
    """Tesseract's words that can be trusted, and the detected lines in which they cannot.

    A line is read again if the mean confidence of its characters is below 0.85, or if its words cover less than half of
    its width. That is a third of the lines of FUNSD's forms.

    Args:
        words: of Tesseract, unfiltered, with boxes in pixels of the page.
        lines: detected on the same page.
    """
    boxes = [line.box for line in lines]
    on_line: list[list[Word]] = [[] for _ in lines]
    kept: list[Word] = []
    for word in words:
        shared = [shared_area(word.box, box) for box in boxes]
        best = max(range(len(boxes)), key=shared.__getitem__, default=-1)
        x0, y0, x1, y1 = word.box
        if best >= 0 and 0 < shared[best] >= LEAST_SHARE * (x1 - x0) * (y1 - y0):
            on_line[best].append(word)
        elif word.confidence >= SURE_ALONE and any(character.isalnum() for character in word.text):
            kept.append(word)
    again = []
    for line, (x0, y0, x1, y1), found in zip(lines, boxes, on_line, strict=True):
        characters = sum(len(word.text) for word in found)
        certain = sum(len(word.text) * word.confidence for word in found)
        along = 0 if x1 - x0 >= y1 - y0 else 1
        cover = sum(word.box[along + 2] - word.box[along] for word in found)
        length = (x1 - x0, y1 - y0)[along]
        if certain < SURE_CONFIDENCE * characters or cover < SURE_COVER * length or not found:
            again.append(line)
        else:
            kept += found
    return Division(kept, again)

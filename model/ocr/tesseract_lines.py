"""Tesseract for lines that PP-OCR's detector has found, which finds those of any script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from model.ocr.line_recognition import line_picture, to_page
from model.ocr.line_words import Grey
from model.ocr.tesseract import LineReader
from model.ocr.text_detection import TextLine
from model.ocr.word_filter import Word

__all__ = ["read_lines"]

LINE_HEIGHT = 48
"""Height in pixels at which Tesseract gets a line, without its border."""
BORDER = 10
"""Pixels of paper around a line: letters that touch the edge of the picture are lost."""


def read_lines(
    grey: Grey, lines: Sequence[TextLine], reader: LineReader, check_time: Callable[[], float | None]
) -> list[Word]:
    """The words of lines, with boxes in pixels of the page, line by line; those of a line have its height.

    Args:
        grey: the page, uint8 (height, width).
        lines: detected on it.
        reader: Tesseract.
        check_time: called before each line; it gives the seconds that are left, or raises `TimeoutError`.
    """
    words: list[Word] = []
    for line in lines:
        picture = line_picture(grey, line)
        height, width = picture.shape
        scale = LINE_HEIGHT / height
        size = max(round(width * scale), 1), LINE_HEIGHT
        framed = Image.new("L", (size[0] + 2 * BORDER, size[1] + 2 * BORDER), int(np.median(picture)))
        framed.paste(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), (BORDER, BORDER))
        found = reader.read_line(framed, check_time())
        top = min((word.box[1] for word in found), default=0.0)
        bottom = max((word.box[3] for word in found), default=0.0)
        inside = [
            ((x0 - BORDER) / scale, (top - BORDER) / scale, (x1 - BORDER) / scale, (bottom - BORDER) / scale)
            for x0, _, x1, _ in (word.box for word in found)
        ]
        boxes = to_page(line, inside, grey.shape)
        words += [replace(word, box=box) for word, box in zip(found, boxes, strict=True)]
    return words

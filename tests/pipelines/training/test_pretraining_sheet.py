"""The sheet of examples: each word is outlined in the colour of its label."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageColor

from pipelines.training.pretraining_inputs import PretrainingExample, PretrainingWindow
from pipelines.training.pretraining_sheet import COVERED, EXCHANGED, GAP, HIDDEN, KEPT, NOT_COVERED, Panel, draw_sheet

MASK = 103
COLOURS = (HIDDEN, EXCHANGED, KEPT, COVERED, NOT_COVERED)
"""Of the five words of the page, which stand one below the other."""

BOXES = np.array([[0, 0, 0, 0], *([200, 100 + 150 * word, 600, 200 + 150 * word] for word in range(5))])
WINDOW = PretrainingWindow(
    np.arange(5000, 5006), np.zeros(6, np.int64), BOXES, np.arange(-1, 5), np.full((3, 100, 100), 255, np.uint8)
)
EXAMPLE = PretrainingExample(
    input_ids=np.array([5000, MASK, 1234, 5003, 5004, 5005]),
    token_type_ids=WINDOW.token_type_ids,
    bbox=BOXES,
    picture=WINDOW.picture,
    labels=np.array([-100, 5001, 5002, 5003, -100, -100]),
    alignment_labels=np.array([-100, -100, -100, -100, 1, 0]),
    matching_label=1,
)


def colours_of_words(sheet: Image.Image, left: int) -> list[tuple[int, ...]]:
    """The pixel at the middle of each word's upper edge, in the panel that begins at `left`."""
    top = next(row for row in range(sheet.height) if sheet.getpixel((left, row)) == ImageColor.getrgb(NOT_COVERED))
    return [sheet.getpixel((left + 80, top + round(0.2 * y0))) for y0 in BOXES[1:, 1]]  # type: ignore[misc]


def test_each_label_has_its_colour_and_a_window_alone_none() -> None:
    sheet = draw_sheet([[Panel("alone", WINDOW), Panel("example", WINDOW, EXAMPLE)]], MASK)
    assert sheet.mode == "RGB"
    assert colours_of_words(sheet, GAP) == [(255, 255, 255)] * 5
    assert colours_of_words(sheet, 2 * GAP + 200) == [ImageColor.getrgb(colour) for colour in COLOURS]


def test_labels_that_are_absent_are_not_drawn() -> None:
    without = EXAMPLE._replace(labels=None, alignment_labels=None, matching_label=None)
    sheet = draw_sheet([[Panel("example", WINDOW, without)]], MASK, scale=2)
    assert colours_of_words(sheet, GAP) == [(255, 255, 255)] * 5

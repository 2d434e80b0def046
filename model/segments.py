"""Text segments of a page, from its words and boxes alone: what stands together on a line.

A segment is a run of words, in reading order, that stand on one line without a gap; a colon ends it, since it stands
between a key and its value. Of the entities of FUNSD's training forms 95% begin and end where a segment does.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from model.decode import Box

MAX_GAP = 1.3
"""Two words of a segment are no farther apart than this, in heights of its letters."""

MIN_SHARED_HEIGHT = 0.5
"""Two words are on one line if they share more than this part of the lower one's height."""

COLONS = (":", "：")
"""Between a key and its value; the second is that of Chinese and Japanese."""

Rectangles = NDArray[np.float64]
"""float64 [n, 4]: x0, y0, x1, y1 in thousandths of the page's height, across and down."""


def page_rectangles(boxes: Sequence[Box], width_to_height: float, backward: bool = False) -> Rectangles:
    """Boxes in thousandths of the page's width and height, in one unit: thousandths of its height.

    Args:
        boxes: x0, y0, x1, y1.
        width_to_height: of the page.
        backward: whether it is written from right to left; it is then seen in a mirror.
    """
    scale = np.array([width_to_height, 1.0, width_to_height, 1.0])
    rectangles: Rectangles = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale
    if backward:
        rectangles[:, [0, 2]] = 1000 * width_to_height - rectangles[:, [2, 0]]
    return rectangles


def text_segments(words: Sequence[str], rectangles: Rectangles) -> list[list[int]]:
    """The segments of a page, in reading order, as lists of the indices of their words.

    Args:
        words: in reading order.
        rectangles: one a word.
    """
    segments: list[list[int]] = []
    heights: list[float] = []
    for index, box in enumerate(rectangles):
        height = max(1.0, box[3] - box[1])
        if segments and _follows(words[segments[-1][-1]], rectangles[segments[-1][-1]], box, median(heights)):
            segments[-1].append(index)
            heights.append(height)
        else:
            segments.append([index])
            heights = [height]
    return segments


def _follows(previous_word: str, previous: Rectangles, box: Rectangles, segment_height: float) -> bool:
    """Whether a word continues the segment that ends with the previous word."""
    if previous_word.rstrip().endswith(COLONS):
        return False
    height, previous_height = max(1.0, box[3] - box[1]), max(1.0, previous[3] - previous[1])
    lower = min(height, previous_height)
    shared = min(box[3], previous[3]) - max(box[1], previous[1])
    gap = box[0] - previous[2]
    return bool(shared > MIN_SHARED_HEIGHT * lower and -lower < gap < MAX_GAP * max(segment_height, height))

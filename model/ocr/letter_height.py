"""How high the letters of a page are: large print is found as well in a smaller picture, for less."""

from __future__ import annotations

import numpy as np

from model.ocr.line_words import Grey

__all__ = ["large_print_scale", "median_letter_height"]

SUFFICIENT_HEIGHT = 17
"""Median height of letters, in pixels of the detector's input, from which a larger picture finds no more lines. FUNSD's
forms have 9 to 14 in a page of 1280 pixels, pages of contracts 7 to 10, the receipts of SROIE 10 to 23."""
MOST_REDUCTION = 0.7
"""The smallest scale: much smaller letters may stand beside those of median height."""
LEAST_LETTERS = 50
"""Fewer are no print to judge a page by."""
HEIGHTS = 5, 80
"""Pixels, inclusive: lower areas are specks, higher ones rules, frames and pictures."""
WIDEST = 3
"""Letters are at most this many times as wide as high: a few may touch, but a rule is no letter."""
THINNEST = 1 / 6
"""A letter is at least this many times as wide as high."""
NEIGHBOURHOOD, LEAST_CONTRAST = 31, 15
"""Ink is darker by so many grey values than the mean of a square of so many pixels around it."""


def large_print_scale(page: Grey) -> float:
    """The factor, `MOST_REDUCTION` to 1, by which the picture of a page can be reduced without loss of lines."""
    height = median_letter_height(page)
    return 1.0 if height is None else min(max(SUFFICIENT_HEIGHT / height, MOST_REDUCTION), 1.0)


def median_letter_height(page: Grey) -> float | None:
    """Median height in pixels of the connected areas of ink that can be letters; None if there are few.

    It takes 10 ms for a page of 1280 x 990 pixels.
    """
    import cv2

    dark = cv2.adaptiveThreshold(
        page, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, NEIGHBOURHOOD, LEAST_CONTRAST
    )
    _, _, areas, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    width, height = areas[1:, cv2.CC_STAT_WIDTH], areas[1:, cv2.CC_STAT_HEIGHT]  # the first one is the paper
    is_letter = (height >= HEIGHTS[0]) & (height <= HEIGHTS[1]) & (width <= WIDEST * height)
    letters = height[is_letter & (width >= THINNEST * height)]
    return float(np.median(letters)) if len(letters) >= LEAST_LETTERS else None

"""How well a page was read, as one number from 0 to 1.

It is the mean confidence of the page's words, weighted by their length, times the share of its text that has words at
all: the area of the words against that of the regions whose ink looks like text and has none. Words of a text layer are
certain. A page without words has 1 if there is nothing to read on it, and 0 if there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.documents.text_layer import Box, TextLayer
from pipelines.documents.unread_ink import unread_regions


def read_quality(
    words: Sequence[str], boxes: Sequence[Sequence[float]], confidences: Sequence[float | None], unread: Sequence[Box]
) -> float:
    """The quality of a page.

    Args:
        words: of the page, with `boxes`, x0, y0, x1, y1 as fractions of the page, and `confidences`, 0 to 1; None is
            certain.
        unread: the regions with text that have no words, as fractions of the page.
    """
    missing = sum(_area(box) for box in unread)
    if not words:
        return 0.0 if missing else 1.0
    lengths = np.array([len(word) for word in words], dtype=float)
    certain = np.array([1.0 if confidence is None else confidence for confidence in confidences])
    confidence = float((lengths * certain).sum() / lengths.sum())
    read = sum(_area(box) for box in boxes)
    return confidence * (read / (read + missing) if missing else 1.0)


def unread_after(page: npt.NDArray[np.uint8], words: list[str], boxes: list[Box]) -> list[Box]:
    """The regions of a page picture, grey [height, width], with text that none of the words explains."""
    return unread_regions(page, TextLayer(words, boxes, True, "", [], True))


def _area(box: Sequence[float]) -> float:
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)

"""Finds the text lines of a page: the detector's map of probabilities, and the rectangles in it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.ocr.letter_height import large_print_scale
from model.ocr.line_words import Grey
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_runtime import Network

__all__ = ["Quad", "TextLine", "detect_lines", "normalised", "resized"]

Quad = npt.NDArray[np.float32]

SHAPE_STEP = 128
"""The detector's input is padded to a multiple of this many pixels, because each new shape is compiled and kept in
memory, in some 30 ms and 10 MB; a multiple of 32. Multiples of 64 are 3% to 7% fewer pixels, and lines are found a
little worse (`benchmarks/RESULTS.md`)."""
LEAST_CONTRAST = 20
"""Grey values, 0-255, by which ink differs from the page's paper; what is paler is not read."""
LEAST_INK = 2
"""Pixels of ink that a row or a column of a page has at least, where there is text."""
PAPER_MARGIN = 32
"""Pixels of paper, in the detector's input, that are kept around the ink of a page."""
LONGEST_PAGE = 3
"""A longer side of more than this many times the shorter one makes an image a strip: a till roll, or a screenshot of a
whole site."""
WORTHWHILE_REDUCTION = 0.95
"""The detector's input is not made again for a reduction by less than this."""
TILE = 1536
"""Longer inputs, in pixels, are detected in tiles of this length; a multiple of `SHAPE_STEP`."""
TILE_OVERLAP = 256
"""Pixels that neighbouring tiles share; what each finds in its half is taken."""


@dataclass(frozen=True)
class TextLine:
    """A detected line: its four corners in pixels, float32 (4, 2), from the top left clockwise, and its score, 0-1."""

    corners: Quad
    score: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The upright box (x0, y0, x1, y1) around the line."""
        (x0, y0), (x1, y1) = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def size(self) -> tuple[int, int]:
        """Width along the text's first edge and height across it, in pixels, at least 1."""
        a, b, c, d = self.corners.tolist()
        width, height = max(math.dist(a, b), math.dist(c, d)), max(math.dist(a, d), math.dist(b, c))
        return max(int(width), 1), max(int(height), 1)


def detect_lines(
    grey: Grey, network: Network, options: PpOcrOptions, check_time: Callable[[], None] = lambda: None
) -> list[TextLine]:
    """The text lines of a page in its pixels, from the top.

    Args:
        grey: uint8 (height, width).
        network: the detector.
        options: sizes and thresholds.
        check_time: called before each run of the network; it may raise.
    """
    height, width = grey.shape
    if not height or not width:
        return []
    scale = detection_scale(width, height, options)
    scaled = _scaled(grey, scale)
    reduction = large_print_scale(scaled)
    if reduction < WORTHWHILE_REDUCTION:
        scaled = _scaled(grey, scale * reduction)
    lines = _lines(_text_map(scaled, network, check_time), (width, height), options)
    return sorted(lines, key=lambda line: (line.box[1], line.box[0]))


def _scaled(grey: Grey, scale: float) -> Grey:
    height, width = grey.shape
    return resized(grey, max(round(width * scale), 1), max(round(height * scale), 1))


def detection_scale(width: int, height: int, options: PpOcrOptions) -> float:
    """The factor by which a page is scaled for the detector.

    A page's longer side becomes `detection_pixels`, unless its shorter side would shrink below `least_width`. A strip
    is several pages; its shorter side is reduced to `detection_pixels`, if it is longer than that.
    """
    shorter, longer = sorted((width, height))
    scale = min(options.detection_pixels / longer, options.most_enlargement)
    least = options.detection_pixels if longer > LONGEST_PAGE * shorter else options.least_width
    return max(scale, min(1.0, least / shorter))


def _text_map(scaled: Grey, network: Network, check_time: Callable[[], None]) -> npt.NDArray[np.float32]:
    """The probability that each pixel is text, float32 (height, width); long images are put together from tiles.

    It is 0 on the page's margins, which the detector does not see.
    """
    text = np.zeros(scaled.shape, np.float32)
    inked = _inked_area(scaled)
    seen, into = scaled[inked], text[inked]
    rows, columns = (_tiles(side) for side in seen.shape)
    for (top, bottom), (first, end) in rows:
        for (left, right), (begin, stop) in columns:
            check_time()
            found = _detected(seen[top:bottom, left:right], network)
            into[first:end, begin:stop] = found[first - top : end - top, begin - left : stop - left]
    return text


def _inked_area(scaled: Grey) -> tuple[slice, slice]:
    """Rows and columns between the margins of a page, with some paper around; empty for a page without ink."""
    paper = int(np.median(scaled[::4, ::4]))
    darker, lighter = scaled < max(paper - LEAST_CONTRAST, 0), scaled > paper + LEAST_CONTRAST
    ink = darker | lighter
    rows, columns = (_between_margins(np.count_nonzero(ink, axis=axis)) for axis in (1, 0))
    return rows, columns


def _between_margins(ink: npt.NDArray[np.intp]) -> slice:
    inked = np.flatnonzero(ink >= min(LEAST_INK, len(ink)))
    if not len(inked):
        return slice(0, 0)
    return slice(max(int(inked[0]) - PAPER_MARGIN, 0), int(inked[-1]) + 1 + PAPER_MARGIN)


def _tiles(length: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """For each tile along a side, (start, end) of what is seen and of what is kept; the latter cover the side once."""
    if not length:
        return []
    if length <= TILE + TILE_OVERLAP:
        return [((0, length), (0, length))]
    starts = [*range(0, length - TILE, TILE - TILE_OVERLAP), length - TILE]
    edges = [0, *((start + before + TILE) // 2 for before, start in itertools.pairwise(starts)), length]
    return [((s, s + TILE), (edges[i], edges[i + 1])) for i, s in enumerate(starts)]


def _detected(tile: Grey, network: Network) -> npt.NDArray[np.float32]:
    rows, columns = tile.shape
    padded = tuple(math.ceil(side / SHAPE_STEP) * SHAPE_STEP for side in (rows, columns))
    inputs = np.ones((1, 3, *padded), np.float32)
    inputs[0, :, :rows, :columns] = normalised(tile)
    return np.asarray(network(inputs)[0, 0, :rows, :columns], np.float32)


def _lines(text: npt.NDArray[np.float32], size: tuple[int, int], options: PpOcrOptions) -> list[TextLine]:
    """The lines in the detector's map of probabilities, for a page of `size` (width, height) pixels.

    The detector marks the middle of each line; the rectangle around a connected area is grown by a margin in proportion
    to its area over its circumference (Liao et al., 2020, "Real-time Scene Text Detection with Differentiable
    Binarization").
    """
    import cv2

    mask = cv2.dilate((text > options.pixel_threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    ratio = np.array([size[0] / text.shape[1], size[1] / text.shape[0]])
    lines = []
    for contour in contours:
        middle, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 3:
            continue
        score = _mean_inside(text, cv2.boxPoints((middle, (width, height), angle)))
        if score < options.line_threshold:
            continue
        margin = 2 * options.margin * width * height / (2 * (width + height))
        corners = cv2.boxPoints((middle, (width + margin, height + margin), angle)) * ratio
        lines.append(TextLine(_clockwise(np.clip(np.round(corners), 0, np.array(size) - 1)), score))
    return sorted(lines, key=lambda line: -line.score)[: options.most_lines]


def _mean_inside(text: npt.NDArray[np.float32], corners: npt.NDArray[Any]) -> float:
    import cv2

    limits = np.array(text.shape[::-1]) - 1
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limits)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, limits)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, (corners - (x0, y0)).reshape(1, -1, 2).astype(np.int32), (1,))
    return float(cv2.mean(text[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _clockwise(corners: npt.NDArray[Any]) -> Quad:
    """The corners of a rectangle clockwise, from the edge that points most to the right."""
    edges = np.roll(corners, -1, axis=0) - corners
    if edges[0, 0] * edges[1, 1] < edges[0, 1] * edges[1, 0]:
        return _clockwise(corners[::-1])
    rightward = edges[:, 0] / np.maximum(np.linalg.norm(edges, axis=1), 1e-6)
    return np.roll(corners, -int(rightward.argmax()), axis=0).astype(np.float32)


def normalised(grey: Grey) -> npt.NDArray[np.float32]:
    """Grey values as the networks take them, -1 to 1."""
    return grey.astype(np.float32) / 127.5 - 1


def resized(grey: Grey, width: int, height: int) -> Grey:
    """The picture in another size."""
    import cv2

    if grey.shape == (height, width):
        return grey
    reduce = height < 0.8 * grey.shape[0]
    method = cv2.INTER_AREA if reduce else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=method), np.uint8)

"""Reads detected text lines: their pictures, upright, and the characters that the recogniser finds in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from model.ocr.line_words import Character, Grey
from model.ocr.ppocr_runtime import Network
from model.ocr.text_detection import TextLine, normalised, resized

__all__ = ["Box", "line_picture", "recognise_lines", "to_page"]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""

LINE_HEIGHT = 48
"""Height in pixels at which the recogniser reads a line."""
WIDTH_STEP = 32
"""Lines are padded to a multiple of this width in pixels: each new input shape is compiled and kept in memory, in some
20 ms and a few MB. Multiples of 128 took a tenth (forms) to a sixth (receipts) more pixels."""
LONGEST_PIECE = 2048
"""Wider lines, in pixels at `LINE_HEIGHT`, are read in pieces, cut where they have no ink."""
VERTICAL = 1.5
"""A line this many times as high as wide is read turned by 90 degrees."""


def recognise_lines(
    pictures: Sequence[Grey],
    network: Network,
    characters: Sequence[str],
    batch_lines: int = 1,
    check_time: Callable[[], None] = lambda: None,
) -> list[list[Character]]:
    """The characters of each line, in the order of their positions.

    Args:
        pictures: upright lines, uint8 (height, width).
        network: the recogniser.
        characters: of its classes.
        batch_lines: pieces of like width that are read at once.
        check_time: called before each run of the network; it may raise.
    """
    pieces = [(line, *piece) for line, picture in enumerate(pictures) for piece in _pieces(picture)]
    widths = [_width(stop - start, pictures[line].shape[0]) for line, start, stop in pieces]
    read: list[list[Character]] = [[] for _ in pieces]
    for batch, width in _batches(widths, batch_lines):
        check_time()
        inputs = np.zeros((len(batch), 3, LINE_HEIGHT, width), np.float32)
        for row, index in enumerate(batch):
            line, start, stop = pieces[index]
            picture = resized(pictures[line][:, start:stop], widths[index], LINE_HEIGHT)
            inputs[row, :, :, : widths[index]] = normalised(picture)
        probabilities = network(inputs)
        best, peak = probabilities.argmax(axis=2), probabilities.max(axis=2)
        for row, index in enumerate(batch):
            share = width / (widths[index] * best.shape[1])
            read[index] = _decoded(best[row], peak[row], share, characters)
    lines: list[list[Character]] = [[] for _ in pictures]
    for (line, start, stop), found in zip(pieces, read, strict=True):
        whole = pictures[line].shape[1]
        if lines[line]:  # a piece begins in a gap between words
            lines[line].append(Character(" ", start / whole, 1.0))
        lines[line] += [Character(c.text, (start + c.position * (stop - start)) / whole, c.probability) for c in found]
    return lines


def line_picture(grey: Grey, line: TextLine) -> Grey:
    """The upright picture of a line; a line that stands on its side is turned."""
    import cv2

    width, height = line.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(line.corners, corners)
    crop = cv2.warpPerspective(grey, transform, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.rot90(crop) if is_vertical(line) else crop, np.uint8)


def is_vertical(line: TextLine) -> bool:
    """Whether a line stands on its side."""
    width, height = line.size
    return height >= VERTICAL * width


def to_page(line: TextLine, boxes: Sequence[Box], shape: tuple[int, ...]) -> list[Box]:
    """The upright boxes, inside a page of `shape` (height, width), of boxes in the picture of a line."""
    import cv2

    if not boxes:
        return []
    width, height = line.size
    points = np.array(boxes, np.float32)[:, (0, 1, 2, 1, 2, 3, 0, 3)].reshape(-1, 4, 2)
    if is_vertical(line):
        points = np.stack([width - points[..., 1], points[..., 0]], axis=2)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    placed = cv2.perspectiveTransform(points, cv2.getPerspectiveTransform(corners, line.corners))
    low = np.clip(placed.min(axis=1), 0, (shape[1] - 1, shape[0] - 1))
    high = np.clip(placed.max(axis=1), low + 1, (shape[1], shape[0]))
    return [(x0, y0, x1, y1) for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True)]


def _width(columns: int, rows: int) -> int:
    """Width in pixels of a picture at `LINE_HEIGHT`."""
    return min(max(math.ceil(LINE_HEIGHT * columns / rows), 8), LONGEST_PIECE)


def _pieces(picture: Grey) -> list[tuple[int, int]]:
    """(start, stop) columns of the pieces in which a line is read: one, unless it is very long."""
    height, width = picture.shape
    most = LONGEST_PIECE * height // LINE_HEIGHT
    if width <= most:
        return [(0, width)]
    # The widest run of even columns in the last third of each piece is a gap between words or a ground without text.
    spread = picture.max(axis=0).astype(np.int16) - picture.min(axis=0)
    even = spread < max(0.25 * float(np.percentile(spread, 95)), 1.0)
    pieces, start = [], 0
    while width - start > most:
        begin, end = start + 2 * most // 3, start + most
        edges = np.flatnonzero(np.diff(np.pad(even[begin:end].astype(np.int8), 1))).reshape(-1, 2)
        if len(edges):
            first, last = edges[(edges[:, 1] - edges[:, 0]).argmax()]
            stop = begin + int(first + last) // 2
        else:
            stop = end
        pieces.append((start, stop))
        start = stop
    return [*pieces, (start, width)]


def _decoded(
    best: npt.NDArray[np.int64], peak: npt.NDArray[np.float32], share: float, characters: Sequence[str]
) -> list[Character]:
    """Characters of the recogniser's steps: a class that repeats is one character, class 0 is none."""
    steps = np.flatnonzero((best != 0) & np.concatenate(([True], best[1:] != best[:-1])))
    return [Character(characters[best[i]], min((float(i) + 0.5) * share, 1.0), float(peak[i])) for i in steps]


def _batches(widths: Sequence[int], most: int) -> Iterator[tuple[list[int], int]]:
    """Indices of lines of like width, with the width to pad them to."""
    groups: dict[int, list[int]] = {}
    for index, width in enumerate(widths):
        groups.setdefault(math.ceil(width / WIDTH_STEP) * WIDTH_STEP, []).append(index)
    for width, indices in sorted(groups.items()):
        for begin in range(0, len(indices), most):
            yield indices[begin : begin + most], width

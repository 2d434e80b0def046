"""Finds ink on a page that may be text and that no word of its text layer explains: OCR must read these regions.

The layer's words are masked out of the page's picture; what remains is split into connected components, dark ones on a
lighter ground and light ones on a dark ground. Components of letter size that stand in a line, across the page or along
it, with like heights and a common foot, look like text. Rules, frames and table lines are too long for letters, leader
dots and specks too small, the bars of a bar code too slim, the squares of a matrix code too dense, the shapes in
photographs too unlike each other. A lone letter or two, and a signature without more, are not asked for.

The picture is halved first (100 dpi if it has 200): letters are still told from specks, at a quarter of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.documents.text_layer import Box, TextLayer

CONTRAST = 28
"""Ink differs from the mean of its neighbourhood by at least this many grey levels of 255."""

NEIGHBOURHOOD = 31
"""Side of the square around a pixel that tells its ground, in pixels of the halved picture."""

DARK_GROUND = 120
"""Light ink is looked for where the mean is darker than this."""

MIN_DARK_SHARE = 0.001
"""Share of the page that must be dark ground to look for light ink."""

MIN_LETTER, MAX_LETTER = 4, 110
"""Height of a letter in pixels of the halved picture: 3 points to 80."""

MAX_COMPONENTS = 20_000
"""A page with more components of letter size than this is a halftone or noise: only the largest are looked at."""

MIN_LETTERS = 3
"""Letters of a line."""

WORD_MARGIN = 0.2
"""The mask of a layer's word is larger than its box by this much of its height on each side, and by two pixels."""

CODE_SIDE, CODE_GAP = 12, 7
"""Least side and widest gap of a bar code or matrix code, in pixels of the picture halved again."""

CODE_SHARE = 0.33
"""Least share of ink in a code."""

STRIPES = 0.6
"""Least share of the variance of a bar code's levels that is between its columns."""

NEAR = 0.012
"""Lines with a smaller gap than this, as a fraction of the page's longer side, belong to one region."""

LINE_GAP = 0.9
"""Lines with a smaller gap than this, as a fraction of their height, belong to one region too."""

MAX_REGIONS = 12
"""With more regions than this, or if they cover most of their common box, the common box is returned."""

FULL_SHARE = 0.5

Rectangles = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Components:
    """n components: boxes [n, 4] as x0, y0, x1, y1 in pixels, and the number of pixels [n]."""

    boxes: Rectangles
    areas: npt.NDArray[np.int64]

    @property
    def sides(self) -> Rectangles:
        """Width and height."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def take(self, kept: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> _Components:
        return _Components(self.boxes[kept], self.areas[kept])

    def turned(self) -> _Components:
        """The same with rows for columns."""
        return _Components(self.boxes[:, [1, 0, 3, 2]], self.areas)


def unread_regions(page: npt.NDArray[np.uint8], layer: TextLayer) -> list[Box]:
    """The regions of a page whose ink may be text that the layer does not have.

    Args:
        page: grey, [height, width], 0 is black; 200 dpi.
        layer: of the page.

    Returns:
        Boxes x0, y0, x1, y1 as fractions (0 to 1) of the page, a few at most, none inside another. They contain the
        layer's damaged words. None: the layer explains the page.
    """
    height, width = page.shape
    if min(height, width) < 2 * MIN_LETTER:
        return []
    small = np.asarray(cv2.resize(page, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    lines = [lines_of_text(ink) for ink in _inks(small, _words_mask(layer, small.shape))]
    found = np.concatenate([*lines, _damaged_rectangles(layer, small.shape)])
    if len(found) == 0:
        return []
    regions = _join(found, small.shape)
    scale = np.array([small.shape[1], small.shape[0]] * 2)
    return [tuple(box) for box in (np.clip(regions / scale, 0, 1)).tolist()]


def _words_mask(layer: TextLayer, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """255 where no word of the layer stands, 0 on words."""
    mask = np.full(shape, 255, np.uint8)
    boxes = [*layer.boxes, *layer.damaged_boxes]
    if not boxes:
        return mask
    pixels = np.array(boxes) * np.array([shape[1], shape[0]] * 2)
    sides = pixels[:, 2:] - pixels[:, :2]
    margin = WORD_MARGIN * sides.min(axis=1, keepdims=True) + 2
    corners = np.concatenate([np.floor(pixels[:, :2] - margin), np.ceil(pixels[:, 2:] + margin)], axis=1)
    for x0, y0, x1, y1 in np.maximum(corners, 0).astype(int).tolist():
        mask[y0:y1, x0:x1] = 0
    return mask


def _damaged_rectangles(layer: TextLayer, shape: tuple[int, ...]) -> Rectangles:
    boxes = np.array(layer.damaged_boxes).reshape(-1, 4) * np.array([shape[1], shape[0]] * 2)
    margin = 0.3 * (boxes[:, 2:] - boxes[:, :2]).min(axis=1, keepdims=True, initial=np.inf) + 2 if len(boxes) else 0
    return np.concatenate([np.floor(boxes[:, :2] - margin), np.ceil(boxes[:, 2:] + margin)], axis=1).astype(np.int64)


def _inks(small: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> list[_Components]:
    """Components of letter size: dark ones, and light ones if there is a dark ground."""
    ground = np.asarray(cv2.blur(small, (NEIGHBOURHOOD, NEIGHBOURHOOD)), np.uint8)
    ink = _exceeds(ground, small) & mask
    codes = _codes(ink)
    inks = [_letters(ink, codes)]
    dark = np.asarray(cv2.threshold(ground, DARK_GROUND, 255, cv2.THRESH_BINARY_INV)[1], np.uint8)
    if cv2.countNonZero(dark) > MIN_DARK_SHARE * dark.size:
        inks.append(_letters(_exceeds(small, ground) & mask & dark, codes))
    return inks


def _exceeds(levels: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.threshold(cv2.subtract(levels, others), CONTRAST, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _letters(ink: npt.NDArray[np.uint8], codes: Rectangles) -> _Components:
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_32S)
    stats = np.asarray(stats[1:], np.int64)
    sides = stats[:, 2:4]
    long, short = sides.max(axis=1), sides.min(axis=1)
    fits = (long >= MIN_LETTER) & (short <= MAX_LETTER) & (long <= 2 * MAX_LETTER)
    fits &= (long <= 12 * short) & (stats[:, 4] >= 0.1 * long * short)
    stats = stats[fits]
    middles = stats[:, :2] + stats[:, 2:4] // 2
    for code in codes:
        outside = ((middles < code[:2]) | (middles > code[2:])).any(axis=1)
        stats, middles = stats[outside], middles[outside]
    if len(stats) > MAX_COMPONENTS:
        stats = stats[np.argsort(-stats[:, 4])[:MAX_COMPONENTS]]
    return _Components(np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1), stats[:, 4])


def _codes(ink: npt.NDArray[np.uint8]) -> Rectangles:
    """The boxes [n, 4] of bar codes and matrix codes.

    Closed up, a code is a full rectangle; a matrix code is a square with more ink than lines of text leave, and the
    columns (or rows) of a bar code are each of one colour.
    """
    quarter = np.asarray(cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    closed = cv2.morphologyEx(quarter, cv2.MORPH_CLOSE, np.ones((CODE_GAP, CODE_GAP), np.uint8))
    closed = cv2.threshold(closed, 100, 255, cv2.THRESH_BINARY)[1]
    _, _, blobs, _ = cv2.connectedComponentsWithStats(closed, connectivity=4, ltype=cv2.CV_32S)
    codes = []
    for x, y, width, height, area in blobs[1:].tolist():
        if min(width, height) < CODE_SIDE or area < 0.8 * width * height:
            continue
        part = quarter[y : y + height, x : x + width].astype(np.float32)
        if part.mean() < CODE_SHARE * 255:
            continue
        square = max(width, height) < 1.4 * min(width, height)
        stripes = max(part.mean(axis=0).var(), part.mean(axis=1).var()) > STRIPES * part.var()
        if square or stripes:
            codes.append([2 * x - 2, 2 * y - 2, 2 * (x + width) + 2, 2 * (y + height) + 2])
    return np.array(codes, np.int64).reshape(-1, 4)


def lines_of_text(components: _Components) -> Rectangles:
    """The boxes [n, 4] of what looks like lines of text, across the page or along it."""
    across, used = _rows_of_text(components)
    along, _ = _rows_of_text(components.take(~used).turned())
    return np.concatenate([across, along[:, [1, 0, 3, 2]]])


def _rows_of_text(components: _Components) -> tuple[Rectangles, npt.NDArray[np.bool_]]:
    """The rows of text, and which components are in one."""
    boxes, sides = components.boxes, components.sides
    in_row = np.zeros(len(boxes), bool)
    tall = np.flatnonzero((sides[:, 1] >= MIN_LETTER) & (sides[:, 1] <= MAX_LETTER))
    if len(tall) == 0:
        return np.zeros((0, 4), np.int64), in_row
    groups = _chain(boxes[tall])
    order = np.argsort(groups, kind="stable")
    tall, groups = tall[order], groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    rows = []
    for members in np.split(tall, starts[1:]):
        if looks_like_text(components.take(members)):
            rows.append([*boxes[members, :2].min(axis=0), *boxes[members, 2:].max(axis=0)])
            in_row[members] = True
    return np.array(rows, np.int64).reshape(-1, 4), in_row


def _chain(boxes: Rectangles) -> npt.NDArray[np.intp]:
    """A group number for each box: neighbours in a row, at most their height apart, are in one group."""
    heights = boxes[:, 3] - boxes[:, 1]
    reach = np.maximum(2, heights * 0.55).astype(np.int64)
    trim = heights // 4
    x1, y1 = boxes[:, 2:].max(axis=0).tolist()
    canvas = np.zeros((y1 + 1, x1 + MAX_LETTER), np.uint8)
    areas = np.stack(
        [np.maximum(boxes[:, 0] - reach, 0), boxes[:, 1] + trim, boxes[:, 2] + reach, boxes[:, 3] - trim], axis=1
    )
    for left, top, right, bottom in areas.tolist():
        canvas[top:bottom, left:right] = 255
    _, labels = cv2.connectedComponents(canvas, connectivity=4, ltype=cv2.CV_32S)
    groups: npt.NDArray[np.intp] = labels[(boxes[:, 1] + boxes[:, 3]) // 2, (boxes[:, 0] + boxes[:, 2]) // 2]
    return groups.astype(np.intp)


def looks_like_text(row: _Components) -> bool:
    """Whether components in a row are probably letters."""
    boxes, sides = row.boxes, row.sides
    heights = sides[:, 1].astype(float)
    typical = float(np.median(heights))
    fill = row.areas / sides.prod(axis=1)
    like = (heights > 0.45 * typical) & (heights < 2.2 * typical)
    # Bold letters of small print touch each other; a written flourish covers less of its box.
    letters = np.where((fill > 0.25) & (fill < 0.8), np.maximum(1, np.round(sides[:, 0] / heights)), 1)
    if letters[like].sum() < MIN_LETTERS or like.sum() < 0.6 * len(boxes):
        return False
    # Letters stand on a common line: descenders and commas are the exceptions.
    feet = boxes[like, 3]
    on_line = np.abs(feet - np.median(feet)) <= max(1.5, 0.25 * typical)
    if on_line.mean() < 0.55:
        return False
    # Bars, dashes and squares are filled, and all alike.
    solid = fill[like] > 0.85
    if solid.mean() > 0.75 and (heights[like].std() < 0.12 * typical or typical > 3 * np.median(sides[like, 0])):
        return False
    slim = typical / np.median(sides[like, 0])
    even = float(np.ptp(boxes[like, 1]) + np.ptp(boxes[like, 3])) < 0.1 * typical
    if (len(boxes) > MIN_LETTERS and slim > 4) or (even and slim > 2.2):
        return False
    width = boxes[:, 2].max() - boxes[:, 0].min()
    return bool(width > 1.2 * typical)


def _join(boxes: Rectangles, shape: tuple[int, ...]) -> Rectangles:
    """Join lines that are near each other, until none are; the result has a small margin."""
    near = max(3, round(NEAR * max(shape)))
    boxes = _joined(boxes, np.maximum(near, LINE_GAP * (boxes[:, 2:] - boxes[:, :2]).min(axis=1)))
    common = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    covered = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).sum() / (common[:, 2:] - common[:, :2]).prod()
    if len(boxes) > 1 and (len(boxes) > MAX_REGIONS or covered > FULL_SHARE):
        boxes = common
    margin = near // 3
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _joined(boxes: Rectangles, reach: npt.NDArray[np.float64]) -> Rectangles:
    """Join each box with those whose gap to it is smaller than the reach of both."""
    while True:
        gaps = np.maximum(boxes[:, None, :2] - boxes[None, :, 2:], boxes[None, :, :2] - boxes[:, None, 2:]).max(axis=2)
        touching = gaps <= np.minimum(reach[:, None], reach[None, :])
        first = touching.argmax(axis=1)  # the first box that each one touches, itself at the latest
        if (first == np.arange(len(boxes))).all():
            return boxes
        groups = [first == root for root in np.unique(first)]
        boxes = np.array([[*boxes[group, :2].min(axis=0), *boxes[group, 2:].max(axis=0)] for group in groups], np.int64)
        reach = np.array([reach[group].max() for group in groups])

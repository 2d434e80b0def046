"""The line from a key to its value on the picture of a page: between their nearest edges, and beside other words.

The endpoint's page draws the same lines (`pipelines/serving/web/connection.js`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

Point = tuple[float, float]
Box = Sequence[float]

CROSSED = 10.0
"""What a stretch through a word costs, against the same stretch over empty paper."""

BEND = 12.0
"""What a bend costs, in thousandths of the page's width."""

SLANTED = 1.3
"""What a slanted stretch costs, against an upright or level one."""

ASIDE = (9.0, 5.0)
"""How far beside its boxes a bracket runs, horizontally and vertically."""

MAX_NEAR = 500
"""Words between a key and its value up to which the line goes around them: tens of milliseconds."""

_INSET = 10.0
_SHARES = (0.5, 0.2, 0.8)


def connecting_line(
    key: Box, value: Box, words: Sequence[Box], aspect: float, own: AbstractSet[int] = frozenset()
) -> list[Point]:
    """The points of the line, in thousandths of the page; empty if key and value touch.

    Args:
        key, value: x0, y0, x1, y1 in thousandths of the page.
        words: the boxes to stay clear of.
        aspect: the page's height by its width.
        own: indices of the `words` of key and value, which are no obstacles.
    """
    left, top = (min(key[axis], value[axis]) - 2 * ASIDE[axis] for axis in (0, 1))
    right, bottom = (max(key[axis + 2], value[axis + 2]) + 2 * ASIDE[axis] for axis in (0, 1))
    near = [
        word
        for index, word in enumerate(words)
        if word[0] < right and word[2] > left and word[1] < bottom and word[3] > top and index not in own
    ]
    if len(near) > MAX_NEAR:
        near = []
    return min(_routes(key, value), key=lambda points: _cost(points, near, aspect), default=[])


def _routes(key: Box, value: Box) -> Iterator[list[Point]]:
    """Straight lines, and brackets around what is between, if the boxes share rows or columns; else with bends."""
    is_apart_x, is_apart_y = (_overlap(key, value, axis) < 0 for axis in (0, 1))
    (key_x, value_x), (key_y, value_y) = _facing(key, value, 0), _facing(key, value, 1)
    if is_apart_x and not is_apart_y:
        yield from ([(key_x, y), (value_x, y)] for y in _shared(key, value, 1))
        yield from _brackets(key, value, 1)
    elif is_apart_y and not is_apart_x:
        yield from ([(x, key_y), (x, value_y)] for x in _shared(key, value, 0))
        yield from _brackets(key, value, 0)
    elif is_apart_x and is_apart_y:
        middle_key, middle_value = (key[1] + key[3]) / 2, (value[1] + value[3]) / 2
        inside_key, inside_value = _inside(key, key_x), _inside(value, value_x)
        yield [(key_x, key_y), (value_x, value_y)]
        yield [(key_x, middle_key), (inside_value, middle_key), (inside_value, value_y)]
        yield [(inside_key, key_y), (inside_key, middle_value), (value_x, middle_value)]
        for share in _SHARES:
            x, y = key_x + share * (value_x - key_x), key_y + share * (value_y - key_y)
            yield [(key_x, middle_key), (x, middle_key), (x, middle_value), (value_x, middle_value)]
            yield [(inside_key, key_y), (inside_key, y), (inside_value, y), (inside_value, value_y)]


def _brackets(key: Box, value: Box, axis: int) -> Iterator[list[Point]]:
    """Lines that leave both boxes on the same side, at positions along `axis` before and after them."""
    lanes = (min(key[axis], value[axis]) - ASIDE[axis], max(key[axis + 2], value[axis + 2]) + ASIDE[axis])
    of_key, of_value = ((box[1 - axis] + box[3 - axis]) / 2 for box in (key, value))
    for side, lane in zip((axis, axis + 2), lanes, strict=True):
        points = [(key[side], of_key), (lane, of_key), (lane, of_value), (value[side], of_value)]
        yield points if axis == 0 else [(x, y) for y, x in points]


def _facing(key: Box, value: Box, axis: int) -> Point:
    """The two edges that face each other along an axis."""
    return (key[axis + 2], value[axis]) if key[axis + 2] <= value[axis] else (key[axis], value[axis + 2])


def _shared(key: Box, value: Box, axis: int) -> list[float]:
    """Positions along an axis at which both boxes are."""
    first, last = max(key[axis], value[axis]), min(key[axis + 2], value[axis + 2])
    shares = _SHARES if axis == 1 else (min(0.5, _INSET / max(1.0, last - first)), *_SHARES)
    return [first + share * (last - first) for share in shares]


def _inside(box: Box, x: float) -> float:
    """A position in a box near its vertical edge at `x`."""
    step = min(_INSET, (box[2] - box[0]) / 2)
    return x - step if x == box[2] else x + step


def _cost(points: list[Point], words: list[Box], aspect: float) -> float:
    cost = BEND * (len(points) - 2)
    for start, end in pairwise(points):
        inside = sum(_share_inside(start, end, word) for word in words)
        length = math.hypot(end[0] - start[0], aspect * (end[1] - start[1]))
        is_slanted = start[0] != end[0] and start[1] != end[1]
        cost += length * (1 + CROSSED * inside) * (SLANTED if is_slanted else 1)
    return cost


def _share_inside(start: Point, end: Point, box: Box) -> float:
    """The share of a stretch that is in a box, 0 to 1."""
    first, last = 0.0, 1.0
    for axis in (0, 1):
        step = end[axis] - start[axis]
        if step == 0:
            if not box[axis] < start[axis] < box[axis + 2]:
                return 0.0
            continue
        ends = [(box[axis] - start[axis]) / step, (box[axis + 2] - start[axis]) / step]
        first, last = max(first, min(ends)), min(last, max(ends))
    return max(0.0, last - first)


def _overlap(one: Box, other: Box, axis: int) -> float:
    return min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])

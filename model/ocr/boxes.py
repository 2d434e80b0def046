"""Boxes beside boxes: x0, y0, x1, y1, in any unit."""

from __future__ import annotations

from collections.abc import Sequence


def shared_area(first: Sequence[float], second: Sequence[float]) -> float:
    """The area that two boxes share; 0 if they do not overlap."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width * height if width > 0 and height > 0 else 0.0

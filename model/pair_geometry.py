"""Where the values of a page stand beside its keys: the distances by which geometry links them, as numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

KEY = 1
"""The label of entities that are keys (questions), in LayoutXLM's numbering: 0 is a header, 1 a key, 2 a value."""

VALUE = 2
"""The label of entities that are values (answers)."""

PAIR_FEATURES = (
    "same_line",
    "gap_right",
    "gap_left",
    "gap_below",
    "gap_above",
    "horizontal_overlap",
    "left_edges",
    "nearest_on_line",
    "nearest_above",
)
"""The features of a key and a value, all from 0 upward, in the order of `pair_features`.

same_line: the common part of the two vertical extents, of the smaller one, 0 to 1. gap_right and gap_left: from the key
to a value on its right, or on its left. gap_below and gap_above: to a value below, or above. horizontal_overlap: as
same_line, of the horizontal extents. left_edges: the distance of the two left edges. nearest_on_line: 1 if no other key
stands nearer to the left of the value on its line. nearest_above: 1 if there is no key to the left on the line, and no
other key stands nearer above the value and overlaps it. Distances are in line heights d, as log(1 + d).
"""

_SAME_LINE = 0.5
_OVERLAPPING = 0.0


def pair_features(boxes: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """The features of every key with every value of a page.

    Args:
        boxes: [entities, 4], x0 y0 x1 y1, ordered, in any unit. The line height is the median of their heights.
        labels: integers [entities]; `KEY` and `VALUE` make pairs, others none.

    Returns:
        float32 [entities, entities, len(PAIR_FEATURES)] by key and value; zeros for all other pairs.

    Raises:
        ValueError: the shapes do not match.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    kinds = np.asarray(labels, np.int64)
    if kinds.shape != corners.shape[:1]:
        raise ValueError(f"{len(corners)} boxes, but labels have the shape {list(kinds.shape)}")
    features = np.zeros((len(corners), len(corners), len(PAIR_FEATURES)), np.float32)
    keys, values = np.flatnonzero(kinds == KEY), np.flatnonzero(kinds == VALUE)
    if len(keys) and len(values):
        line_height = max(float(np.median(corners[:, 3] - corners[:, 1])), 1e-6)
        features[np.ix_(keys, values)] = _features(corners[keys], corners[values], line_height)
    return features


def _features(
    keys: npt.NDArray[np.float64], values: npt.NDArray[np.float64], line_height: float
) -> npt.NDArray[np.float64]:
    left, top, right, bottom = (edge[:, None] for edge in keys.T)
    value_left, value_top, value_right, value_bottom = values.T
    same_line = _overlap(top, bottom, value_top, value_bottom)
    overlap = _overlap(left, right, value_left, value_right)
    # Middles, because boxes of neighbours that are read by OCR overlap a little.
    is_left = (left + right < value_left + value_right) & (same_line > _SAME_LINE)
    is_above = (top + bottom < value_top + value_bottom) & (overlap > _OVERLAPPING) & ~is_left
    gap_right, gap_below = np.maximum(value_left - right, 0), np.maximum(value_top - bottom, 0)
    nearest_on_line = is_left & (gap_right == np.where(is_left, gap_right, np.inf).min(axis=0))
    nearest_above = is_above & (gap_below == np.where(is_above, gap_below, np.inf).min(axis=0)) & ~is_left.any(axis=0)
    distances = (
        gap_right,
        np.maximum(left - value_right, 0),
        gap_below,
        np.maximum(top - value_bottom, 0),
        np.abs(left - value_left),
    )
    to_right, to_left, below, above, left_edges = (np.log1p(distance / line_height) for distance in distances)
    return np.stack(
        [same_line, to_right, to_left, below, above, overlap, left_edges, nearest_on_line, nearest_above], axis=-1
    )


def _overlap(
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    other_start: npt.NDArray[np.float64],
    other_end: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    common = np.minimum(end, other_end) - np.maximum(start, other_start)
    smaller = np.minimum(end - start, other_end - other_start)
    return np.clip(common / np.maximum(smaller, 1e-6), 0, 1)

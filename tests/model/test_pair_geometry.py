from __future__ import annotations

import numpy as np
import pytest

from model.pair_geometry import PAIR_FEATURES, pair_features

KEY, VALUE, HEADER = 1, 2, 0


def features_of(boxes: list[list[int]], labels: list[int], key: int, value: int) -> dict[str, float]:
    row = pair_features(boxes, labels)[key, value]
    return dict(zip(PAIR_FEATURES, row.tolist(), strict=True))


def test_a_value_to_the_right_on_the_line() -> None:
    found = features_of([[0, 0, 40, 10], [60, 0, 90, 10]], [KEY, VALUE], 0, 1)
    assert found == pytest.approx(
        {
            "same_line": 1,
            "gap_right": np.log1p(2),  # 20 units of a line height of 10
            "gap_left": 0,
            "gap_below": 0,
            "gap_above": 0,
            "horizontal_overlap": 0,
            "left_edges": np.log1p(6),
            "nearest_on_line": 1,
            "nearest_above": 0,
        }
    )


def test_a_value_below_its_key() -> None:
    found = features_of([[10, 0, 40, 10], [20, 25, 60, 35]], [KEY, VALUE], 0, 1)
    assert found["same_line"] == found["gap_right"] == found["nearest_on_line"] == 0
    assert found["gap_below"] == pytest.approx(np.log1p(1.5))
    assert found["horizontal_overlap"] == pytest.approx(20 / 30)
    assert found["nearest_above"] == 1


def test_a_value_before_or_above_its_key_has_gaps_on_those_sides() -> None:
    before = features_of([[60, 0, 90, 10], [0, 0, 40, 10]], [KEY, VALUE], 0, 1)
    assert (before["gap_left"], before["gap_right"], before["nearest_on_line"]) == (pytest.approx(np.log1p(2)), 0, 0)
    above = features_of([[0, 30, 40, 40], [0, 0, 40, 10]], [KEY, VALUE], 0, 1)
    assert (above["gap_above"], above["gap_below"], above["nearest_above"]) == (pytest.approx(np.log1p(2)), 0, 0)


def test_only_the_nearest_key_is_marked_and_the_line_comes_before_the_column() -> None:
    boxes = [[0, 20, 20, 30], [30, 20, 50, 30], [60, 0, 90, 10], [60, 20, 90, 30], [60, 40, 90, 50]]
    labels = [KEY, KEY, KEY, VALUE, VALUE]
    marks = [PAIR_FEATURES.index(name) for name in ("nearest_on_line", "nearest_above")]
    found = pair_features(boxes, labels)[:, :, marks]
    assert found[:3, 3].tolist() == [[0, 0], [1, 0], [0, 0]]
    assert found[:3, 4].tolist() == [[0, 0], [0, 0], [0, 1]]


def test_distances_do_not_depend_on_the_unit() -> None:
    boxes = np.array([[0, 0, 40, 10], [60, 4, 90, 14], [5, 30, 60, 41]])
    np.testing.assert_allclose(
        pair_features(boxes, [KEY, VALUE, VALUE]), pair_features(boxes * 7.0, [KEY, VALUE, VALUE]), rtol=1e-6
    )


def test_pairs_that_are_no_key_and_value_are_zero() -> None:
    boxes = [[0, 0, 40, 10], [60, 0, 90, 10], [0, 30, 9, 40]]
    found = pair_features(boxes, [HEADER, VALUE, KEY])
    assert found.dtype == np.float32 and found.shape == (3, 3, len(PAIR_FEATURES))
    assert found[2, 1].any()
    found[2, 1] = 0
    assert not found.any()
    assert pair_features([], []).shape == (0, 0, len(PAIR_FEATURES))


def test_empty_boxes_give_finite_numbers() -> None:
    assert np.isfinite(pair_features([[5, 5, 5, 5], [5, 5, 5, 5]], [KEY, VALUE])).all()


def test_a_label_for_every_box_is_needed() -> None:
    with pytest.raises(ValueError, match="2 boxes"):
        pair_features([[0, 0, 1, 1], [0, 0, 1, 1]], [KEY])

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from model.score_curve import (
    ScorePoint,
    best_point,
    binomial_interval,
    point_for_precision,
    read_score_curve,
    score_curve,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (7, 10), (399, 400), (1, 1)])
def test_the_interval_is_that_of_clopper_and_pearson(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert binomial_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_is_known_without_trials() -> None:
    assert binomial_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2)])
def test_impossible_counts_are_an_error(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        binomial_interval(successes, trials)


def test_a_curve_counts_the_predictions_at_or_above_each_score() -> None:
    curve = score_curve(np.array([0.5, 0.9, 0.9, 0.2]), np.array([True, True, False, False]))
    assert curve == (ScorePoint(0.9, 2, 1), ScorePoint(0.5, 3, 2), ScorePoint(0.2, 4, 2))


def test_there_is_no_curve_without_predictions() -> None:
    assert score_curve(np.array([]), np.array([], dtype=bool)) == ()
    assert best_point(()) is None and point_for_precision((), 0.5) is None


@settings(max_examples=60, deadline=None)
@given(items=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80), points=st.integers(1, 30))
def test_a_curve_is_short_and_each_of_its_points_is_a_true_count(items: list[tuple[float, bool]], points: int) -> None:
    scores, right = np.array([score for score, _ in items]), np.array([is_right for _, is_right in items])
    curve = score_curve(scores, right, points)
    assert 1 <= len(curve) <= points
    for point in curve:
        above = scores >= point.min_score
        assert (point.predictions, point.right) == (above.sum(), (above & right).sum())
    assert read_score_curve([dataclasses.asdict(point) for point in curve]) == curve


def test_the_threshold_is_the_lowest_score_whose_precision_is_surely_enough() -> None:
    curve = (
        ScorePoint(0.99, 20, 20),
        ScorePoint(0.9, 1000, 998),
        ScorePoint(0.8, 1500, 1495),
        ScorePoint(0.5, 2000, 1700),
    )
    assert point_for_precision(curve, 0.99) == curve[2]
    assert point_for_precision(curve, 0.8) == curve[3]
    assert point_for_precision(curve, 0.999) is None
    assert best_point(curve) == curve[1]


def test_few_predictions_do_not_show_a_high_precision() -> None:
    assert point_for_precision((ScorePoint(0.9, 300, 300),), 0.99) is None
    assert point_for_precision((ScorePoint(0.9, 400, 400),), 0.99) is not None


@pytest.mark.parametrize(
    "rows",
    [
        [(0.9, 1, 1), (0.9, 2, 1)],
        [(0.5, 1, 1), (0.9, 2, 1)],
        [(1.5, 1, 1)],
        [(float("nan"), 1, 1)],
        [(0.9, 0, 0)],
        [(0.9, 2, 1), (0.5, 2, 1)],
        [(0.9, 1, 2)],
        [(0.9, 2, 2), (0.5, 3, 1)],
        [(0.9, 2, 0), (0.5, 3, 2)],
        [(0.9, 2.0, 1)],
        [(0.9, True, True)],
        [("high", 2, 1)],
    ],
)
def test_what_is_no_curve_is_an_error(rows: list[tuple[Any, Any, Any]]) -> None:
    written = [{"min_score": score, "predictions": count, "right": right} for score, count, right in rows]
    with pytest.raises((ValueError, TypeError)):
        read_score_curve(written)

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluation.metrics.calibration import (
    ScoredItems,
    calibration_figures,
    expected_calibration_error,
    reliability,
    risk_coverage,
)


def test_the_calibration_error_is_the_mean_distance_of_score_and_precision_in_bins() -> None:
    # Two bins: (0.9, 0.95) with mean .925 and half right, and 0.1 which is never right.
    scores, right = np.array([0.95, 0.94, 0.1, 0.1]), np.array([True, False, False, False])
    assert expected_calibration_error(scores, right) == pytest.approx((2 * abs(0.945 - 0.5) + 2 * 0.1) / 4)


def test_scores_that_are_probabilities_have_no_error() -> None:
    scores = np.full(10, 0.8)
    assert expected_calibration_error(scores, np.arange(10) < 8) == pytest.approx(0)


def test_a_bin_holds_its_upper_end_and_the_first_one_holds_0() -> None:
    bins = reliability(np.array([0.0, 1 / 15, 2 / 15 + 1e-9, 1.0]), np.array([False, True, True, True]))
    assert [(round(row["above"] * 15), round(row["to"] * 15), row["count"]) for row in bins] == [
        (0, 1, 2),
        (2, 3, 1),
        (14, 15, 1),
    ]
    assert bins[0]["right"] == 0.5 and bins[0]["score"] == pytest.approx(1 / 30)


def test_risk_is_the_share_of_mistakes_among_those_accepted() -> None:
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]))
    assert curve["score"] == [0.9, 0.8, 0.7, 0.6]
    assert curve["coverage"] == [0.25, 0.5, 0.75, 1.0]
    assert curve["risk"] == pytest.approx([0, 0, 1 / 3, 1 / 4], abs=1e-6)
    assert curve["area"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_predictions_with_the_same_score_are_accepted_together_in_any_order() -> None:
    scores = np.array([0.9, 0.5, 0.5])
    one, other = (risk_coverage(scores, np.array(right)) for right in ([True, True, False], [True, False, True]))
    assert one == other
    assert one["coverage"] == pytest.approx([1 / 3, 1], abs=1e-6)
    assert one["area"] == pytest.approx((0 + 0.5 / 2 + 1 / 3) / 3)


def test_a_long_curve_is_thinned_and_ends_at_full_coverage() -> None:
    random = np.random.default_rng(0)
    scores = random.random(5000)
    right = random.random(5000) < scores
    curve = risk_coverage(scores, right, rows=20)
    assert len(curve["coverage"]) == 20 and curve["coverage"][-1] == 1
    assert curve["risk"][-1] == pytest.approx(1 - right.mean(), abs=1e-6)
    assert curve["area"] < 1 - right.mean(), "scores that mean something put the mistakes last"


def test_there_are_no_figures_without_predictions() -> None:
    figures = calibration_figures(ScoredItems())
    assert figures["count"] == 0 and figures["ece"] is None and figures["risk_coverage"]["area"] is None


def test_items_are_kept_as_they_come() -> None:
    items = ScoredItems([(0.25, True)])
    items.add([(0.5, False)])
    assert (len(items), items.scores.tolist(), items.is_right.tolist()) == (2, [0.25, 0.5], [True, False])

"""Score curves: how many of the predictions at or above a score were right, on labelled pages.

A curve tells, without labelled pages at hand, which score to ask for so that what is accepted is right as often as
wanted. Precision is judged by the lower end of its confidence interval, so that a threshold on few predictions is not
trusted. The interval is that of one threshold: it is not widened for the choice among the thresholds of a curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Level of the two-sided intervals."""

CURVE_POINTS = 200
"""The most points of a curve."""

_SCORE_STEPS = 1_000_000
"""Thresholds are rounded down to the next millionth."""


@dataclass(frozen=True)
class ScorePoint:
    """The predictions at or above a score.

    Attributes:
        min_score: 0-1.
        predictions: how many have this score or a higher one; above 0.
        right: how many of them are right.
    """

    min_score: float
    predictions: int
    right: int

    @property
    def precision(self) -> float:
        """The share that is right, 0-1."""
        return self.right / self.predictions

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the precision at the level `CONFIDENCE`."""
        return binomial_interval(self.right, self.predictions)


ScoreCurve = tuple[ScorePoint, ...]
"""From the highest score down; each point holds the predictions of those before it."""


def binomial_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval of a share by Clopper and Pearson (1934), which holds at least as often as it says.

    Returns:
        Lower and upper end, 0-1; (0, 1) without trials.

    Raises:
        ValueError: not 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


def score_curve(scores: NDArray[np.float64], is_right: NDArray[np.bool_], points: int = CURVE_POINTS) -> ScoreCurve:
    """The curve of scored predictions; predictions with the same score are never divided.

    Args:
        scores: float64 [predictions], 0-1, in any order.
        is_right: bool [predictions].
        points: the most points of the curve; they are about as many predictions apart.
    """
    if not len(scores):
        return ()
    order = np.argsort(-scores, kind="stable")
    ordered, right = scores[order], np.cumsum(is_right[order])
    ranks = np.unique(np.linspace(0, len(ordered) - 1, min(points, len(ordered))).round().astype(np.int64))
    thresholds = np.unique(np.floor(ordered[ranks] * _SCORE_STEPS) / _SCORE_STEPS)[::-1]
    counts = np.searchsorted(-ordered, -thresholds, side="right")
    return tuple(
        ScorePoint(float(threshold), int(count), int(right[count - 1]))
        for threshold, count in zip(thresholds, counts, strict=True)
    )


def point_for_precision(curve: ScoreCurve, wanted: float) -> ScorePoint | None:
    """The lowest point at which the lower end of the precision's interval is at least `wanted`; None if there is none.

    Args:
        wanted: 0-1.
    """
    enough = [point for point in curve if point.interval[0] >= wanted]
    return enough[-1] if enough else None


def best_point(curve: ScoreCurve) -> ScorePoint | None:
    """The point with the highest lower end of the precision's interval; None for an empty curve."""
    return max(curve, key=lambda point: point.interval[0], default=None)


def read_score_curve(rows: Sequence[Mapping[str, Any]]) -> ScoreCurve:
    """A curve from JSON.

    Raises:
        ValueError, TypeError, KeyError: it is no curve.
    """
    curve = tuple(ScorePoint(float(row["min_score"]), _count(row["predictions"]), _count(row["right"])) for row in rows)
    above, predictions, right = np.inf, 0, 0
    for point in curve:
        new = point.predictions - predictions
        if not 0 <= point.min_score <= 1 or point.min_score >= above:
            raise ValueError("scores of a curve fall from 1 to 0")
        if new < 1 or not 0 <= point.right - right <= new:
            raise ValueError("a point of a curve holds more predictions than that before it, and no more are right")
        above, predictions, right = point.min_score, point.predictions, point.right
    return curve


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a count")
    return value

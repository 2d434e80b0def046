"""Whether scores are probabilities: expected calibration error, reliability, and the risk-coverage curve.

Expected calibration error (Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3): predictions are
divided into 15 bins of equal width by their score, and the error is the mean over all predictions of the distance
between the mean score of a bin and the share of it that is right.

Risk-coverage curve (El-Yaniv and Wiener, 2010; the area under it: Geifman et al., 2019): predictions in descending
order of their scores; coverage is the share that is accepted, risk the share of those that is wrong.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15

CURVE_ROWS = 50
"""The most points of a risk-coverage curve."""

Unit = Literal["words", "entities", "pairs"]
"""What has a score and is right or wrong."""


class ScoredItems:
    """Scores of predictions, and whether each is right; 9 bytes a prediction."""

    def __init__(self, items: Iterable[tuple[float, bool]] = ()) -> None:
        self._scores, self._right = array("d"), bytearray()
        self.add(items)

    def add(self, items: Iterable[tuple[float, bool]]) -> None:
        """Add (score, is right); scores are from 0 to 1."""
        for score, is_right in items:
            self._scores.append(score)
            self._right.append(is_right)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def scores(self) -> NDArray[np.float64]:
        """float64 [predictions]."""
        return np.array(self._scores, dtype=np.float64)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """bool [predictions]."""
        return np.frombuffer(bytes(self._right), dtype=np.uint8).astype(bool)


def expected_calibration_error(scores: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float | None:
    """The error, 0-1, of scores float64 [predictions] in 0-1; None without predictions."""
    if not len(scores):
        return None
    return sum(row["count"] * abs(row["score"] - row["right"]) for row in reliability(scores, is_right)) / len(scores)


def reliability(scores: NDArray[np.float64], is_right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The bins that have predictions, in ascending order.

    Returns:
        For each bin `above` and `to` (its ends; the upper one belongs to it, and 0 to the first bin), `count`, `score`
        (the mean) and `right` (the share).
    """
    bins = np.clip(np.ceil(scores * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    sums, rights = (np.bincount(bins, weights=values, minlength=ECE_BINS) for values in (scores, is_right))
    return [
        {
            "above": index / ECE_BINS,
            "to": (index + 1) / ECE_BINS,
            "count": int(counts[index]),
            "score": float(sums[index] / counts[index]),
            "right": float(rights[index] / counts[index]),
        }
        for index in np.flatnonzero(counts).tolist()
    ]


def risk_coverage(scores: NDArray[np.float64], is_right: NDArray[np.bool_], rows: int = CURVE_ROWS) -> dict[str, Any]:
    """The risk-coverage curve.

    Predictions with the same score are accepted together; inside of such a group the area takes its mistakes as evenly
    spread.

    Returns:
        `area` (the mean risk over all coverages; None without predictions), and the lists `score`, `coverage` and
        `risk` of at most `rows` points from the highest score down, the last at full coverage.
    """
    total = len(scores)
    if not total:
        return {"area": None, "score": [], "coverage": [], "risk": []}
    order = np.argsort(-scores, kind="stable")
    ordered, mistakes = scores[order], np.cumsum(~is_right[order])
    ends = np.append(np.flatnonzero(np.diff(ordered)), total - 1)  # the last prediction of each score
    ranks = np.arange(1, total + 1)
    spread = np.interp(ranks, np.append(0, ends + 1), np.append(0, mistakes[ends]))
    kept = ends[np.unique(np.linspace(0, len(ends) - 1, min(rows, len(ends))).round().astype(np.int64))]
    return {
        "area": float((spread / ranks).mean()),
        "score": ordered[kept].round(6).tolist(),
        "coverage": ((kept + 1) / total).round(6).tolist(),
        "risk": (mistakes[kept] / (kept + 1)).round(6).tolist(),
    }


def calibration_figures(items: ScoredItems) -> dict[str, Any]:
    """`count`, `mean_score`, `right` (the share), `ece`, `reliability` and `risk_coverage` of scored predictions."""
    scores, is_right = items.scores, items.is_right
    return {
        "count": len(items),
        "mean_score": float(scores.mean()) if len(items) else None,
        "right": float(is_right.mean()) if len(items) else None,
        "ece": expected_calibration_error(scores, is_right),
        "reliability": reliability(scores, is_right),
        "risk_coverage": risk_coverage(scores, is_right),
    }

"""Precision, recall and F1 of counts."""

from __future__ import annotations

from typing import Any


def precision_recall(right: int, predicted: int, support: int) -> dict[str, Any]:
    """`precision`, `recall` and `f1` (0-1; 0 for 0/0), with `support` and `predicted`.

    Args:
        right: predictions that are right.
        predicted: all predictions.
        support: what there was to find.
    """
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / support if support else 0.0,
        "f1": 2 * right / (predicted + support) if predicted + support else 0.0,
        "support": support,
        "predicted": predicted,
    }

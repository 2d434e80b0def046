"""Classes of pages: accuracy, macro F1, confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

NO_PREDICTION = "(no prediction)"
"""The column of the confusion matrix for failed pages."""


def score_classes(true: Sequence[str], predicted: Sequence[str | None]) -> dict[str, Any]:
    """Accuracy and F1 of page classes.

    Args:
        true: one class a page.
        predicted: one class a page; None for a failed page, which counts as wrong.

    Returns:
        `accuracy` and `macro_f1` (0-1; the latter is the unweighted mean over the classes that are true or predicted
        anywhere), `by_label` with `precision`, `recall`, `f1` and `support`, and `confusion`: counts by true class,
        then by predicted one.
    """
    confusion: dict[str, Counter[str]] = {label: Counter() for label in sorted(set(true))}
    for label, answer in zip(true, predicted, strict=True):
        confusion[label][NO_PREDICTION if answer is None else answer] += 1
    answers = Counter(predicted)
    by_label = {}
    for label in sorted({*true, *(answer for answer in predicted if answer is not None)}):
        row = confusion.get(label, Counter())
        right, support, given = row[label], row.total(), answers[label]
        by_label[label] = {
            "precision": right / given if given else 0.0,
            "recall": right / support if support else 0.0,
            "f1": 2 * right / (given + support),
            "support": support,
        }
    return {
        "accuracy": sum(row[label] for label, row in confusion.items()) / max(1, len(true)),
        "macro_f1": sum(figures["f1"] for figures in by_label.values()) / max(1, len(by_label)),
        "by_label": by_label,
        "confusion": {label: dict(sorted(row.items())) for label, row in confusion.items()},
    }

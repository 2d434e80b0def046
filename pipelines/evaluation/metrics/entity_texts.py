"""Entities end to end, from the page's picture: right if label and text agree, whatever the words are.

The words that OCR reads are not those of the annotation, so entities cannot be compared by their words. A predicted
entity is right if a true one of the page has its label and its text, without regard to case, white space and
punctuation; each counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipelines.evaluation.metrics.fields import lenient_text
from pipelines.evaluation.metrics.precision_recall import precision_recall
from pipelines.schema import Row

EntityText = tuple[str, str]
"""Label and text, as they are compared."""


def true_texts(row: Row) -> Counter[EntityText]:
    """The true entities of a page: its `keys`, each a label and a text."""
    return _counted([(pair["key"], pair["value"]) for pair in row.get("keys") or ()])


def predicted_texts(row: Row) -> Counter[EntityText]:
    """The predicted entities of a page."""
    return _counted([(entity["label"], entity["text"]) for entity in row.get("entities") or ()])


def score_entity_texts(true: Sequence[Counter[EntityText]], predicted: Sequence[Counter[EntityText]]) -> dict[str, Any]:
    """Precision, recall and F1 over all pages, and for each label `by_label`.

    Args:
        true, predicted: one Counter a page.
    """
    right = sum((mine & given for mine, given in zip(predicted, true, strict=True)), Counter[EntityText]())
    expected, found = sum(true, Counter[EntityText]()), sum(predicted, Counter[EntityText]())
    labels = sorted({label for label, _ in [*expected, *found]})
    by_label = {
        label: precision_recall(*(_total(texts, label) for texts in (right, found, expected))) for label in labels
    }
    return {**precision_recall(right.total(), found.total(), expected.total()), "by_label": by_label}


def _total(texts: Counter[EntityText], label: str) -> int:
    return sum(count for (of, _), count in texts.items() if of == label)


def _counted(pairs: Sequence[EntityText]) -> Counter[EntityText]:
    texts = Counter((label, lenient_text(text)) for label, text in pairs)
    return Counter({pair: count for pair, count in texts.items() if pair[1]})  # nothing but punctuation is no text

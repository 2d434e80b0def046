"""Entities of labelled words: precision, recall and F1 as seqeval counts them, and the verdict on each entity.

An entity is right if its kind, its first word and its last word are right (CoNLL-2000's rule; the default, "non-strict"
mode of seqeval, by which FUNSD's and CORD's published figures are computed: Xu et al. 2021, section 4.2). The kind is
the part of a label after its prefix: `QUESTION` of `B-QUESTION`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from model.decode import split_label
from pipelines.schema import Row

Labels = list[str]

Verdict = Literal["right", "label", "boundary", "missed", "spurious", "fragment"]


class Span(NamedTuple):
    """An entity by its position: kind, first word, last word (inclusive)."""

    kind: str
    first: int
    last: int


@dataclass(frozen=True)
class Match:
    """The verdict on a true entity, or on a predicted one that matches none.

    Attributes:
        verdict: "right"; "label": predicted as another kind; "boundary": the right kind, other words; "missed": none of
            its words is predicted to be in an entity; "spurious": predicted where there is no entity; "fragment": a
            further predicted entity on the words of a true one.
        true: None for "spurious" and "fragment".
        predicted: None for "missed"; for "label" and "boundary" the one that shares most words.
    """

    verdict: Verdict
    true: Span | None
    predicted: Span | None


def plain_labels(labels: Iterable[str | None]) -> Labels:
    """Labels as BIO: other prefixes (E, L, S, U) as `split_label` reads them; a word without a prediction is `O`."""
    return [_plain(label) for label in labels]


def _plain(label: str | None) -> str:
    prefix, kind = split_label(label) if label is not None else ("O", "")
    return f"{prefix}-{kind}" if kind else "O"


def page_labels(row: Row) -> tuple[Labels, Labels] | None:
    """The true and the predicted labels of a page, one a word; None if the corpus does not label its words.

    The words of a failed page, and words without a prediction, count as predicted `O`.

    Raises:
        ValueError: the page's number of true labels is not that of its words.
    """
    if row.get("true_labels") is None:
        return None
    true = plain_labels(row["true_labels"])
    predicted = plain_labels(row.get("labels") or [None] * len(true))
    if len(true) != len(predicted):
        raise ValueError(
            f"{row['uri']}, page {row['page_index'] + 1}: {len(true)} true labels for {len(predicted)} words; "
            "the corpus must have one label a word"
        )
    return true, predicted


def entity_spans(labels: Labels) -> list[Span]:
    """The entities of a sequence of BIO labels, in order, as seqeval finds them: an `I-` without a `B-` starts one."""
    from seqeval.metrics.sequence_labeling import get_entities

    return [Span(*entity) for entity in get_entities(labels)]


def score_entities(true: Sequence[Labels], predicted: Sequence[Labels]) -> dict[str, Any]:
    """Entity precision, recall and F1 through seqeval's default mode.

    Args:
        true: BIO labels of each page.
        predicted: BIO labels of each page, of the same lengths.

    Returns:
        `precision`, `recall`, `f1` (0-1, over all entities; 0 for 0/0), `support` (true
        entities) and `by_label` with the same four for each kind that is true or predicted anywhere.
    """
    if not true:
        return {**_figures((0.0, 0.0, 0.0, 0)), "by_label": {}}
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    with warnings.catch_warnings():
        # the only warnings are of one-letter kinds; a division by zero is 0 as requested
        warnings.simplefilter("ignore")
        overall = precision_recall_fscore_support(true, predicted, average="micro", zero_division=0)
        by_kind = precision_recall_fscore_support(true, predicted, average=None, zero_division=0)
    kinds = sorted({span.kind for sequence in (*true, *predicted) for span in entity_spans(sequence)})
    by_label = {kind: _figures(figures) for kind, *figures in zip(kinds, *by_kind, strict=True)}
    return {**_figures(overall), "by_label": by_label}


def _figures(figures: Sequence[Any]) -> dict[str, Any]:
    precision, recall, f1, support = figures
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


def compare_entities(true: Labels, predicted: Labels) -> list[Match]:
    """The verdict on each entity of a page: the true ones in order, then predicted ones that match none."""
    true_spans, predicted_spans = entity_spans(true), entity_spans(predicted)
    right = set(true_spans) & set(predicted_spans)
    owner: dict[int, Span] = {
        word: span for span in predicted_spans for word in range(span.first, span.last + 1) if span not in right
    }
    matches, taken = [], set(right)
    for span in true_spans:
        if span in right:
            matches.append(Match("right", span, span))
            continue
        shared = Counter(owner[word] for word in range(span.first, span.last + 1) if word in owner)
        if not shared:
            matches.append(Match("missed", span, None))
            continue
        best = max(shared, key=lambda other: (shared[other], other.kind == span.kind, -other.first))
        taken.add(best)
        matches.append(Match("boundary" if best.kind == span.kind else "label", span, best))
    true_words = {word for span in true_spans for word in range(span.first, span.last + 1)}
    for span in predicted_spans:
        if span not in taken:
            on_true = not true_words.isdisjoint(range(span.first, span.last + 1))
            matches.append(Match("fragment" if on_true else "spurious", None, span))
    return matches


def count_mistakes(matches: Iterable[Match]) -> list[dict[str, Any]]:
    """Mistakes by `verdict`, `true` and `predicted` kind (or None), each with its `count`, the most frequent first."""
    counts = Counter(
        (match.verdict, match.true and match.true.kind, match.predicted and match.predicted.kind)
        for match in matches
        if match.verdict != "right"
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return [
        {"verdict": verdict, "true": true, "predicted": predicted, "count": count}
        for (verdict, true, predicted), count in ordered
    ]

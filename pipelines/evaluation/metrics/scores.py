"""The figures of a labelled corpus: chooses the metric by data set and task, and scores whole pages and documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.evaluation.metrics.answers import answered_questions, score_answers
from pipelines.evaluation.metrics.classes import score_classes
from pipelines.evaluation.metrics.entities import (
    Labels,
    Match,
    compare_entities,
    count_mistakes,
    page_labels,
    score_entities,
)
from pipelines.evaluation.metrics.entity_texts import EntityText, predicted_texts, score_entity_texts, true_texts
from pipelines.evaluation.metrics.fields import (
    Pair,
    best_fields,
    document_values,
    lenient_text,
    normalize_kleister,
    normalize_sroie,
    score_pairs,
)
from pipelines.evaluation.metrics.scored_items import PageItems
from pipelines.schema import Row, Task

LINES_JOINED = frozenset({"company", "address"})
"""Fields of a receipt that may span several lines."""

SEVERAL_VALUES = frozenset({"party"})
"""Keys of a contract that may have more than one value."""


@dataclass(frozen=True)
class Scores:
    """The figures of one split.

    Attributes:
        main: the figure by which checkpoints are compared, 0-1, higher is better.
        main_name: its name in `values`.
        values: all figures, ready for JSON.
        calibration: of "words", "entities" and "pairs", those that were predicted: see `calibration_figures`.
    """

    main: float
    main_name: str
    values: dict[str, Any]
    calibration: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Pages:
    """Counts of the rows that have passed."""

    counts: dict[str, int] = field(
        default_factory=lambda: {
            "pages": 0,
            "failed_pages": 0,
            "pages_without_truth": 0,
            "words": 0,
        }
    )
    documents: set[str] = field(default_factory=set)

    def count(self, row: Row, *, has_truth: bool) -> None:
        self.documents.add(row["document_id"])
        self.counts["pages"] += 1
        self.counts["failed_pages"] += row["status"] != "ok"
        self.counts["pages_without_truth"] += not has_truth
        self.counts["words"] += len(row.get("words") or row.get("true_labels") or ())

    def values(self) -> dict[str, Any]:
        return {"documents": len(self.documents), **self.counts}


def score_pages(dataset: str, task: Task, rows: Iterable[Row], *, words_read: bool = False) -> Scores:
    """The figures of a labelled corpus from its page rows, which are read once and not kept.

    Failed pages and words without a prediction count as missed. Only pages without ground truth are left out; they are
    counted in `pages_without_truth`.

    Args:
        dataset: a name of `pipelines.datasets.registry`: decides what is compared ("sroie": fields of receipts,
            "kleister-nda": values of contracts, others: entities).
        task: what the model was asked.
        rows: with the columns of `page_schema(task)`, and the ground truth: `true_labels`, `true_label`, `questions`,
            `keys`.
        words_read: the words of the pages are not those of the annotations (`read_words.without_words`), so entities
            are compared by their texts.

    Raises:
        ValueError: a page's number of true labels is not that of its words.
    """
    if task == "question-answering":
        return _score_questions(rows)
    if task == "sequence-classification":
        return _score_classes(rows)
    by_words = _score_entity_texts if words_read else _score_entities
    return _TOKEN_METRICS.get(dataset, by_words)(rows)


def _score_questions(rows: Iterable[Row]) -> Scores:
    pages = _Pages()

    def counted() -> Iterable[Row]:
        for row in rows:
            pages.count(row, has_truth=bool(row.get("questions")))
            yield row

    values = score_answers(answered_questions(counted()))
    return Scores(values["anls"], "anls", {**values, **pages.values()})


def _score_classes(rows: Iterable[Row]) -> Scores:
    pages = _Pages()
    true: list[str] = []
    predicted: list[str | None] = []
    for row in rows:
        label = row.get("true_label")
        pages.count(row, has_truth=label is not None)
        if label is not None:
            true.append(label)
            predicted.append(row.get("label"))
    values = score_classes(true, predicted)
    return Scores(values["accuracy"], "accuracy", {**values, **pages.values()})


class _Entities:
    """The labels of the pages so far, for the figures of entities."""

    def __init__(self) -> None:
        self.true: list[Labels] = []
        self.predicted: list[Labels] = []
        self.matches: list[Match] = []
        self.unread_words = 0
        self.items = PageItems()
        self.pages = _Pages()

    def add(self, row: Row, *, has_keys: bool = False) -> None:
        labels = page_labels(row)
        self.pages.count(row, has_truth=labels is not None or has_keys)
        if labels is None:
            return
        self.items.add(row)
        self.true.append(labels[0])
        self.predicted.append(labels[1])
        self.matches += compare_entities(*labels)
        given = row.get("labels") or [None] * len(labels[0])
        self.unread_words += sum(label is None for label in given)

    def values(self) -> dict[str, Any]:
        return {**score_entities(self.true, self.predicted), "mistakes": count_mistakes(self.matches)}

    def counts(self) -> dict[str, Any]:
        return {**self.pages.values(), "words_without_prediction": self.unread_words}


def _score_entities(rows: Iterable[Row]) -> Scores:
    entities = _Entities()
    for row in rows:
        entities.add(row)
    values = entities.values()
    return _with_calibration(Scores(values["f1"], "f1", {**values, **entities.counts()}), entities.items)


def _score_entity_texts(rows: Iterable[Row]) -> Scores:
    pages, items = _Pages(), PageItems()
    true: list[Counter[EntityText]] = []
    predicted: list[Counter[EntityText]] = []
    for row in rows:
        pages.count(row, has_truth=row.get("keys") is not None)
        items.add(row)
        true.append(true_texts(row))
        predicted.append(predicted_texts(row))
    values = score_entity_texts(true, predicted)
    return _with_calibration(Scores(values["f1"], "f1", {**values, **pages.values()}), items)


def _score_receipts(rows: Iterable[Row]) -> Scores:
    entities = _Entities()
    keys: dict[str, tuple[Pair, ...]] = {}
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        entities.add(row, has_keys=bool(row.get("keys")))
        keys.setdefault(row["document_id"], _keys(row))
        for key, value in best_fields(row.get("entities") or (), LINES_JOINED).items():
            found.setdefault(row["document_id"], {}).setdefault(key, value)
    strict, lenient = (
        score_pairs(
            {document: [(key, text(value)) for key, value in pairs] for document, pairs in keys.items()},
            {document: [(key, text(value)) for key, value in pairs.items()] for document, pairs in found.items()},
        )
        for text in (normalize_sroie, lenient_text)
    )
    values = {**strict, "lenient": lenient, "entities": entities.values(), **entities.counts()}
    return _with_calibration(Scores(strict["f1"], "f1", values), entities.items)


def _score_contracts(rows: Iterable[Row]) -> Scores:
    from pipelines.datasets.kleister_nda import normalise_value

    entities = _Entities()
    keys: dict[str, tuple[Pair, ...]] = {}
    pages: dict[str, list[Row]] = {}
    for row in rows:
        entities.add(row, has_keys=bool(row.get("keys")))
        keys.setdefault(row["document_id"], _keys(row))
        pages.setdefault(row["document_id"], []).append({"entities": row.get("entities")})
    values = score_pairs(
        {document: [normalize_kleister(*pair) for pair in pairs] for document, pairs in keys.items()},
        {
            document: document_values(of_document, SEVERAL_VALUES, normalise_value)
            for document, of_document in pages.items()
        },
    )
    values |= {"entities": entities.values(), **entities.counts()}
    return _with_calibration(Scores(values["f1"], "f1", values), entities.items)


def _with_calibration(scores: Scores, items: PageItems) -> Scores:
    """The same scores with `ece` of words, entities and pairs, and the figures behind it."""
    figures = items.figures()
    ece = {unit: of_unit["ece"] for unit, of_unit in figures.items()}
    return replace(scores, values={**scores.values, "ece": ece}, calibration=figures)


def _keys(row: Row) -> tuple[Pair, ...]:
    return tuple((pair["key"], pair["value"]) for pair in row.get("keys") or ())


_TOKEN_METRICS: dict[str, Callable[[Iterable[Row]], Scores]] = {
    "sroie": _score_receipts,
    "kleister-nda": _score_contracts,
}

"""Which words, entities and pairs of a page are right, each with its score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from model.decode import decode_entities
from pipelines.evaluation.metrics.calibration import ScoredItems, Unit, calibration_figures
from pipelines.evaluation.metrics.entities import Span, entity_spans, page_labels, plain_labels
from pipelines.evaluation.metrics.entity_texts import true_texts
from pipelines.evaluation.metrics.fields import Pair, lenient_text
from pipelines.schema import Row

SECTION_LABEL = "HEADER"
"""A link from an entity of this kind names the section of a key."""

Item = tuple[float, bool]
"""A score, and whether what has it is right."""


class PageItems:
    """The scored words, entities and pairs of the pages so far."""

    def __init__(self) -> None:
        self.items: dict[Unit, ScoredItems] = {
            "words": ScoredItems(),
            "entities": ScoredItems(),
            "pairs": ScoredItems(),
        }

    def add(self, row: Row) -> None:
        """Add a page; what its ground truth does not tell is left out."""
        self.items["words"].add(word_items(row))
        self.items["entities"].add(entity_items(row))
        self.items["pairs"].add(pair_items(row))

    def figures(self) -> dict[str, Any]:
        """`calibration_figures` of each unit that was predicted."""
        return {unit: calibration_figures(items) for unit, items in self.items.items() if len(items)}


def word_items(row: Row) -> Iterator[Item]:
    """The words of a page: right if the label is. Words without a prediction have no score and are left out."""
    if row.get("true_labels") is None or not row.get("labels") or not row.get("scores"):
        return
    predicted, true = plain_labels(row["labels"]), plain_labels(row["true_labels"])
    for label, true_label, score in zip(predicted, true, row["scores"], strict=True):
        if score is not None:
            yield float(score), label == true_label


def entity_items(row: Row) -> Iterator[Item]:
    """The entities of a page: right if kind, first and last word are; by label and text where no words are labelled."""
    entities = [entity for entity in row.get("entities") or () if entity.get("score") is not None]
    labels = page_labels(row)
    if labels is not None:
        spans = set(entity_spans(labels[0]))
        for entity in entities:
            span = Span(entity["label"], entity["first_word"], entity["last_word"])
            yield float(entity["score"]), span in spans
    elif row.get("keys"):
        texts = [(entity["label"], lenient_text(entity["text"])) for entity in entities]
        yield from _matched([entity["score"] for entity in entities], texts, true_texts(row))


def pair_items(row: Row) -> Iterator[Item]:
    """The pairs of a page: right if a true pair has the same texts without case, white space and punctuation."""
    if row.get("true_links") is None:
        return
    pairs = [pair for pair in row.get("pairs") or () if pair["score"] is not None]
    texts = [(lenient_text(pair["key"] or ""), lenient_text(pair["value"] or "")) for pair in pairs]
    yield from _matched([pair["score"] for pair in pairs], texts, Counter(true_pairs(row)))


def true_pairs(row: Row) -> list[Pair]:
    """The texts of keys and values that are linked, as they are compared; sections are left out."""
    if row.get("true_labels") is None or row.get("words") is None:
        return []
    words = row["words"]
    entities = decode_entities(plain_labels(row["true_labels"]), [1.0] * len(words), words, [(0, 0, 0, 0)] * len(words))
    by_first = {entity.first_word: entity for entity in entities}
    linked = [(by_first.get(link["from_word"]), by_first.get(link["to_word"])) for link in row["true_links"] or ()]
    return [
        (lenient_text(key.text), lenient_text(value.text))
        for key, value in linked
        if key is not None and value is not None and key.label != SECTION_LABEL
    ]


def _matched(scores: list[float], found: list[Pair], true: Counter[Pair]) -> Iterator[Item]:
    """Each true text makes one prediction right: that with the highest score."""
    left = Counter(true)
    for score, text in sorted(zip(scores, found, strict=True), key=lambda item: -item[0]):
        is_right = left[text] > 0
        left[text] -= is_right
        yield float(score), is_right

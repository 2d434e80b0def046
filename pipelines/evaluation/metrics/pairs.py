"""Pairs of keys and values: end to end by their texts, and links over given entities, as the field scores them.

End to end a predicted pair is right if a true one has the same texts, without regard to case, white space and
punctuation; each true pair counts once. Links are scored over the true entities (the relation extraction of XFUND: Xu
et al. 2022, section 4): right if they connect the same two.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from model.decode import Entity, labelled_entities, split_label
from model.links import HEADER, link_values
from pipelines.evaluation.metrics.entities import plain_labels
from pipelines.evaluation.metrics.fields import Pair, lenient_text
from pipelines.evaluation.metrics.precision_recall import precision_recall
from pipelines.schema import Row
from pipelines.stages.merge import width_to_height


class PairCounts:
    """The pairs and links of the pages so far; pages whose annotation links nothing are left out."""

    def __init__(self) -> None:
        self._pairs: Counter[str] = Counter()
        self._links: Counter[str] = Counter()

    def add(self, row: Row) -> None:
        """Add a page; a failed one has no predictions."""
        true = true_pairs(row)
        if true is None:
            if row.get("true_links") is not None and row.get("true_labels") is not None:  # the page could not be read
                self._pairs.update(expected=_count_value_links(row))
            return
        found = Counter((lenient_text(pair["key"]), lenient_text(pair["value"])) for pair in row.get("pairs") or ())
        self._pairs.update(right=(true & found).total(), found=found.total(), expected=true.total())
        entities = true_entities(row)
        if entities and row.get("boxes"):
            linked = {
                (entities[link.key].first_word, entities[link.value].first_word)
                for link in link_values(entities, row["boxes"], width_to_height(row))
            }
            expected = set(_value_links(row, entities))
            self._links.update(right=len(linked & expected), found=len(linked), expected=len(expected))

    def values(self) -> dict[str, Any] | None:
        """Precision, recall and F1 of `pairs` and `given_entities`; None if no page has links."""
        if not self._pairs["expected"]:
            return None
        values: dict[str, Any] = {"end_to_end": _figures(self._pairs)}
        if self._links["expected"]:
            values["given_entities"] = _figures(self._links)
        return values


def true_pairs(row: Row) -> Counter[Pair] | None:
    """The texts of keys and values that are linked, as they are compared; None if the page's annotation links nothing.

    Links of headings are left out.
    """
    if row.get("true_pairs") is not None:
        return Counter((lenient_text(pair["key"]), lenient_text(pair["value"])) for pair in row["true_pairs"])
    if row.get("true_links") is None or row.get("true_labels") is None or row.get("words") is None:
        return None
    entities = true_entities(row)
    by_first = {entity.first_word: entity for entity in entities}
    return Counter(
        (lenient_text(by_first[key].text), lenient_text(by_first[value].text))
        for key, value in _value_links(row, entities)
    )


def true_entities(row: Row) -> list[Entity]:
    """The annotated entities of a page; none where its words are not labelled."""
    if row.get("true_labels") is None or row.get("words") is None:
        return []
    return labelled_entities(plain_labels(row["true_labels"]), row["words"], row.get("boxes"))


def _value_links(row: Row, entities: list[Entity]) -> list[tuple[int, int]]:
    """The links from keys to values, by their first words."""
    kinds = {entity.first_word: entity.label.upper() for entity in entities}
    links = [(link["from_word"], link["to_word"]) for link in row["true_links"] or ()]
    return [(key, value) for key, value in links if kinds.get(key, HEADER) != HEADER and value in kinds]


def _count_value_links(row: Row) -> int:
    """The number of links from keys to values on a page without words."""
    kinds = [split_label(label)[1].upper() if label else "" for label in row["true_labels"]]
    return sum(kinds[link["from_word"]] != HEADER for link in row["true_links"])


def _figures(counts: Counter[str]) -> dict[str, Any]:
    return precision_recall(counts["right"], counts["found"], counts["expected"])

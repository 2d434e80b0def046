"""Pairs end to end by their texts, and links over given entities."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import ProcessingError
from pipelines.evaluation.metrics.pairs import PairCounts, true_pairs
from pipelines.schema import Row, mark_failed

WORDS = ["Order", "Name:", "Ann", "Berg", "Date:", "May"]
BOXES = [(0, 0, 90, 10), (0, 20, 50, 30), (60, 20, 90, 30), (92, 20, 120, 30), (0, 40, 50, 50), (60, 40, 90, 50)]
LABELS = ["B-HEADER", "B-QUESTION", "B-ANSWER", "I-ANSWER", "B-QUESTION", "B-ANSWER"]
LINKS = [(0, 1), (1, 2), (4, 5)]


def page(*pairs: tuple[str, str], **columns: Any) -> Row:
    return {
        "words": WORDS,
        "boxes": BOXES,
        "width": 100,
        "height": 100,
        "pairs": [{"key": key, "value": value} for key, value in pairs],
        "true_labels": LABELS,
        "true_links": [{"from_word": source, "to_word": target} for source, target in LINKS],
        **columns,
    }


def values(*rows: Row) -> dict[str, Any]:
    counts = PairCounts()
    for row in rows:
        counts.add(row)
    found = counts.values()
    assert found is not None
    return found


def test_true_pairs_are_linked_keys_and_values_without_the_sections() -> None:
    assert true_pairs(page()) == {("name", "annberg"): 1, ("date", "may"): 1}


def test_a_pair_is_right_if_both_texts_agree_without_case_and_punctuation() -> None:
    figures = values(page(("name", "ANN BERG"), ("Date:", "June")))["end_to_end"]
    assert figures == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2, "predicted": 2}


def test_each_true_pair_counts_once() -> None:
    figures = values(page(("Name:", "Ann Berg"), ("Name:", "Ann Berg")))["end_to_end"]
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)


def test_links_are_scored_over_the_true_entities_whatever_was_predicted() -> None:
    figures = values(page())["given_entities"]
    assert (figures["precision"], figures["recall"], figures["support"]) == (1.0, 1.0, 2)


def test_a_failed_page_has_missed_all_its_pairs() -> None:
    failed = mark_failed(page(("Name:", "Ann Berg")), ProcessingError("timeout", "too slow"))
    assert values(failed) == {"end_to_end": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2, "predicted": 0}}


def test_a_page_whose_words_were_read_is_compared_by_the_texts_of_its_true_pairs() -> None:
    read = page(
        ("Name", "Ann Berg"), true_labels=None, true_links=None, true_pairs=[{"key": "Name:", "value": "Ann Berg"}]
    )
    assert values(read)["end_to_end"]["f1"] == 1.0


@pytest.mark.parametrize("missing", [{"true_links": None}, {"true_labels": None}])
def test_pages_without_links_are_left_out(missing: Row) -> None:
    counts = PairCounts()
    counts.add(page(("Name", "Ann Berg"), **missing))
    assert counts.values() is None

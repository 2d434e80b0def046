from __future__ import annotations

from typing import Any

import pytest

from pipelines.evaluation.metrics.scored_items import PageItems, entity_items, pair_items, true_pairs, word_items
from pipelines.evaluation.metrics.scores import score_pages
from pipelines.schema import Row

WORDS = ["Order", "Name:", "Ann", "Berg", "Date:", "May"]
TRUE = ["B-HEADER", "B-QUESTION", "B-ANSWER", "I-ANSWER", "B-QUESTION", "B-ANSWER"]
LINKS = [(0, 1), (1, 2), (4, 5)]


def entity(label: str, first: int, last: int, score: float) -> Row:
    text = " ".join(WORDS[first : last + 1])
    return {"label": label, "text": text, "first_word": first, "last_word": last, "score": score}


def pair(key: str, value: str, score: float) -> Row:
    return {"key": key, "value": value, "score": score}


def page(**columns: Any) -> Row:
    return {
        "document_id": "d",
        "uri": "/d.png",
        "page_index": 0,
        "status": "ok",
        "words": WORDS,
        "labels": ["B-HEADER", "B-QUESTION", "B-ANSWER", "B-ANSWER", None, "O"],
        "scores": [0.9, 0.8, 0.7, 0.6, None, 0.5],
        "entities": [
            entity("HEADER", 0, 0, 0.9),
            entity("QUESTION", 1, 1, 0.8),
            entity("ANSWER", 2, 2, 0.7),
            entity("ANSWER", 3, 3, 0.6),
        ],
        "pairs": [pair("name", "Ann  Berg", 0.5), pair("Date:", "June", 0.3)],
        "true_labels": TRUE,
        "true_links": [{"from_word": source, "to_word": target} for source, target in LINKS],
        "keys": None,
        **columns,
    }


def test_a_word_is_right_if_its_label_is() -> None:
    assert list(word_items(page())) == [(0.9, True), (0.8, True), (0.7, True), (0.6, False), (0.5, False)]


def test_an_entity_is_right_if_its_kind_and_both_its_ends_are() -> None:
    assert list(entity_items(page())) == [(0.9, True), (0.8, True), (0.7, False), (0.6, False)]


def test_an_entity_on_words_that_were_read_is_right_if_label_and_text_are() -> None:
    read = page(true_labels=None, keys=[{"key": "HEADER", "value": "ORDER"}, {"key": "QUESTION", "value": "Nam"}])
    assert sorted(entity_items(read)) == [(0.6, False), (0.7, False), (0.8, False), (0.9, True)]


def test_true_pairs_are_linked_keys_and_values_without_the_sections() -> None:
    assert true_pairs(page()) == [("name", "annberg"), ("date", "may")]


def test_a_pair_is_right_if_both_texts_agree() -> None:
    assert list(pair_items(page())) == [(0.5, True), (0.3, False)]


def test_a_true_pair_makes_only_one_prediction_right_that_with_the_highest_score() -> None:
    twice = page(pairs=[pair("Name", "Ann Berg", 0.2), pair("Name:", "ann berg", 0.6)])
    assert list(pair_items(twice)) == [(0.6, True), (0.2, False)]


@pytest.mark.parametrize("missing", [{"true_links": None}, {"pairs": None}, {"pairs": []}])
def test_pages_without_links_or_without_pairs_have_no_scored_pairs(missing: Row) -> None:
    assert list(pair_items(page(**missing))) == []


def test_a_failed_page_has_no_scores() -> None:
    items = PageItems()
    items.add(page(status="failed", words=None, labels=None, scores=None, entities=None, pairs=None))
    assert items.figures() == {}


def test_the_scores_of_a_corpus_hold_the_calibration_of_words_entities_and_pairs() -> None:
    scores = score_pages("funsd", "token-classification", [page(), page(document_id="e")])
    assert {unit: figures["count"] for unit, figures in scores.calibration.items()} == {
        "words": 10,
        "entities": 8,
        "pairs": 4,
    }
    assert scores.values["ece"] == {unit: figures["ece"] for unit, figures in scores.calibration.items()}
    assert scores.values["ece"]["pairs"] == pytest.approx((0.5 + 0.3) / 2)

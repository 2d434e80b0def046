from __future__ import annotations

from typing import Any

import pytest

from pipelines.evaluation.metrics.entity_texts import predicted_texts, score_entity_texts, true_texts
from pipelines.evaluation.metrics.scores import score_pages


def page(true: list[tuple[str, str]], predicted: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "document_id": "a",
        "status": "ok",
        "words": ["x"],
        "keys": [{"key": label, "value": text} for label, text in true],
        "entities": [{"label": label, "text": text} for label, text in predicted],
    }


def test_label_and_text_have_to_agree() -> None:
    row = page([("QUESTION", "Date:"), ("ANSWER", "12 May")], [("QUESTION", "Date:"), ("QUESTION", "12 May")])
    values = score_entity_texts([true_texts(row)], [predicted_texts(row)])
    assert (values["precision"], values["recall"], values["f1"]) == (0.5, 0.5, 0.5)
    assert values["by_label"]["ANSWER"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1, "predicted": 0}


def test_case_space_and_punctuation_do_not_count() -> None:
    assert true_texts(page([("ANSWER", "Form no. 12-B")], [])) == predicted_texts(page([], [("ANSWER", "FORM NO 12B")]))


def test_each_true_entity_is_found_once() -> None:
    row = page([("ANSWER", "yes")], [("ANSWER", "yes"), ("ANSWER", "yes")])
    assert score_entity_texts([true_texts(row)], [predicted_texts(row)])["precision"] == 0.5


def test_an_entity_of_another_page_does_not_count() -> None:
    first, second = page([("ANSWER", "yes")], []), page([], [("ANSWER", "yes")])
    values = score_entity_texts(*([side(row) for row in (first, second)] for side in (true_texts, predicted_texts)))
    assert values["f1"] == 0


def test_punctuation_alone_is_no_entity() -> None:
    assert true_texts(page([("ANSWER", "---")], [])).total() == 0


def test_pages_whose_words_were_read_are_scored_by_texts() -> None:
    rows = [page([("ANSWER", "yes")], [("ANSWER", "Yes.")]), page([("ANSWER", "no")], [])]
    scores = score_pages("funsd", "token-classification", rows, words_read=True)
    assert scores.main == pytest.approx(2 / 3)
    assert scores.values["pages"] == 2 and scores.values["pages_without_truth"] == 0

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from model.decoding import Decoding
from pipelines.schema import Row, page_schema
from pipelines.stages.merge import Merge, MergeOptions

LABELS = ("O", "B-ANSWER", "I-ANSWER")
IDENTITY = {"document_id": "d", "uri": "/d.pdf", "page_index": 0, "page_count": 1, "model": "m@1"}


def page(word_indices: list[int], logits: list[list[float]], words: list[str], question_index: int = -1) -> Row:
    window = {
        "question_index": question_index,
        "first_token": 0,
        "input_ids": [0] * len(word_indices),
        "word_indices": word_indices,
    }
    return {
        **IDENTITY,
        "status": "ok",
        "words": words,
        "boxes": [[index * 10, 0, index * 10 + 9, 9] for index in range(len(words))],
        "windows": [window],
        "window_logits": [np.array(logits, dtype=np.float32).reshape(-1)],
    }


def merge(row: Row, options: MergeOptions) -> Row:
    (result,) = Merge(options)([row])
    schema = page_schema(options.task)
    return pa.Table.from_pylist([result], schema=schema).to_pylist()[0]


def test_words_get_labels_scores_and_entities() -> None:
    row = page(
        [-1, 0, 1, 1, 2, -1], [[9, 0, 0], [5, 0, 0], [0, 5, 0], [9, 0, 0], [0, 0, 5], [0, 0, 0]], ["a", "bb", "c"]
    )
    result = merge(row, MergeOptions("token-classification", LABELS))
    assert result["labels"] == ["O", "B-ANSWER", "I-ANSWER"]
    assert result["scores"] == pytest.approx([np.exp(5) / (np.exp(5) + 2)] * 3)
    (entity,) = result["entities"]
    assert (entity["label"], entity["text"], entity["box"], entity["first_word"], entity["last_word"]) == (
        "ANSWER",
        "bb c",
        [10, 0, 29, 9],
        1,
        2,
    )


def test_logits_are_divided_by_the_temperatures_of_their_labels() -> None:
    row = page([0, 1], [[4, 0, 0], [0, 3, 2]], ["a", "b"])
    decoding = Decoding(temperatures={"O": 2.0, "I-ANSWER": 0.5})
    result = merge(row, MergeOptions("token-classification", LABELS, decoding=decoding))
    assert result["labels"] == ["O", "I-ANSWER"]
    total = 1 + np.exp(3) + np.exp(4)
    assert result["scores"] == pytest.approx([np.exp(2) / (np.exp(2) + 2), np.exp(4) / total])


def test_a_page_without_words_has_empty_lists() -> None:
    row = {**page([], [], []), "windows": [], "window_logits": []}
    result = merge(row, MergeOptions("token-classification", LABELS))
    assert (result["labels"], result["scores"], result["entities"], result["status"]) == ([], [], [], "ok")


def test_the_class_of_a_page_comes_from_the_mean_logits_of_its_windows() -> None:
    row = {**page([0], [[0]], ["a"]), "window_logits": [[2.0, 0.0], [0.0, 1.0]]}
    result = merge(row, MergeOptions("sequence-classification", ("form", "letter")))
    assert result["label"] == "form"
    assert dict(result["label_scores"]) == pytest.approx(
        {"form": 1 / (1 + np.exp(-0.5)), "letter": 1 / (1 + np.exp(0.5))}
    )
    assert result["score"] == pytest.approx(dict(result["label_scores"])["form"])


def test_scores_of_a_multi_label_classifier_are_independent() -> None:
    row = {**page([0], [[0]], ["a"]), "window_logits": [[2.0, 1.0]]}
    result = merge(row, MergeOptions("sequence-classification", ("form", "letter"), several_labels=True))
    assert dict(result["label_scores"]) == pytest.approx({"form": 1 / (1 + np.exp(-2)), "letter": 1 / (1 + np.exp(-1))})


def test_a_page_with_nan_logits_fails() -> None:
    row = page([0], [[np.nan, 0, 0]], ["a"])
    result = merge(row, MergeOptions("token-classification", LABELS))
    assert (result["status"], result["error_kind"]) == ("failed", "internal") and "NaN" in result["error"]


def test_answers_are_in_the_order_of_the_questions_even_if_a_question_has_no_window() -> None:
    row = page(
        [-1, -1, -1, 0, 1, -1], [[0, 0], [0, 0], [0, 0], [5, 5], [1, 1], [0, 0]], ["Anna", "Berg"], question_index=1
    )
    result = merge(row, MergeOptions("question-answering", questions=("What?", "Who?")))
    assert [(a["question"], a["text"], a["first_word"]) for a in result["answers"]] == [
        ("What?", None, -1),
        ("Who?", "Anna", 0),
    ]
    assert result["answers"][0]["score"] == 0.0 and result["answers"][1]["boxes"] == [[0, 0, 9, 9]]


def test_failed_pages_keep_their_error_and_nothing_else() -> None:
    row = {
        **IDENTITY,
        "status": "failed",
        "error_kind": "timeout",
        "error": "slow",
        "windows": None,
        "window_logits": None,
    }
    result = merge(row, MergeOptions("token-classification", LABELS))
    assert (result["status"], result["error_kind"], result["error"]) == ("failed", "timeout", "slow")
    assert result["words"] is None and result["labels"] is None and result["entities"] is None


def test_a_page_whose_language_is_not_installed_needs_review_and_the_log_says_what_to_install(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = {**page([0], [[4, 0, 0]], ["Strasse"]), "read_quality": 0.9}
    options = MergeOptions("token-classification", LABELS)
    stage = Merge(options)
    assert [page["needs_review"] for page in stage([{**row, "missing_language": "deu"}] * 2)] == [True, True]
    assert caplog.text.count("apt-get install tesseract-ocr-deu") == 1
    assert merge({**row, "missing_language": None}, options)["needs_review"] is False


def test_words_of_scripts_without_spaces_are_joined_without_them() -> None:
    row = page([0, 1], [[0, 3, 0], [0, 0, 3]], ["山田", "太郎"])
    assert merge(row, MergeOptions("token-classification", LABELS))["entities"][0]["text"] == "山田太郎"

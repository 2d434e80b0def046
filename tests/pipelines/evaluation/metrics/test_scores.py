from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from pipelines.evaluation.metrics.scores import score_pages
from pipelines.schema import Row


def row(document: str = "d", page_index: int = 0, **columns: Any) -> Row:
    return {
        "document_id": document,
        "uri": f"/{document}.png",
        "page_index": page_index,
        "page_count": 1,
        "status": "ok",
        "words": None,
        "labels": None,
        "entities": None,
        "true_labels": None,
        "true_label": None,
        "questions": None,
        "keys": None,
        **columns,
    }


def failed(document: str = "d", **columns: Any) -> Row:
    return row(document, status="failed", **columns)


def entity(label: str, text: str, score: float = 0.9, first_word: int = 0) -> Row:
    last_word = first_word + len(text.split()) - 1
    return {"label": label, "text": text, "score": score, "first_word": first_word, "last_word": last_word}


def keys(**values: str) -> list[Row]:
    return [{"key": key, "value": value} for key, value in values.items()]


def test_forms_are_compared_by_their_entities_and_nothing_is_left_out_silently() -> None:
    rows = [
        row("a", words=["Name", "Ann"], labels=["B-QUESTION", "B-ANSWER"], true_labels=["B-QUESTION", "B-ANSWER"]),
        row("b", words=["Date", "?"], labels=["B-QUESTION", None], true_labels=["B-QUESTION", "B-ANSWER"]),
        failed("c", true_labels=["B-HEADER", "I-HEADER", "O"]),
        row("d", words=["x"], labels=["B-ANSWER"]),
    ]
    scores = score_pages("funsd", "token-classification", iter(rows))
    assert (scores.main_name, scores.main) == ("f1", pytest.approx(2 * 3 / (3 + 5)))
    values = scores.values
    assert (values["precision"], values["recall"], values["support"]) == (1, 3 / 5, 5)
    assert values["by_label"]["HEADER"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert {name: values[name] for name in ("pages", "documents", "failed_pages", "pages_without_truth", "words")} == {
        "pages": 4,
        "documents": 4,
        "failed_pages": 1,
        "pages_without_truth": 1,
        "words": 8,
    }
    assert values["words_without_prediction"] == 1 + 3
    assert {"verdict": "missed", "true": "HEADER", "predicted": None, "count": 1} in values["mistakes"]


def test_receipts_are_compared_by_whole_fields() -> None:
    rows = [
        row(
            "a",
            entities=[entity("COMPANY", "ABC SDN"), entity("COMPANY", "BHD", 0.5, 2), entity("TOTAL", "9.00", 0.8, 9)],
            keys=keys(company="ABC SDN BHD", total="9.00", date="1/2/2020"),
        ),
        row("b", entities=[entity("COMPANY", "Xyz.")], keys=keys(company="XYZ")),
        failed("c", keys=keys(total="1.00")),
    ]
    scores = score_pages("sroie", "token-classification", rows)
    assert (scores.values["right"], scores.values["predicted"], scores.values["support"]) == (2, 3, 5)
    assert scores.main == scores.values["f1"] == pytest.approx(2 * 2 / (3 + 5))
    assert scores.values["by_key"]["company"]["accuracy"] == 1 / 2
    assert scores.values["lenient"]["right"] == 3
    assert scores.values["pages_without_truth"] == 0


def test_contracts_are_compared_by_the_values_of_the_whole_document() -> None:
    truth = [*keys(jurisdiction="New_York"), {"key": "party", "value": "Acme Inc."}, {"key": "party", "value": "Bolt"}]
    rows = [
        row("a", 0, entities=[entity("PARTY", "ACME INC."), entity("JURISDICTION", "Ohio", 0.4)], keys=truth),
        row("a", 1, entities=[entity("JURISDICTION", "New York", 0.9)], keys=truth),
        failed("b", keys=keys(jurisdiction="Utah")),
    ]
    values = score_pages("kleister-nda", "token-classification", rows).values
    assert (values["right"], values["predicted"], values["support"]) == (2, 2, 4)
    assert values["f1"] == pytest.approx(2 * 2 / (2 + 4))
    assert (values["documents"], values["pages"]) == (2, 3)


def test_questions_are_scored_by_document() -> None:
    question = {"text": "Who?", "answers": ["Ann"], "first_word": -1, "last_word": -1}
    rows = [
        row("a", 0, questions=[question], answers=[{"text": "Bob", "score": 0.6}], words=["Bob"]),
        row("a", 1, questions=[question], answers=[{"text": "Ann", "score": 0.8}], words=["Ann"]),
        failed("b", questions=[question]),
    ]
    scores = score_pages("docvqa", "question-answering", rows)
    assert (scores.main_name, scores.main, scores.values["questions"]) == ("anls", 0.5, 2)
    assert (scores.values["pages"], scores.values["failed_pages"]) == (3, 1)


def test_classes_are_scored_by_page() -> None:
    rows = [row("a", true_label="form", label="form"), failed("b", true_label="memo"), row("c", label="form")]
    scores = score_pages("rvl-cdip", "sequence-classification", rows)
    assert (scores.main_name, scores.main, scores.values["pages_without_truth"]) == ("accuracy", 0.5, 1)


@pytest.mark.parametrize("task", ["token-classification", "sequence-classification", "question-answering"])
@pytest.mark.parametrize("dataset", ["funsd", "sroie", "kleister-nda"])
def test_without_pages_every_metric_is_zero_and_plain_json(dataset: str, task: Any) -> None:
    scores = score_pages(dataset, task, [])
    assert scores.main == 0 and scores.values["pages"] == 0
    assert json.loads(json.dumps(scores.values, allow_nan=False)) == scores.values


def test_training_can_score_without_loading_ray_or_pytorch() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pipelines.evaluation.metrics.scores; print(sorted({'ray', 'torch'} & sys.modules.keys()))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"

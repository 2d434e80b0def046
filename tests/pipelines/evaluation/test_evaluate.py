from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest
import torch
from seqeval.metrics import f1_score

from model import LayoutLMv2ForTokenClassification
from model.untrained import FORM_LABELS, untrained_config
from pipelines.datasets.types import Corpus, LabelledPage, Question
from pipelines.evaluation.corpus import EmptyCorpusError, MissingPagesError, check_labels, check_scores
from pipelines.evaluation.evaluate import WorstPages, evaluate, prediction_schema
from pipelines.evaluation.metrics.scores import score_pages
from pipelines.evaluation.options import EvaluateOptions
from tests.drawn_form import Block, labelled_words, write_form

FORM: list[Block] = [
    ("header", ["ORDER", "FORM"]),
    ("question", ["Name:"]),
    ("answer", ["Ann"]),
    ("question", ["Date", "of", "order:"]),
    ("answer", ["12", "May"]),
    ("other", ["page", "1"]),
]
LONG_FORM: list[Block] = [("answer", [f"item{number}"]) for number in range(700)]


@pytest.fixture(scope="module")
def always_answer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint that reads every word as an answer of its own."""
    return save_model(tmp_path_factory.mktemp("model"), FORM_LABELS, "B-ANSWER")


def save_model(folder: Path, labels: tuple[str, ...], always: str) -> str:
    config = untrained_config("token-classification")
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    model = LayoutLMv2ForTokenClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([4.0 * (label == always) for label in labels]))
    model.save_pretrained(str(folder))
    return str(folder)


def form_page(folder: Path, name: str, blocks: list[Block], **columns: Any) -> LabelledPage:
    words, boxes, labels = labelled_words(blocks)
    uri = str(write_form(folder, name, blocks))
    return LabelledPage(name, uri, "image/png", words=words, boxes=boxes, labels=labels, **columns)


def options(model: str, **changes: Any) -> EvaluateOptions:
    return EvaluateOptions(dataset="funsd", data="/forms", split="test", model=model, **changes)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    pages = [form_page(tmp_path, f"form-{number:02d}", FORM) for number in range(20)]
    pages.append(form_page(tmp_path, "long", LONG_FORM))
    pages.append(dataclasses.replace(pages[0], document_id="gone", uri=str(tmp_path / "gone.png")))
    return Corpus(tuple(pages), FORM_LABELS)


@pytest.mark.xdist_group("ray")
def test_a_corpus_is_scored_whole_from_image_to_figure(
    ray_cluster: None, corpus: Corpus, always_answer: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    (output / "predictions").mkdir(parents=True)
    (output / "predictions" / "part-000099.parquet").write_bytes(b"of an earlier evaluation")
    record = evaluate(options(always_answer, output=str(output), predictions=True, report_pages=3), corpus)
    # On each of the 20 forms one answer is a single word, and right; the failed page's four other entities and both
    # answers are missed. The 700 answers of the long page, in three windows, are all right.
    assert record["support"] == 21 * 5 + 700
    assert record["recall"] == pytest.approx(720 / (21 * 5 + 700))
    assert record["precision"] == pytest.approx(720 / (20 * 11 + 700))
    assert record["by_label"]["ANSWER"]["recall"] == pytest.approx(720 / (21 * 2 + 700))
    assert record["by_label"]["HEADER"] == {"precision": 0, "recall": 0, "f1": 0, "support": 21}
    assert (record["pages"], record["failed_pages"], record["words"]) == (22, 1, 21 * 11 + 700)
    assert record["words_without_prediction"] == 11
    assert (record["metric"], record["split"], record["problems"]) == ("f1", "test", 0)
    assert json.loads((output / "metrics.json").read_text()) == record

    table = pa.dataset.dataset(str(output / "predictions"), format="parquet").to_table()
    assert table.schema.equals(prediction_schema("token-classification"))
    rows = table.to_pylist()
    assert [row["document_id"] for row in rows] == [page.document_id for page in corpus.pages]
    assert rows[-1]["status"] == "failed" and "gone.png" in rows[-1]["error"]
    assert rows[-2]["labels"] == ["B-ANSWER"] * 700 and len(rows[-2]["entities"]) == 700
    true = [row["true_labels"] for row in rows]
    predicted = [row["labels"] or ["O"] * len(row["true_labels"]) for row in rows]
    assert record["f1"] == pytest.approx(f1_score(true, predicted))

    html = (output / "report.html").read_text()
    assert html.count("<figure>") == len(list((output / "pictures").iterdir())) == 3
    assert "gone.png" in html and "data:image/jpeg;base64," in html


@pytest.mark.xdist_group("ray")
def test_questions_that_pages_bring_along_are_asked_and_scored(
    ray_cluster: None, corpus: Corpus, tmp_path: Path
) -> None:
    questions = (Question("Name:", ("Ann",), 3, 3), Question("Price?", ()))
    pages = [dataclasses.replace(page, questions=questions) for page in (corpus.pages[0], corpus.pages[-1])]
    record = evaluate(options("untrained", task="question-answering"), Corpus(tuple(pages), ()))
    assert (record["metric"], record["questions"], record["unanswerable"]) == ("anls", 4, 2)
    assert (record["pages"], record["failed_pages"]) == (2, 1)
    assert 0 <= record["exact_match"] <= record["anls"] <= 2 / 4, "a page that cannot be read earns nothing"


def test_a_model_with_other_labels_is_refused_and_both_sides_are_named(tmp_path: Path) -> None:
    model = save_model(tmp_path, ("O", "B-TOTAL", "B-QUESTION"), "O")
    with pytest.raises(ValueError, match="cannot give 2 of the 3 labels") as caught:
        check_labels(options(model), FORM_LABELS)
    assert "HEADER, ANSWER" in str(caught.value)
    assert "O, B-TOTAL, B-QUESTION" in str(caught.value) and "I-HEADER" in str(caught.value)


def test_the_order_of_labels_and_further_ones_do_not_matter(tmp_path: Path) -> None:
    model = save_model(tmp_path, ("I-ANSWER", "HEADER", "B-QUESTION", "B-TOTAL", "O"), "O")
    check_labels(options(model), FORM_LABELS)


def test_classes_are_compared_by_their_whole_names() -> None:
    asked = options("untrained", task="sequence-classification")
    check_labels(asked, ("form", "letter"))
    with pytest.raises(ValueError, match="memo"):
        check_labels(asked, ("form", "memo"))


@pytest.mark.parametrize(
    ("rows", "promised", "error"),
    [
        pytest.param([{"true_labels": None}], 1, EmptyCorpusError, id="no truth"),
        pytest.param([{"true_labels": ["O"], "labels": ["O"]}], 2, MissingPagesError, id="a page lost"),
    ],
)
def test_figures_of_nothing_or_not_of_all_pages_are_refused(
    rows: list[dict[str, Any]], promised: int, error: type[Exception]
) -> None:
    identity = {"document_id": "d", "uri": "/d.png", "page_index": 0, "status": "ok"}
    scores = score_pages("funsd", "token-classification", [{**identity, **row} for row in rows])
    with pytest.raises(error):
        check_scores(options("untrained"), scores, promised)


def test_only_the_worst_pages_are_kept_while_all_pass() -> None:
    rows = [
        {
            "status": "failed" if number % 10 == 9 else "ok",
            "uri": str(number),
            "page_index": 0,
            "true_labels": ["B-X"] * 30,
            "labels": ["B-X"] * (number % 30) + ["O"] * (30 - number % 30),
        }
        for number in range(100)
    ]
    worst = WorstPages(3, "token-classification")
    assert list(worst.observe(rows)) == rows
    assert [row["uri"] for row in worst.rows] == ["0", "30", "60"]
    assert [row["uri"] for row in worst.failed] == ["9", "19", "29"]

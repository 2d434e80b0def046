"""Labelled pages go through the stages of the batch job, with what is true of them beside."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.preprocess import EXAMPLE, PreprocessOptions, example_steps
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import LABELLED_PAGE, LabelledPage, Question, labelled_row
from pipelines.schema import MODEL_IMAGE_SHAPE, Row, Task
from pipelines.stages.base import rows_to_table
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.ray_data import StageRunner
from pipelines.storage.files import Storage
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.pipelines.datasets.drawn_corpus import HEIGHT, WIDTH, draw_corpus


def examples_of(pages: list[LabelledPage], task: Task = "token-classification", **options: Any) -> list[Row]:
    steps = example_steps(PreprocessOptions("funsd", task, "untrained", **options))
    table = rows_to_table([labelled_row(page) for page in pages], LABELLED_PAGE)
    result = StageRunner(steps, EXAMPLE)(table)
    assert result.schema.equals(EXAMPLE)
    return result.to_pylist()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPage]:
    data = draw_corpus(tmp_path_factory.mktemp("corpus"), forms=2)
    return list(read_corpus("funsd", str(data), "train+dev", "token-classification").pages)


def test_given_words_are_kept_with_their_labels_and_the_page_is_seen(drawn: list[LabelledPage]) -> None:
    for page, row in zip(drawn, examples_of(drawn), strict=True):
        assert row["status"] == "ok" and row["text_source"] == "given"
        assert (row["width"], row["height"]) == (WIDTH, HEIGHT)
        assert row["words"] == list(page.words or ()) and row["true_labels"] == list(page.labels or ())
        assert [tuple(box) for box in row["boxes"]] == list(page.boxes or ())
        (window,) = row["windows"]
        assert sorted(set(window["word_indices"])) == [-1, *range(len(row["words"]))]
        picture = np.frombuffer(row["model_image"], np.uint8).reshape(MODEL_IMAGE_SHAPE)
        with Image.open(page.uri) as image:
            resized = np.asarray(image.convert("L").resize((224, 224)))
        assert np.corrcoef(picture.mean(axis=0).ravel(), resized.ravel())[0, 1] > 0.9


def test_a_page_without_given_words_is_read_as_the_batch_job_reads_it(tmp_path: Path) -> None:
    lines = [
        show(text, 20, 250 - 30 * row, 12) for row, text in enumerate(["Effective date 3 May", "Party of the first"])
    ]
    path = tmp_path / "contract.pdf"
    path.write_bytes(draw_pdf(DrawnPage(content="".join(lines)), DrawnPage(content=lines[0])))
    page = LabelledPage("contract", str(path), "application/pdf", 0, 2, keys=(("party", "first"),))
    first, second = examples_of([page, replace(page, page_index=1)], rasterize=RasterizeOptions(text="layer"))
    assert first["words"] == ["Effective", "date", "3", "May", "Party", "of", "the", "first"]
    assert second["words"] == ["Effective", "date", "3", "May"]
    assert first["text_source"] == "layer" and first["keys"] == [{"key": "party", "value": "first"}]


def test_given_and_unread_pages_keep_their_order(drawn: list[LabelledPage], tmp_path: Path) -> None:
    path = tmp_path / "one.pdf"
    path.write_bytes(draw_pdf(DrawnPage(content=show("Unread page", 20, 200))))
    unread = LabelledPage("unread", str(path), "application/pdf")
    rows = examples_of([drawn[0], unread, drawn[1]], rasterize=RasterizeOptions(text="layer"))
    assert [row["document_id"] for row in rows] == [drawn[0].document_id, "unread", drawn[1].document_id]
    assert [row["text_source"] for row in rows] == ["given", "layer", "given"]


def test_each_question_of_a_page_has_its_windows(drawn: list[LabelledPage]) -> None:
    questions = (Question("What is it?", ("Order form",), 0, 1), Question("Who signed?", ()))
    (row,) = examples_of([replace(drawn[0], questions=questions)], "question-answering")
    assert [window["question_index"] for window in row["windows"]] == [0, 1]
    assert [question["text"] for question in row["questions"]] == ["What is it?", "Who signed?"]


@pytest.mark.parametrize(("name", "kind"), [("missing.png", "not_found"), ("broken.png", "unreadable")])
def test_a_picture_that_cannot_be_read_fails_its_page_alone(
    drawn: list[LabelledPage], tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing of the kind")
    bad = replace(drawn[0], uri=str(tmp_path / name), document_id="bad")
    failed, fine = examples_of([bad, drawn[1]])
    assert (failed["status"], failed["error_kind"]) == ("failed", kind)
    assert failed["error"] and failed["uri"].endswith(name)
    assert failed["words"] is None and failed["windows"] is None
    assert fine["status"] == "ok"


def test_a_picture_within_a_parquet_file_is_read_where_no_words_are_given(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("L", (300, 400), 255).save(content, format="PNG")
    uri = str(tmp_path / "pages.parquet")
    page = LabelledPage("drawn", "drawn", "image/png", page_index=3, page_count=9, label="blank")
    write_labelled_pages(Storage(), uri, [(page, content.getvalue(), "train")])
    (row,) = examples_of([replace(page, uri=f"{uri}#0")], "sequence-classification")
    assert (row["status"], row["page_index"], row["text_source"]) == ("ok", 3, "none")
    assert (row["width"], row["height"], row["words"]) == (300, 400, [])

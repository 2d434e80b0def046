"""What a run writes for the other tasks: classes of pages, answers of pages and of whole documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.stages.rasterize import RasterizeOptions
from tests.pipelines.batch.output_rows import rows_of

pytestmark = pytest.mark.usefixtures("execution")

LAYER = ExtractOptions(model="untrained", rasterize=RasterizeOptions(text="layer"))
"""Without OCR."""


def test_classes_of_pages(few_samples: Path, tmp_path: Path) -> None:
    extract = replace(LAYER, task="sequence-classification")
    run(RunOptions((str(few_samples / "supplier-form.pdf"),), str(tmp_path), extract))
    for row in rows_of(tmp_path, "pages"):
        scores = dict(row["label_scores"])
        assert row["label"] == max(scores, key=lambda label: scores[label])
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


def test_answers_of_pages_and_the_best_of_them_for_the_document(few_samples: Path, tmp_path: Path) -> None:
    questions = ("What is the date?", "Who signed?")
    extract = ExtractOptions("untrained", task="question-answering", questions=questions)
    inputs = (str(few_samples / "supplier-form.pdf"), str(few_samples / "fax-two-pages.tiff"))
    run(RunOptions(inputs, str(tmp_path), extract))
    pages, answers = rows_of(tmp_path, "pages"), rows_of(tmp_path, "answers")
    assert sorted((Path(row["uri"]).name, row["question"]) for row in answers) == [
        (name, question) for name in ("fax-two-pages.tiff", "supplier-form.pdf") for question in sorted(questions)
    ]
    for answer in answers:
        candidates = [
            (found["score"], -row["page_index"], found["text"])
            for row in pages
            if row["document_id"] == answer["document_id"]
            for found in row["answers"]
            if found["question"] == answer["question"]
        ]
        score, negative_index, text = max(candidates, key=lambda candidate: candidate[:2])
        assert (answer["score"], answer["text"]) == (score, text)
        assert answer["page_index"] == (None if text is None else -negative_index)

"""What a run writes for each task: classes of pages, answers of pages and documents, fields and records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from model.checkpoint_source import BUNDLED_FORMS
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.records import RecordOptions
from pipelines.stages.rasterize import RasterizeOptions
from tests.pipelines.batch.output_rows import rows_of

pytestmark = pytest.mark.usefixtures("execution")

LAYER = ExtractOptions(model="untrained", rasterize=RasterizeOptions(text="layer"))
"""Without OCR."""


def test_classes_of_pages(few_samples: Path, tmp_path: Path) -> None:
    extract = replace(LAYER, task="sequence-classification")
    run(RunOptions((str(few_samples / "supplier-form.pdf"),), str(tmp_path), extract, read_workers=1, report_pages=0))
    for row in rows_of(tmp_path, "pages"):
        scores = dict(row["label_scores"])
        assert row["label"] == max(scores, key=lambda label: scores[label])
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


def test_answers_of_pages_and_the_best_of_them_for_the_document(samples_directory: Path, tmp_path: Path) -> None:
    questions = ("What is the date?", "Who signed?")
    extract = replace(LAYER, task="question-answering", questions=questions)
    names = ("delivery-schedule-rotated.pdf", "supplier-form.pdf")
    inputs = tuple(str(samples_directory / name) for name in names)
    run(RunOptions(inputs, str(tmp_path), extract, read_workers=1, report_pages=0))
    pages, answers = rows_of(tmp_path, "pages"), rows_of(tmp_path, "answers")
    assert sorted((Path(row["uri"]).name, row["question"]) for row in answers) == [
        (name, question) for name in names for question in sorted(questions)
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


def test_fields_of_documents_and_records_that_another_run_makes_anew(few_samples: Path, tmp_path: Path) -> None:
    extract = replace(LAYER, model=BUNDLED_FORMS)
    options = RunOptions(
        (str(few_samples / "supplier-form.pdf"),), str(tmp_path), extract, read_workers=1, report_pages=0
    )
    record = run(options)
    pages, fields = rows_of(tmp_path, "pages"), rows_of(tmp_path, "fields")
    assert len(fields) == sum(len(page["pairs"]) for page in pages) == record["fields"]["rows"] > 20
    assert [row["page_index"] for row in fields] == sorted(row["page_index"] for row in fields)
    assert ("Date founded", "1998-04-17") in [(row["key"], row["value_normalized"]) for row in fields]
    assert rows_of(tmp_path, "records") == [] and record["records"] is None
    wanted = {"founded": ("Date founded", date(1998, 4, 17)), "received": ("Received", date(2025, 2, 24))}
    for name, (key, value) in wanted.items():
        spec = RecordSpec((FieldSpec(name, (key,), "date", required=True),))
        record = run(replace(options, records=RecordOptions(spec, min_score=0.0)))
        assert record["pages_this_run"] == 0
        assert (record["records"]["rows"], record["records"]["spec"]["fields"][0]["name"]) == (1, name)
        [row] = rows_of(tmp_path, "records")
        assert (row[name], row["needs_review"], row["review_reasons"]) == (value, False, [])
        assert name in (tmp_path / "records.csv").read_text()
    assert rows_of(tmp_path, "fields") == fields

"""A run on Ray: every document and page has a row, the same from a folder and from S3, on Ray and in one process."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions, extract_pages
from pipelines.runtime.pools import plan_pools
from pipelines.schema import PAGE_TO_DO, page_schema
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, join_uri
from tests.pipelines.batch.execution import extract_in_process
from tests.pipelines.batch.metrics import missing_metrics
from tests.pipelines.batch.output_rows import rows_of, without_clock

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.usefixtures("ray_cluster")]

TOKENS = ExtractOptions(model="untrained")


@pytest.fixture(scope="module")
def first_run(
    ray_cluster: None, few_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("output")
    return output, run(RunOptions((str(few_samples),), str(output), TOKENS))


def test_every_document_and_page_is_accounted_for(first_run: tuple[Path, dict[str, Any]]) -> None:
    output, record = first_run
    documents, pages = rows_of(output, "documents"), rows_of(output, "pages")
    assert {Path(row["uri"]).stem: row["error_kind"] for row in documents if row["status"] == "failed"} == {
        "form-with-password": "encrypted",
        "agreement-cut-short": "unreadable",
    }
    expected = {(row["document_id"], index) for row in documents for index in range(row["pages_selected"])}
    assert len(pages) == len(expected) and {(row["document_id"], row["page_index"]) for row in pages} == expected
    assert record["status"] == "done" and record["pages"]["missing"] == 0
    assert record["documents"]["listed"] == record["documents"]["ok"] + record["documents"]["failed"] == 5
    assert record["pages"]["expected"] == record["pages"]["ok"] + record["pages"]["failed"] == len(pages)
    old_names = {"expected": "promised", "duplicate": "twice", "unexpected": "unpromised"}
    assert all(record["pages"][old] == record["pages"][new] for new, old in old_names.items())
    assert json.loads((output / "run.json").read_text()) == record


def test_rows_have_the_schema_and_its_ranges(first_run: tuple[Path, dict[str, Any]]) -> None:
    output, _ = first_run
    for file in (output / "pages").iterdir():
        assert pq.read_schema(file).equals(page_schema("token-classification"))
    for row in rows_of(output, "pages"):
        assert row["status"] == "ok", row["error"]
        assert (
            len(row["words"])
            == len(row["boxes"])
            == len(row["word_confidences"])
            == len(row["labels"])
            == len(row["scores"])
        )
        for x0, y0, x1, y1 in row["boxes"]:
            assert 0 <= x0 <= x1 <= 1000 and 0 <= y0 <= y1 <= 1000
        for entity in row["entities"]:
            assert entity["text"] == " ".join(row["words"][entity["first_word"] : entity["last_word"] + 1])
            assert 0 <= entity["score"] <= 1


def test_text_comes_from_the_layer_where_there_is_one_and_from_ocr_else(first_run: tuple[Path, dict[str, Any]]) -> None:
    output, _ = first_run
    for row in rows_of(output, "pages"):
        born_digital = row["uri"].endswith("supplier-form.pdf")
        assert row["text_source"] == ("layer" if born_digital else "ocr")
        assert (row["word_confidences"][0] is None) == born_digital
        assert (row["seconds"]["ocr"] > 0) == (not born_digital)


def test_the_report_tells_failures_and_draws_pages(first_run: tuple[Path, dict[str, Any]]) -> None:
    output, record = first_run
    html = (output / "report.html").read_text()
    assert "form-with-password.pdf" in html and "untrained" in html
    assert html.count("<figure") == min(8, record["pages"]["ok"])
    assert "data:image/jpeg;base64," in html and "<rect " in html
    assert not re.findall(r"(?:src|href)='(?!data:)", html), "the report loads nothing from elsewhere"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["in this process", "on Ray"])
def test_another_run_gives_the_same_rows(
    place: str,
    few_samples: Path,
    first_run: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if place == "in this process":
        extract_in_process(monkeypatch)
    run(RunOptions((str(few_samples),), str(tmp_path), TOKENS))
    for table in ("documents", "pages"):
        assert without_clock(rows_of(tmp_path, table)) == without_clock(rows_of(first_run[0], table))


def test_a_run_through_s3_gives_the_rows_of_a_run_through_a_folder(
    few_samples: Path, first_run: tuple[Path, dict[str, Any]], s3_prefix: str
) -> None:
    storage = Storage()
    for path in few_samples.iterdir():
        storage.write(join_uri(s3_prefix, "in", path.name), path.read_bytes())
    record = run(RunOptions((join_uri(s3_prefix, "in"),), join_uri(s3_prefix, "out"), TOKENS, read_workers=1))
    assert record["status"] == "done"
    for table in ("documents", "pages"):
        assert without_clock(rows_of(join_uri(s3_prefix, "out"), table)) == without_clock(rows_of(first_run[0], table))
    assert storage.exists(join_uri(s3_prefix, "out", "report.html"))


def test_the_same_run_again_does_nothing(few_samples: Path, first_run: tuple[Path, dict[str, Any]]) -> None:
    output, _ = first_run
    files = sorted(path.name for path in (output / "pages").iterdir())
    again = run(RunOptions((str(few_samples),), str(output), TOKENS))
    assert again["pages_this_run"] == 0 and again["status"] == "done"
    assert sorted(path.name for path in (output / "pages").iterdir()) == files


@pytest.mark.slow
def test_the_pipeline_is_a_function_from_a_dataset_of_pages_to_a_dataset_of_rows(few_samples: Path) -> None:
    uri = str(few_samples / "supplier-form.pdf")
    pages = [
        {"document_id": "mine", "uri": uri, "media_type": "application/pdf", "page_index": index, "page_count": 3}
        for index in (2, 0)
    ]
    options = replace(TOKENS, rasterize=RasterizeOptions(text="layer"))
    dataset = ray.data.from_arrow(pa.Table.from_pylist(pages, schema=PAGE_TO_DO))
    rows = extract_pages(dataset, options, plan_pools(2, 0)).take_all()
    assert [(row["document_id"], row["page_index"], row["status"]) for row in rows] == [
        ("mine", 2, "ok"),
        ("mine", 0, "ok"),
    ]
    assert all(row["words"] for row in rows)


def test_the_job_exports_metrics_of_its_pages(first_run: tuple[Path, dict[str, Any]]) -> None:
    assert not missing_metrics("ray_layoutlmv2_pages", 'status="ok"', "ray_layoutlmv2_stage_seconds")

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.errors import ProcessingError
from pipelines.extract import ExtractOptions, extract_pages
from pipelines.runtime.output_record import OutputConflictError
from pipelines.runtime.pools import plan_pools
from pipelines.schema import PAGE_TO_DO, Row, page_schema
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, join_uri

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.usefixtures("ray_cluster")]

TOKENS = ExtractOptions(model="untrained")


def rows_of(output: str | Path, table: str) -> list[Row]:
    storage = Storage()
    rows: list[Row] = []
    for stored in storage.list_existing(join_uri(str(output), table)):
        with storage.open(stored.uri) as file:
            rows += pq.read_table(file).to_pylist()
    return rows


def without_clock(rows: list[Row]) -> list[Row]:
    """Rows as they must be equal between runs and places: by file name, without seconds."""
    left_out = ("seconds", "uri", "document_id", "etag")
    told = [{**{k: v for k, v in row.items() if k not in left_out}, "name": Path(row["uri"]).name} for row in rows]
    return sorted(told, key=lambda row: (row["name"], row.get("page_index", 0)))


@pytest.fixture(scope="module")
def few_samples(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small samples: born digital, scanned, an image of two frames, and the two that cannot be read."""
    folder = tmp_path_factory.mktemp("samples")
    for name in (
        "supplier-form.pdf",
        "receipt-photo.jpg",
        "fax-two-pages.tiff",
        "form-with-password.pdf",
        "agreement-cut-short.pdf",
    ):
        shutil.copy(samples_directory / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def first_run(few_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
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
    assert record["pages"]["promised"] == record["pages"]["ok"] + record["pages"]["failed"] == len(pages)
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
    assert html.count("<figure>") == min(8, record["pages"]["ok"])
    assert "data:image/jpeg;base64," in html and "<rect " in html
    assert not re.findall(r"(?:src|href)='(?!data:)", html), "the report loads nothing from elsewhere"


def test_two_runs_give_the_same_rows(few_samples: Path, first_run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run(RunOptions((str(few_samples),), str(tmp_path), TOKENS))
    for table in ("documents", "pages"):
        assert without_clock(rows_of(tmp_path, table)) == without_clock(rows_of(first_run[0], table))


def test_a_run_through_s3_gives_the_rows_of_a_run_through_a_folder(
    few_samples: Path, first_run: tuple[Path, dict[str, Any]], s3_prefix: str
) -> None:
    storage = Storage()
    for path in few_samples.iterdir():
        storage.write(join_uri(s3_prefix, "in", path.name), path.read_bytes())
    record = run(RunOptions((join_uri(s3_prefix, "in"),), join_uri(s3_prefix, "out"), TOKENS))
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


def test_pages_that_are_missing_are_completed_and_only_they(
    few_samples: Path, first_run: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(first_run[0], output)
    lost = sorted((output / "pages").iterdir())[0]
    count = pq.read_metadata(lost).num_rows
    lost.unlink()
    again = run(RunOptions((str(few_samples),), str(output), TOKENS))
    assert again["pages_this_run"] == count
    assert without_clock(rows_of(output, "pages")) == without_clock(rows_of(first_run[0], "pages"))


def test_rounds_give_the_same_rows_and_one_that_fails_leaves_the_earlier_ones(
    few_samples: Path, first_run: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_by_round: list[int] = []

    def extract_or_fail(pages: ray.data.Dataset, *arguments: Any) -> ray.data.Dataset:
        pages_by_round.append(pages.count())
        if len(pages_by_round) == 2:
            raise ConnectionError("the second round does not begin")
        return extract_pages(pages, *arguments)

    monkeypatch.setattr("pipelines.batch.run.extract_pages", extract_or_fail)
    options = RunOptions((str(few_samples),), str(tmp_path), TOKENS, pages_per_round=3)
    with pytest.raises(ConnectionError):
        run(options)
    after_one_round = rows_of(tmp_path, "pages")
    assert len(after_one_round) == 3
    record = run(replace(options, pages_per_round=2))
    assert pages_by_round == [3, 3, 2, 1]
    assert record["status"] == "done" and record["pages_this_run"] == 3
    rows = rows_of(tmp_path, "pages")
    assert without_clock(rows) == without_clock(rows_of(first_run[0], "pages"))
    assert all(row in rows for row in after_one_round), "what a round wrote is not written again"


def test_new_documents_are_added_and_changed_ones_done_anew(
    few_samples: Path, samples_directory: Path, tmp_path: Path
) -> None:
    inputs, output = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    shutil.copy(few_samples / "receipt-photo.jpg", inputs / "a.jpg")
    shutil.copy(few_samples / "receipt-photo.jpg", inputs / "b.jpg")
    run(RunOptions((str(inputs),), str(output), TOKENS))
    shutil.copy(few_samples / "supplier-form.pdf", inputs / "b.jpg")
    shutil.copy(few_samples / "fax-two-pages.tiff", inputs / "c.tiff")
    run(RunOptions((str(inputs),), str(output), TOKENS))
    pages = {(Path(row["uri"]).name, row["page_index"]): row["text_source"] for row in rows_of(output, "pages")}
    assert pages == {
        ("a.jpg", 0): "ocr",
        ("b.jpg", 0): "layer",
        ("b.jpg", 1): "layer",
        ("b.jpg", 2): "layer",
        ("c.tiff", 0): "ocr",
        ("c.tiff", 1): "ocr",
    }


def test_other_options_on_an_old_output_are_refused_by_name_unless_it_is_overwritten(
    few_samples: Path, first_run: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(first_run[0], output)
    other = RunOptions((str(few_samples / "supplier-form.pdf"),), str(output), replace(TOKENS, stride=64))
    with pytest.raises(OutputConflictError, match=r"extract.stride was 128 and is 64.*--overwrite"):
        run(other)
    assert rows_of(output, "pages") == rows_of(first_run[0], "pages")
    record = run(replace(other, overwrite=True))
    assert (record["documents"]["listed"], record["pages"]["ok"]) == (1, 3)


def test_caps_are_kept_and_told(few_samples: Path, tmp_path: Path) -> None:
    options = RunOptions(
        (str(few_samples / "supplier-form.pdf"), str(few_samples / "fax-two-pages.tiff")),
        str(tmp_path),
        TOKENS,
        limit=4,
    )
    run(options)
    for _ in range(2):
        record = run(options)
        assert [(row["page_count"], row["pages_selected"]) for row in rows_of(tmp_path, "documents")] == [
            (3, 3),
            (2, 1),
        ]
        assert len(rows_of(tmp_path, "pages")) == record["pages"]["promised"] == 4


def test_what_a_run_wrote_is_never_an_input_and_inputs_are_never_overwritten(few_samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "documents" / "fax.tiff"  # a folder of the name that the output gives its own table
    source.parent.mkdir()
    shutil.copy(few_samples / "fax-two-pages.tiff", source)
    for overwrite in (False, False, True):
        record = run(RunOptions((str(tmp_path),), str(tmp_path), TOKENS, overwrite=overwrite))
        assert (record["status"], record["documents"]["listed"], record["pages"]["ok"]) == ("done", 1, 2)
        assert source.is_file()


def test_a_run_that_fails_says_so_in_its_record(few_samples: Path, tmp_path: Path) -> None:
    options = RunOptions((str(few_samples), str(tmp_path / "typo")), str(tmp_path / "out"), TOKENS)
    with pytest.raises(ProcessingError, match="typo"):
        run(options)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "failed" and "typo" in record["error"]


def test_classes_of_pages(few_samples: Path, tmp_path: Path) -> None:
    run(
        RunOptions(
            (str(few_samples / "supplier-form.pdf"),), str(tmp_path), replace(TOKENS, task="sequence-classification")
        )
    )
    for row in rows_of(tmp_path, "pages"):
        scores = dict(row["label_scores"])
        assert row["label"] == max(scores, key=lambda label: scores[label])
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


def test_answers_of_pages_and_the_best_of_them_for_the_document(few_samples: Path, tmp_path: Path) -> None:
    questions = ("What is the date?", "Who signed?")
    extract = replace(TOKENS, task="question-answering", questions=questions)
    run(
        RunOptions(
            (str(few_samples / "supplier-form.pdf"), str(few_samples / "fax-two-pages.tiff")), str(tmp_path), extract
        )
    )
    pages, answers = rows_of(tmp_path, "pages"), rows_of(tmp_path, "answers")
    assert [(Path(row["uri"]).name, row["question"]) for row in answers] == [
        (name, question) for name in ("fax-two-pages.tiff", "supplier-form.pdf") for question in questions
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


def test_nothing_to_read_is_an_error_that_names_the_input(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(ProcessingError, match=name) as caught:
            run(RunOptions((str(tmp_path / name),), str(tmp_path / "out"), TOKENS))
        assert caught.value.kind == "not_found"


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

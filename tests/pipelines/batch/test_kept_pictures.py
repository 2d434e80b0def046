"""Kept pictures: rows have the model's image of their page, from the block to the compacted file, or none has."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.documents.document import Document
from pipelines.documents.page_picture import picture_array
from pipelines.documents.rendering import RenderOptions, render_model_image
from pipelines.options import ExtractOptions
from pipelines.runtime.output_record import OutputConflictError
from pipelines.schema import Row, page_schema
from tests.hostile.all_files import hostile_files

KEEPING = ExtractOptions("untrained", keep_pictures=True)


def run_here(options: RunOptions) -> dict[str, Any]:
    """A run in this process; `tests/pipelines/test_in_process.py` compares its rows with those of Ray."""

    def connect() -> None:
        raise AssertionError("so few pages need no Ray")

    return run(replace(options, read_workers=1, report_pages=0), connect)


@pytest.fixture(scope="module")
def corpus(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A form of three pages, and a document of which a page is damaged."""
    folder = tmp_path_factory.mktemp("in")
    shutil.copy(samples_directory / "supplier-form.pdf", folder)
    [damaged] = (file for file in hostile_files() if file.name == "page-missing.pdf")
    (folder / damaged.name).write_bytes(damaged.make())
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The output of a run, and its record; tests work on copies of it."""
    output = tmp_path_factory.mktemp("finished")
    return output, run_here(RunOptions((str(corpus),), str(output), KEEPING))


def rows_of(output: Path) -> list[Row]:
    return [row for file in sorted((output / "pages").iterdir()) for row in pq.read_table(file).to_pylist()]


def test_each_page_that_was_read_has_its_picture_and_a_failed_one_none(
    corpus: Path, finished: tuple[Path, dict[str, Any]]
) -> None:
    output, record = finished
    assert record["status"] == "done" and record["pages"]["failed"] == 1
    [file] = (output / "pages").iterdir()
    assert "-c" in file.name, "not compacted"
    assert pq.read_schema(file) == page_schema("token-classification", keep_pictures=True)
    with Document(corpus / "supplier-form.pdf") as document:
        for row in rows_of(output):
            assert (row["picture"] is None) == (row["status"] == "failed")
            if row["uri"].endswith("supplier-form.pdf"):
                drawn = render_model_image(document, row["page_index"], RenderOptions())
                assert (picture_array(row["picture"]) == drawn).all()


def test_a_run_goes_on_with_pictures_where_one_was_cut_off(
    corpus: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "out")
    [file] = (tmp_path / "out" / "pages").iterdir()
    pq.write_table(pq.read_table(file).slice(1), file)
    record = run_here(RunOptions((str(corpus),), str(tmp_path / "out"), KEEPING))
    assert record["pages_this_run"] == 1 and record["status"] == "done"
    assert all(row["picture"] for row in rows_of(tmp_path / "out") if row["status"] == "ok")


@pytest.mark.parametrize("retry_failed", [False, True])
def test_pages_with_and_without_pictures_do_not_mix(
    corpus: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path, retry_failed: bool
) -> None:
    shutil.copytree(finished[0], tmp_path / "out")
    without = RunOptions(
        (str(corpus),), str(tmp_path / "out"), replace(KEEPING, keep_pictures=False), retry_failed=retry_failed
    )
    with pytest.raises(OutputConflictError, match=r"extract\.keep_pictures was True"):
        run_here(without)

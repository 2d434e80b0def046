"""Retries: failures are reported with the command that retries them, and only they are read again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.ocr.options import OcrOptions
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import OutputClaimedError
from pipelines.batch.page_writer import write_pages
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.runtime.output_record import OutputConflictError
from pipelines.stages.count_pages import ListingOptions
from tests.hostile.all_files import hostile_files
from tests.pipelines.batch.output_rows import rows_of

pytestmark = pytest.mark.usefixtures("execution")

TOKENS = ExtractOptions(model="untrained", ocr=OcrOptions(engine="tesserocr"))
"""With the engine that starts in no time."""
SMALL = ListingOptions(max_document_bytes=5_000)
COMMAND = ("python", "-m", "jobs.extract", "--input", "in", "--output", "out", "--max-document-megabytes", "0.005")


class KilledError(Exception):
    """As if the process had been killed there."""


def raise_killed(*arguments: Any) -> int:
    raise KilledError


@pytest.fixture(scope="module")
def kept(
    execution: str, samples_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunOptions, dict[str, Any]]:
    """A run over a document that is too large, one of which a page is damaged, and a good one; and a copy of it."""
    folder = tmp_path_factory.mktemp("first") / "used"
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    shutil.copy(samples_directory / "supplier-form.pdf", inputs / "large.pdf")
    made = {
        file.name: file.make()
        for file in hostile_files()
        if file.name in ("page-missing.pdf", "stamp-draws-itself.pdf")
    }
    for name, content in made.items():
        (inputs / name).write_bytes(content)
    options = RunOptions((str(inputs),), str(folder / "out"), TOKENS, SMALL, command=COMMAND, read_workers=1)
    record = run(options)
    shutil.copytree(folder, folder.with_name("kept"))
    return folder, replace(options, report_pages=0), record


@pytest.fixture
def first(kept: tuple[Path, RunOptions, dict[str, Any]]) -> tuple[RunOptions, dict[str, Any]]:
    """The inputs and the output of the run, restored for each test."""
    folder, options, record = kept
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("kept"), folder)
    return options, record


def test_failures_are_reported_by_kind_with_examples_and_the_command_that_retries_them(
    first: tuple[RunOptions, dict[str, Any]],
) -> None:
    options, record = first
    assert record["status"] == "done" and record["documents"]["failed"] == record["pages"]["failed"] == 1
    failures = {failure["error_kind"]: failure for failure in record["failures"]}
    assert set(failures) == {"too_large", "unreadable"}
    large = failures["too_large"]
    assert large["count"] == 1 and "large.pdf" in json.dumps(large["examples"])
    assert "--retry-failed" in large["command"] and large["command"].count("--max-document-megabytes") == 1
    html = Path(options.output, "report.html").read_text()
    assert "--retry-failed" in html and "page-missing.pdf" in html


def test_failures_are_retried_with_new_options_and_nothing_else_is(
    first: tuple[RunOptions, dict[str, Any]],
) -> None:
    options, before = first
    output = Path(options.output)
    kept = [row for row in rows_of(output, "pages") if row["status"] == "ok"]
    record = run(replace(options, listing=ListingOptions(), retry_failed=True))
    assert record["status"] == "done"
    assert record["pages_this_run"] == 3 + 1, "those of the large document, and the damaged one"
    assert record["documents"]["failed"] == 0 and record["pages"]["failed"] == 1
    rows = rows_of(output, "pages")
    assert all(row in rows for row in kept), "pages that were read stay as they are"
    assert record["pages"]["expected"] == before["pages"]["expected"] + 3 == len(rows)
    [retry] = record["retries"]
    assert retry["documents"] == 1 and retry["pages"] == 1 and "listing.max_document_bytes" in retry["options"]


def test_a_retry_needs_the_same_task_and_an_earlier_run(
    first: tuple[RunOptions, dict[str, Any]], tmp_path: Path
) -> None:
    options, _ = first
    other = replace(options, extract=ExtractOptions("untrained", task="sequence-classification"), retry_failed=True)
    with pytest.raises(OutputConflictError, match="task"):
        run(other)
    with pytest.raises(OutputConflictError, match="no earlier run"):
        run(replace(options, output=str(tmp_path / "new"), retry_failed=True))


def test_a_retry_loses_nothing_that_is_no_longer_listed(
    first: tuple[RunOptions, dict[str, Any]], tmp_path: Path
) -> None:
    options, before = first
    others = tmp_path / "others"
    others.mkdir()
    Path(options.inputs[0], "stamp-draws-itself.pdf").rename(others / "stamp-draws-itself.pdf")
    record = run(replace(options, inputs=(str(others),), listing=ListingOptions(), retry_failed=True))
    assert record["status"] == "done" and record["pages_this_run"] == 0
    for table in ("documents", "pages"):
        assert record[table] == before[table], "new documents are left to a run, failed ones keep their rows"
    record = run(replace(options, listing=ListingOptions(), limit=1, retry_failed=True))
    assert record["documents"] == before["documents"], "there is no room for the pages of the large one"


def test_a_repaired_document_is_read_again_as_a_whole(
    first: tuple[RunOptions, dict[str, Any]], short_fax: Path
) -> None:
    options, _ = first
    shutil.copy(short_fax, Path(options.inputs[0], "page-missing.pdf"))
    record = run(replace(options, listing=ListingOptions(), retry_failed=True))
    assert record["status"] == "done" and record["pages"]["failed"] == 0
    mended = [row for row in rows_of(options.output, "pages") if row["uri"].endswith("page-missing.pdf")]
    assert sorted((row["page_index"], row["text_source"]) for row in mended) == [(0, "ocr"), (1, "ocr")]


def test_a_retry_that_was_killed_goes_on_and_its_record_says_what_the_output_is(
    first: tuple[RunOptions, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, before = first
    again = replace(options, listing=ListingOptions(), retry_failed=True)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.batch.run.write_pages", raise_killed)
        with pytest.raises(KilledError):
            run(again)
    killed = json.loads(Path(options.output, "run.json").read_text())
    assert killed["status"] == "failed" and killed["options"] == before["options"]
    assert killed["retries"][-1]["options"] == {"listing.max_document_bytes": ListingOptions().max_document_bytes}
    for rerun in (again, options):
        record = run(rerun)
        assert record["status"] == "done"
        rows = rows_of(options.output, "pages")
        assert len({(row["document_id"], row["page_index"]) for row in rows}) == len(rows) == 3 + 3 + 3
    assert record["pages_this_run"] == 0, "a finished retry leaves a run nothing to do"


def test_a_run_must_be_finished_before_its_failures_are_retried(
    first: tuple[RunOptions, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, _ = first
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.batch.run.write_pages", raise_killed)
        with pytest.raises(KilledError):
            run(options)
    with pytest.raises(OutputConflictError, match="without --retry-failed"):
        run(replace(options, retry_failed=True))


def test_a_run_whose_output_another_run_has_claimed_ends_and_leaves_the_record_alone(
    first: tuple[RunOptions, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, _ = first
    shutil.rmtree(Path(options.output, "pages"))
    in_between: list[dict[str, Any]] = []

    def write_pages_late(*arguments: Any) -> int:
        if not in_between:
            in_between.append({})
            in_between[0] = run(options)  # the other one: begins later, and comes to its end
        return write_pages(*arguments)

    monkeypatch.setattr("pipelines.batch.run.write_pages", write_pages_late)
    with pytest.raises(OutputClaimedError, match="another run"):
        run(options)
    assert json.loads(Path(options.output, "run.json").read_text()) == in_between[0]
    rows = rows_of(options.output, "pages")
    assert len({(row["document_id"], row["page_index"]) for row in rows}) == len(rows)


def test_duplicate_rows_of_two_runs_are_removed(first: tuple[RunOptions, dict[str, Any]]) -> None:
    options, before = first
    for path in Path(options.output, "pages").iterdir():
        shutil.copy(path, path.with_name(path.name.replace("part-00000001", "part-00000000")))
    record = run(options)
    assert record["status"] == "done" and record["pages_this_run"] == 0
    assert record["pages"] == before["pages"] and len(rows_of(options.output, "pages")) == before["pages"]["expected"]


def test_a_document_that_goes_away_after_it_was_listed_costs_its_pages(
    first: tuple[RunOptions, dict[str, Any]],
) -> None:
    options, _ = first
    for path in Path(options.output, "pages").iterdir():
        path.unlink()
    Path(options.inputs[0], "stamp-draws-itself.pdf").unlink()
    record = run(options)
    assert record["status"] == "done"
    gone = [row for row in rows_of(options.output, "pages") if row["uri"].endswith("stamp-draws-itself.pdf")]
    assert len(gone) == 3 and {row["error_kind"] for row in gone} == {"not_found"}
    assert record["pages"]["ok"] == 2, "the pages of the other document are read"

"""Failures told with the way out, and tried again."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from pipelines.extract import ExtractOptions
from pipelines.listing import ListingOptions
from pipelines.run import RunOptions, run
from pipelines.run_record import OutputConflictError
from tests.hostile.all_files import hostile_files
from tests.pipelines.test_run import rows_of

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.usefixtures("ray_cluster")]

TOKENS = ExtractOptions(model="untrained")
SMALL = ListingOptions(max_document_bytes=5_000)
METRICS_SECONDS = 60
COMMAND = ("python", "-m", "jobs.extract", "--input", "in", "--output", "out", "--max-document-megabytes", "0.005")


def times(output: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (output / "pages").iterdir()}


@pytest.fixture
def first(samples_directory: Path, tmp_path: Path) -> tuple[RunOptions, dict[str, Any]]:
    """A run over a document that is too large, one of whose pages one is damaged, and a good one."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    shutil.copy(samples_directory / "supplier-form.pdf", inputs / "large.pdf")
    made = {
        file.name: file.make() for file in hostile_files() if file.name in ("page-missing.pdf", "every-rotation.pdf")
    }
    for name, content in made.items():
        (inputs / name).write_bytes(content)
    options = RunOptions((str(inputs),), str(tmp_path / "out"), TOKENS, SMALL, command=COMMAND)
    return options, run(options)


def test_failures_are_told_by_kind_with_examples_and_the_command_that_tries_them_again(
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


def test_what_failed_is_tried_again_with_new_options_and_nothing_else(
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
    assert record["pages"]["promised"] == before["pages"]["promised"] + 3 == len(rows)
    [retry] = record["retries"]
    assert retry["documents"] == 1 and retry["pages"] == 1 and "listing.max_document_bytes" in retry["options"]


def test_a_retry_asks_the_same_of_the_model_and_wants_an_earlier_run(
    first: tuple[RunOptions, dict[str, Any]], tmp_path: Path
) -> None:
    options, _ = first
    other = replace(options, extract=ExtractOptions("untrained", task="sequence-classification"), retry_failed=True)
    with pytest.raises(OutputConflictError, match="task"):
        run(other)
    with pytest.raises(OutputConflictError, match="no earlier run"):
        run(replace(options, output=str(tmp_path / "new"), retry_failed=True))


def test_a_document_that_goes_away_after_it_was_listed_costs_its_pages(
    first: tuple[RunOptions, dict[str, Any]],
) -> None:
    options, _ = first
    for path in Path(options.output, "pages").iterdir():
        path.unlink()
    Path(options.inputs[0], "every-rotation.pdf").unlink()
    record = run(options)
    assert record["status"] == "done"
    gone = [row for row in rows_of(options.output, "pages") if row["uri"].endswith("every-rotation.pdf")]
    assert len(gone) == 14 and {row["error_kind"] for row in gone} == {"not_found"}
    assert record["pages"]["ok"] == 2, "the pages of the other document are read"


def test_the_job_tells_rays_metrics_of_its_pages(first: tuple[RunOptions, dict[str, Any]]) -> None:
    url = f"http://127.0.0.1:{ray.nodes()[0]['MetricsExportPort']}/metrics"
    told, deadline = "", time.monotonic() + METRICS_SECONDS
    wanted = ("ray_layoutlmv2_pages", 'status="failed"', "ray_layoutlmv2_stage_seconds", "ray_layoutlmv2_pages_waiting")
    while not all(name in told for name in wanted) and time.monotonic() < deadline:
        time.sleep(1)
        with urllib.request.urlopen(url, timeout=10) as answer:
            told = answer.read().decode()
    assert all(name in told for name in wanted), told[-2000:]

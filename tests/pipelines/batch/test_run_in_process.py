"""A small run does without Ray: the same output and guarantees, and Ray is connected only if there is more to do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.extract import Options
from pipelines.batch import page_writer
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.records import RecordOptions
from pipelines.options import ExtractOptions

UNTRAINED = ExtractOptions("untrained")


class Connected(Exception):
    """Raised in place of connecting to Ray."""


def connect() -> None:
    raise Connected


@pytest.fixture(scope="module")
def corpus(samples_directory: Path, small_scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    shutil.copy(small_scan, folder)
    for name in ("supplier-form.pdf", "agreement-cut-short.pdf"):
        shutil.copy(samples_directory / name, folder)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The output of a run without Ray, and its record; tests work on copies of it."""
    output = tmp_path_factory.mktemp("finished")
    return output, run(RunOptions((str(corpus),), str(output), UNTRAINED), connect)


def test_a_few_pages_are_done_without_connecting_to_ray(finished: tuple[Path, dict[str, Any]]) -> None:
    output, record = finished
    assert record["status"] == "done"
    assert (record["documents"]["ok"], record["documents"]["failed"]) == (2, 1)
    assert (record["pages"]["ok"], record["pages"]["missing"]) == (4, 0)
    assert record["pools"]["read_actors"] >= 1 and record["pools"]["infer_gpus"] == 0
    assert (output / "report.html").exists()


def test_the_same_run_again_has_nothing_to_do_and_goes_on_with_what_is_missing(
    corpus: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "out")
    options = RunOptions((str(corpus),), str(tmp_path / "out"), UNTRAINED)
    [file] = (tmp_path / "out" / "pages").iterdir()
    pq.write_table(pq.read_table(file).slice(1), file)
    record = run(options, connect)
    assert (record["pages"]["ok"], record["pages"]["missing"]) == (4, 0)
    assert 0 < record["pages_this_run"] < 4
    assert run(options, connect)["pages_this_run"] == 0


def test_fields_are_made_again_only_where_something_has_changed(
    corpus: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    output, spec = tmp_path / "out", RecordSpec((FieldSpec("total", ("Total",)),))
    shutil.copytree(finished[0], output)
    plain = RunOptions((str(corpus),), str(output), UNTRAINED, report_pages=0)

    def again(options: RunOptions) -> tuple[set[str], dict[str, Any]]:
        """The runs that made the tables, after another run, and its record."""
        record = run(options, connect)
        files = [*(output / "fields").iterdir(), *(output / "records").glob("*")]
        return {file.name.removeprefix("part-").rpartition("-")[0] for file in files}, record

    made, record = again(plain)
    assert made == {finished[1]["run_id"]} and record["fields"] == finished[1]["fields"]
    asked = replace(plain, records=RecordOptions(spec))
    made, first = again(asked)
    assert made == {first["run_id"]} and first["records"]["rows"] == 3
    made, second = again(asked)
    assert made == {first["run_id"]} and second["records"] == first["records"]


def test_more_pages_connect_to_ray(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_writer, "MAX_PAGES_IN_PROCESS", 3)
    with pytest.raises(Connected):
        run(RunOptions((str(corpus),), str(tmp_path / "out"), UNTRAINED), connect)


def test_several_workers_of_the_model_connect_to_ray(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(Connected):
        run(RunOptions((str(corpus),), str(tmp_path / "out"), UNTRAINED, model_workers=2), connect)


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(small_scan: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(5):
        shutil.copy(small_scan, folder / f"{number:02d}.png")
    command = [sys.executable, "-m", "jobs.extract", "--input", str(folder), "--output", str(output)]
    command += ["--model", "untrained", "--text", "ocr", "--ocr-engine", "tesserocr", "--read-workers", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    job = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    deadline = time.monotonic() + 120
    while not list(output.glob("pages/*.parquet")):
        assert job.poll() is None and time.monotonic() < deadline, "no page was written"
        time.sleep(0.02)
    job.send_signal(signal.SIGINT)
    printed, _ = job.communicate(timeout=60)
    assert job.returncode == 130 and "the same command goes on" in printed, printed
    written = sum(pq.read_metadata(path).num_rows for path in output.glob("pages/*.parquet"))
    assert 0 < written < 5
    reading: dict[str, Any] = {"text": "ocr", "ocr_engine": "tesserocr", "read_workers": 1}
    options = Options((str(folder),), str(output), model="untrained", report_pages=0, **reading)
    record = run(options.run_options(), connect)
    assert (record["pages"]["ok"], record["pages"]["missing"], record["pages_this_run"]) == (5, 0, 5 - written)

"""What a sandbox inherits, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pipelines.errors import ProcessingError
from pipelines.schema import PAGE_IMAGE, PAGE_TO_DO, Row, mark_failed
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_environment import ALLOCATOR, sandbox_environment
from pipelines.stages.sandbox_protocol import PageLimits
from tests.conftest import REPOSITORY

SAMPLES = REPOSITORY / "samples" / "documents"

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAYOUTLMV2_API_KEYS", "RAY_AUTH_TOKEN", "HF_TOKEN")

PAGE: Row = {"document_id": "d", "uri": "u", "media_type": "application/pdf", "page_index": 0, "page_count": 1}


class ReportEnvironment:
    """Writes a temporary file, and answers with its name and the environment of the process."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            descriptor, name = tempfile.mkstemp()
            os.close(descriptor)
            yield mark_failed(row, ProcessingError("unreadable", json.dumps({"file": name, **os.environ})))


class CountPageFaults:
    """Answers with how many pages of memory the process has asked the system for."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield {**row, "error": str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)}


def sandbox() -> Sandbox:
    return Sandbox((ReportEnvironment,), PAGE_IMAGE, PAGE_TO_DO, PageLimits())


def test_a_sandbox_inherits_no_secret_and_what_its_parsers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("TESSDATA_PREFIX", "/tessdata")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_SECRET_TOKEN", "secret")
    (row,) = sandbox()([PAGE])
    found = json.loads(row["error"])
    assert found["TESSDATA_PREFIX"] == "/tessdata" and found["OMP_NUM_THREADS"] == "1" and found["PATH"]
    assert "secret" not in found.values()


def test_an_unknown_variable_is_not_inherited(tmp_path: Path) -> None:
    environment = sandbox_environment({"PATH": "/bin", "SOMETHING_NEW": "x"}, tmp_path)
    assert set(environment) == {"PATH", "ARROW_DEFAULT_MEMORY_POOL", "PYTHONPATH", "TMPDIR", *ALLOCATOR}
    assert environment["TMPDIR"] == str(tmp_path)


def test_settings_of_the_allocator_that_a_user_has_made_count(tmp_path: Path) -> None:
    environment = sandbox_environment({"MALLOC_TRIM_THRESHOLD_": "131072"}, tmp_path)
    assert environment["MALLOC_TRIM_THRESHOLD_"] == "131072"


def test_a_page_takes_the_memory_that_the_page_before_has_freed() -> None:
    reads = Sandbox(
        (partial(Rasterize, RasterizeOptions("layer")), CountPageFaults), PAGE_IMAGE, PAGE_TO_DO, PageLimits()
    )
    path = SAMPLES / "services-agreement.pdf"
    pages = [{**PAGE, "uri": str(path), "path": str(path)}] * 6
    counts = [int(row["error"]) for row in reads(pages)]
    reads.close()
    assert counts[-1] - counts[-3] < 200  # of 4 kB each; the picture of a page alone has some hundred


def test_temporary_files_of_a_parser_go_with_its_process() -> None:
    sandboxed = sandbox()
    (row,) = sandboxed([PAGE])
    file = Path(json.loads(row["error"])["file"])
    assert file.exists()
    sandboxed.close()
    assert not file.exists() and not file.parent.exists()


def test_they_go_soon_after_a_parent_that_is_killed() -> None:
    code = (
        "import time; from tests.pipelines.stages.test_sandbox_environment import PAGE, sandbox\n"
        "from pipelines.serving.upload_files import UploadFiles\n"
        "sandboxed = sandbox(); (row,) = sandboxed([PAGE]); files = UploadFiles()\n"
        "with files.open('a1', b'content') as path: print(path, row['error'], flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    upload, _, reported = parent.stdout.readline().partition(" ")
    paths = [Path(upload).parent, Path(json.loads(reported)["file"]).parent]
    assert all(path.exists() for path in paths)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 30
    while any(path.exists() for path in paths) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(path.exists() for path in paths)

"""The sandbox: a page that crashes, hangs or fills its process fails alone."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.schema import PAGE_IMAGE, PAGE_TO_DO, Row
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.sandbox import Sandbox, SandboxError
from pipelines.stages.sandbox_protocol import PageLimits
from tests.pipelines.batch.misbehaving_stages import DieOnce, Misbehave, NoStage, Observe

LIMITS = PageLimits(seconds=60, megabytes=300)
QUICK = PageLimits(seconds=1.5, megabytes=300)
"""For pages that are expected to exceed the time limit."""


def sandbox(limits: PageLimits = LIMITS, schema: pa.Schema = PAGE_IMAGE) -> Sandbox:
    return Sandbox((Misbehave,), schema, PAGE_TO_DO, limits)


def page(uri: str, index: int = 0) -> Row:
    return {"document_id": "d", "uri": uri, "media_type": "application/pdf", "page_index": index, "page_count": 9}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_dead(pid: int) -> bool:
    for _ in range(200):
        if not is_alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_valid_pages_share_one_process_and_keep_their_identity() -> None:
    rows = list(sandbox()([page("fine", index) for index in range(3)]))
    assert [(row["status"], row["document_id"], row["page_index"]) for row in rows] == [
        ("ok", "d", index) for index in range(3)
    ]
    assert len({row["width"] for row in rows}) == 1 and rows[0]["width"] != os.getpid()
    assert [row["height"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("uri", "kind", "reason"),
    [
        ("null:", "crashed", "SIGSEGV"),
        ("signal:SIGABRT", "crashed", "SIGABRT"),
        ("signal:SIGBUS", "crashed", "SIGBUS"),
        ("exit:3", "crashed", "status 3"),
        ("hang:", "timeout", "over 1.5 s"),
        ("spin:", "timeout", "--page-time-limit-seconds"),
        ("fill:", "out_of_memory", "--page-memory-limit-megabytes"),
        ("grab:500", "out_of_memory", "over 300 MB"),
        ("grab:900000", "out_of_memory", ""),
        ("refuse:", "encrypted", "password"),
    ],
)
def test_a_page_that_misbehaves_is_a_failed_row_and_its_neighbours_are_not(uri: str, kind: str, reason: str) -> None:
    before, bad, after = sandbox(QUICK if kind == "timeout" else LIMITS)(
        [page("fine", 0), page(uri, 1), page("fine", 2)]
    )
    assert (before["status"], after["status"]) == ("ok", "ok")
    assert (bad["status"], bad["error_kind"], bad["page_index"]) == ("failed", kind, 1)
    assert reason in bad["error"]
    if kind in ("crashed", "timeout"):
        assert after["width"] != before["width"] and not is_alive(before["width"])
        assert bad["seconds"]["rasterize"] > 0, "the time it took is recorded"


def test_memory_of_the_parent_does_not_count_against_a_page() -> None:
    held = bytearray(os.urandom(1 << 20)) * 400
    (row,) = sandbox()([page("null:")])
    assert row["error_kind"] == "crashed", f"{len(held)} bytes belong to the parent process"


def test_a_page_that_dies_because_of_an_earlier_one_is_retried_in_a_new_process() -> None:
    poison, victim, after = sandbox()([page("poison:"), page("victim:"), page("victim:")])
    assert [row["status"] for row in (poison, victim, after)] == ["ok", "ok", "ok"]
    assert victim["width"] != poison["width"] and after["width"] == victim["width"]


def test_a_process_that_retains_too_much_memory_is_replaced() -> None:
    one, two = sandbox(PageLimits(seconds=60, megabytes=500))([page("hoard:260"), page("fine")])
    assert (one["status"], two["status"]) == ("ok", "ok") and one["width"] != two["width"]


@pytest.mark.parametrize(("times", "status"), [(1, "ok"), (2, "ok"), (3, "failed")])
def test_a_page_whose_process_is_killed_from_outside_is_retried(times: int, status: str, tmp_path: Path) -> None:
    (tmp_path / "kills").write_text("kill\n" * times)
    (row,) = sandbox()([page(f"killed:{tmp_path / 'kills'}")])
    assert row["status"] == status
    assert status == "ok" or (row["error_kind"] == "out_of_memory" and "SIGKILL" in row["error"])


def test_failed_rows_pass_through() -> None:
    failed = {**page("null:"), "status": "failed", "error_kind": "not_found", "error": "gone"}
    assert list(sandbox()([failed])) == [failed]


def test_a_process_that_cannot_start_is_an_error_with_the_cause() -> None:
    broken = Sandbox((NoStage,), PAGE_IMAGE, PAGE_TO_DO, LIMITS)
    with pytest.raises(SandboxError, match="the tessdata is gone"):
        list(broken([page("fine")]))


def test_a_process_that_is_killed_during_its_start_is_restarted(tmp_path: Path) -> None:
    stage = Sandbox((partial(DieOnce, tmp_path / "mark"),), PAGE_IMAGE, PAGE_TO_DO, LIMITS)
    (row,) = stage([page("fine")])
    assert row["status"] == "ok"


def test_child_processes_of_a_page_end_when_it_times_out(tmp_path: Path) -> None:
    (row,) = sandbox(QUICK)([page(f"child:{tmp_path / 'pid'}")])
    assert row["error_kind"] == "timeout"
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_child_processes_of_a_page_end_when_it_crashes(tmp_path: Path) -> None:
    (row,) = sandbox()([page(f"orphan:{tmp_path / 'pid'}")])
    assert row["error_kind"] == "crashed"
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_memory_of_child_processes_counts_against_the_page(tmp_path: Path) -> None:
    (row,) = sandbox()([page(f"child fills:{tmp_path / 'pid'}")])
    assert row["error_kind"] == "out_of_memory"
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_a_tight_limit_does_not_replace_the_process_after_each_page(samples_directory: Path) -> None:
    form = str(samples_directory / "supplier-form.pdf")
    stage = Sandbox(
        (partial(Rasterize, RasterizeOptions()), Observe), PAGE_IMAGE, PAGE_TO_DO, PageLimits(megabytes=300)
    )
    rows = list(stage({**page(form, index), "path": form} for index in range(3)))
    assert [row["status"] for row in rows] == ["ok"] * 3 and len({row["width"] for row in rows}) == 1


def test_the_process_ends_with_its_sandbox() -> None:
    stage = sandbox()
    (row,) = stage([page("fine")])
    assert is_alive(row["width"])
    del stage
    gc.collect()
    assert wait_until_dead(row["width"])


@pytest.mark.parametrize("uri", ["fine", "hang:"])
def test_the_process_ends_with_a_parent_that_is_killed(uri: str) -> None:
    code = (
        "import os, signal, sys, threading, time\n"
        "from tests.pipelines.stages.test_sandbox import page, sandbox\n"
        "stage = sandbox()\n"
        "(row,) = stage([page('fine')])\n"
        "print(row['width'], flush=True)\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "list(stage([page(sys.argv[1])]))\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, uri], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    assert wait_until_dead(int(done.stdout))


@pytest.mark.parametrize(("values", "option"), [({"seconds": 0}, "time"), ({"megabytes": 50}, "memory")])
def test_limits_that_no_page_can_meet_are_rejected(values: dict[str, float], option: str) -> None:
    with pytest.raises(ValueError, match=f"--page-{option}-limit"):
        PageLimits(**values)  # type: ignore[arg-type]


def test_a_page_that_is_no_longer_needed_is_aborted_and_the_next_one_is_processed() -> None:
    reader = sandbox(PageLimits(seconds=60, megabytes=300))
    (first,) = reader([page("fine")])
    until = time.monotonic() + 0.3
    started = time.monotonic()
    (given_up,) = reader([page("hang")], lambda: time.monotonic() < until)
    assert (given_up["status"], given_up["error_kind"]) == ("failed", "timeout")
    assert time.monotonic() - started < 30 and not is_alive(first["width"])
    assert next(iter(reader([page("fine")])))["status"] == "ok"

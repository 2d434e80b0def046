"""`ray job submit` as the README shows it, on a real head with its job server and token authentication."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_head import RunningHead, running_head

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.slow]

COPIES = 16
PAGES = COPIES * 7


@pytest.fixture(scope="module")
def head() -> Iterator[RunningHead]:
    with running_head() as head:
        yield head


def ray_job(head: RunningHead, what: str, *arguments: str, token: bool = True) -> subprocess.Popen[str]:
    """`ray job ...` as a user types it."""
    return head.start("ray", "job", what, "--address", head.url, *arguments, token=token)


def test_submitted_followed_stopped_and_submitted_again(
    head: RunningHead, samples_directory: Path, tmp_path: Path
) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(COPIES):
        shutil.copy(samples_directory / "supplier-form-scanned.pdf", source / f"{number:02d}-scanned.pdf")
        shutil.copy(samples_directory / "supplier-form.pdf", source / f"{number:02d}-layer.pdf")
    job = ("python", "-m", "jobs.extract", "--model", "untrained", "--address", "auto", "--report-pages", "1")
    job += ("--input", str(source), "--output", str(output))

    submitting = ray_job(head, "submit", "--submission-id", "first", "--working-dir", ".", "--", *job)
    assert submitting.stdout is not None
    followed = []
    for line in submitting.stdout:
        followed.append(line)
        if re.search(rf"pages \d+/{PAGES} ", line):
            break
    assert submitting.poll() is None, "".join(followed)
    stopping = ray_job(head, "stop", "first")
    assert "was stopped" in stopping.communicate(timeout=60)[0]
    submitting.communicate(timeout=60)
    there = len(list(output.glob("pages/*.parquet")))
    assert there

    printed, _ = ray_job(head, "submit", "--working-dir", ".", "--", *job).communicate(timeout=240)
    assert "succeeded" in printed, printed
    assert re.search(r"\d+ pages are there already, \d+ to do", printed)
    assert f"{PAGES} pages: {PAGES} ok, 0 failed, 0 missing" in printed
    assert len(list(output.glob("pages/*.parquet"))) > there


def test_who_has_no_token_is_turned_away(head: RunningHead) -> None:
    asking = ray_job(head, "list", token=False)
    printed, _ = asking.communicate(timeout=60)
    assert asking.returncode != 0
    assert "uthenticat" in printed or "401" in printed or "403" in printed

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.runtime import scratch_folder
from pipelines.runtime.scratch_folder import PREFIX, UNFINISHED, UNFINISHED_SECONDS, ScratchFolder, remove_leftovers
from tests.conftest import REPOSITORY

HOLD = """
import sys, time
from pipelines.runtime.scratch_folder import ScratchFolder

folder = ScratchFolder("test")
(folder.path / "document").write_bytes(b"of a client")
print(folder.path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test's own."""
    monkeypatch.setattr(scratch_folder.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def start_holder() -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder that holds a file."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    return holder, Path(holder.stdout.readline().strip())


def test_a_folder_is_this_user_s_alone_and_goes_with_its_object(temporary_folder: Path) -> None:
    folder = ScratchFolder("test")
    path = folder.path
    assert path.parent == temporary_folder and path.stat().st_mode & 0o077 == 0
    (path / "file").write_text("x")
    del folder
    gc.collect()
    assert not path.exists()


def test_what_a_killed_process_leaves_is_removed_by_the_next_one(temporary_folder: Path) -> None:
    holder, path = start_holder()
    try:
        remove_leftovers()
        assert (path / "document").exists(), "its process lives"
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (path / "document").exists(), "nobody could remove it"
    folder = ScratchFolder("test")
    assert not path.exists() and [*temporary_folder.iterdir()] == [folder.path]


def test_a_forked_process_removes_nothing_of_its_parent() -> None:
    folder = ScratchFolder("test")
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.path.exists()
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_a_folder_that_was_never_finished_is_removed_after_an_hour(temporary_folder: Path) -> None:
    new, old = (temporary_folder / f"{PREFIX}{UNFINISHED}{name}" for name in ("new", "old"))
    for path in (new, old):
        path.mkdir()
    before = time.time() - UNFINISHED_SECONDS - 60
    os.utime(old, (before, before))
    remove_leftovers()
    assert new.exists() and not old.exists()


def test_links_and_folders_without_a_lock_are_left_alone(temporary_folder: Path) -> None:
    other = temporary_folder / "other"
    other.mkdir()
    (other / ".lock").write_text("")
    (temporary_folder / f"{PREFIX}link").symlink_to(other)
    (temporary_folder / f"{PREFIX}of-somebody-else").mkdir()
    (temporary_folder / f"{PREFIX}file").write_text("")
    remove_leftovers()
    assert len([*temporary_folder.iterdir()]) == 4 and (other / ".lock").exists()

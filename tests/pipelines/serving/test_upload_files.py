from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from pipelines.serving.upload_files import MAX_FILES, UploadFiles


def test_a_document_is_written_once_for_its_pages_and_removed_when_it_is_dropped() -> None:
    files = UploadFiles()
    with files.open("a1", b"content") as path:
        assert path.read_bytes() == b"content"
    with files.open("a1", b"") as again:
        assert again == path and again.read_bytes() == b"content"
    files.drop("a1")
    files.drop("a1")
    assert not path.exists() and len(files) == 0


def test_a_document_that_is_never_dropped_is_removed_after_a_while() -> None:
    files = UploadFiles(idle_seconds=0.05)
    with files.open("a1", b"content") as path:
        time.sleep(0.2)
        assert path.exists(), "it is in use"
    until = time.monotonic() + 10
    while path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not path.exists()


def test_the_oldest_files_make_room() -> None:
    files = UploadFiles()
    paths: list[Path] = []
    for index in range(MAX_FILES + 3):
        with files.open(f"u{index}", b"x") as path:
            paths.append(path)
    assert [path.exists() for path in paths] == [False] * 3 + [True] * MAX_FILES


def test_nothing_is_left_of_a_file_that_cannot_be_written() -> None:
    files = UploadFiles()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError), files.open("a1", b"x" * 5000):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(files) == 0
    with files.open("a1", b"content") as path:
        assert path.read_bytes() == b"content", "the next attempt does not find half a file"
        assert [file for file in path.parent.iterdir() if not file.name.startswith(".")] == [path]


def test_a_document_that_is_dropped_while_it_is_used_does_not_stay() -> None:
    files = UploadFiles()
    with files.open("a1", b"content") as path:
        files.drop("a1")
        path.write_bytes(b"as a thread that was late with writing it")
    assert not path.exists() and len(files) == 0


def test_a_name_with_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="letters and digits"), UploadFiles().open("../x", b""):
        pass


def test_a_document_that_is_dropped_before_it_is_kept_does_not_stay() -> None:
    files = UploadFiles()
    files.expect("a1")
    files.drop("a1")
    assert not files.keep("a1", b"content").exists() and len(files) == 0
    files.expect("b2")
    assert files.keep("b2", b"content").read_bytes() == b"content"

"""A disk of 1 MB that is full, for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

DISK_BYTES = 1 << 20


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of `DISK_BYTES` at `folder`; the test is skipped where this user may not mount one."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"):
        yield folder


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """What the arguments of `mount` say, mounted at `folder`; the test is skipped where this user may not."""
    folder.mkdir(exist_ok=True)
    try:
        done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no program mount")
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)  # perhaps a test did it


def unmount(folder: Path) -> None:
    """Take the file system away, which leaves an empty folder."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more fits; the file that has to be deleted for room."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler

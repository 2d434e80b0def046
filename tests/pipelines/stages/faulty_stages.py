"""Stages that meet faults of their machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.schema import Row, mark_failed


class FailTimes:
    """Meets an error of the operating system as often as `folder` has files, and removes one each time.

    Only for rows whose `uri` starts with "bad", if `only_bad`.
    """

    def __init__(self, folder: Path, error: str = "ENOSPC", only_bad: bool = False) -> None:
        self.folder, self.number, self.only_bad = folder, getattr(errno, error), only_bad

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            left = sorted(self.folder.iterdir())
            if not left or (self.only_bad and not row["uri"].startswith("bad")):
                yield {**row, "status": "ok"}
                continue
            try:
                left[0].unlink()
                raise OSError(self.number, os.strerror(self.number))
            except OSError as error:
                yield mark_failed(row, error)


def times(folder: Path, count: int) -> Path:
    """A folder with which `FailTimes` fails that often."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03d}").touch()
    return folder

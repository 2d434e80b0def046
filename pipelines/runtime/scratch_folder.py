"""Scratch folders: temporary folders that do not outlive their process, however it ends.

A process that is killed cannot remove its folder. The folder is locked as long as the process lives, so that any other
process on this machine can tell that it is left over, and remove it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO

PREFIX = "layoutlmv2-"

LOCK_NAME = ".lock"

UNFINISHED = "unfinished-"
"""After `PREFIX`: a folder that is not locked yet."""

UNFINISHED_SECONDS = 3600.0


class ScratchFolder:
    """A folder of this process, removed when this object is, or after the process has died.

    Attributes:
        path: exists, and only this user can enter it.
    """

    def __init__(self, purpose: str) -> None:
        """Make it, and remove what processes that died have left.

        Args:
            purpose: a word, for those who look at the folder.
        """
        remove_leftovers()
        unfinished = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{UNFINISHED}"))
        lock = (unfinished / LOCK_NAME).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = unfinished.name.removeprefix(f"{PREFIX}{UNFINISHED}")
        self.path = unfinished.rename(unfinished.with_name(f"{PREFIX}{purpose}-{name}"))
        self._finalizer = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def remove(self) -> None:
        """Remove it with all that it holds; a second call does nothing."""
        self._finalizer()


def remove_leftovers(parent: Path | None = None) -> None:
    """Remove the scratch folders of this user's dead processes; what cannot be removed stays.

    Args:
        parent: where they are; by default the folder for temporary files.
    """
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        with suppress(OSError):  # such as one that another process has just removed
            if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
                continue
            if folder.name.startswith(f"{PREFIX}{UNFINISHED}"):
                if time.time() - folder.stat().st_mtime > UNFINISHED_SECONDS:
                    shutil.rmtree(folder)
                continue
            with (folder / LOCK_NAME).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def _remove(path: Path, lock: IO[bytes], owner: int) -> None:
    if os.getpid() == owner:  # a forked process has a copy of the object, and none of its rights
        shutil.rmtree(path, ignore_errors=True)
    lock.close()

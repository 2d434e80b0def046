"""Upload files: uploaded documents as temporary files, kept hardly longer than their requests take.

They are in a scratch folder: what a replica that is killed leaves is removed by its sandboxes, or by the next replica.
PDFium opens a file by its real path, so that a file without a name, which the system would remove, does not serve.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.runtime.scratch_folder import ScratchFolder

IDLE_SECONDS = 10.0
"""A file that has not been used for this long is removed, should its request never announce its end."""

MAX_FILES = 8


class UploadFiles:
    """The documents that a replica read last, by upload; safe to use from several threads."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._folder = ScratchFolder("uploads")
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._timers: dict[str, threading.Timer | None] = {}

    @contextmanager
    def open(self, upload_id: str, content: bytes) -> Iterator[Path]:
        """The path of a document's file, which is written the first time and exists at least until the context ends.

        Raises:
            ValueError: `upload_id` has other characters than letters and digits.
            OSError: the file cannot be written; nothing of it is left.
        """
        if not upload_id.isalnum():
            raise ValueError("the id of an upload consists of letters and digits")
        path = self._folder.path / upload_id
        with self._lock:
            timer = self._timers.get(upload_id)
            if timer is not None:
                timer.cancel()
            is_new = upload_id not in self._timers
            self._timers[upload_id] = None
            others = [name for name, timer in self._timers.items() if timer is not None]
        for name in others[: max(0, len(self._timers) - MAX_FILES)]:
            self.drop(name)
        try:
            if is_new:
                self._write(path, content)
            yield path
        finally:
            timer = threading.Timer(self._idle_seconds, self.drop, [upload_id])
            timer.daemon = True
            with self._lock:
                if upload_id in self._timers:
                    self._timers[upload_id] = timer
                    timer.start()
                else:
                    path.unlink(missing_ok=True)  # it was dropped while it was written

    def expect(self, upload_id: str) -> None:
        """A document is about to be kept; it is not if it is dropped before."""
        with self._lock:
            self._timers[upload_id] = None

    def keep(self, upload_id: str, content: bytes) -> Path:
        """Write the file of a document that is expected, which then exists until it is dropped; its path.

        Raises:
            OSError: the file cannot be written; nothing of it is left.
        """
        path = self._folder.path / upload_id
        self._write(path, content)
        with self._lock:
            if upload_id not in self._timers:
                path.unlink(missing_ok=True)  # it was dropped while it was written
        return path

    def drop(self, upload_id: str) -> None:
        """Remove a document's file, if it is there."""
        with self._lock:
            timer = self._timers.pop(upload_id, None)
            if timer is not None:
                timer.cancel()
        if upload_id.isalnum():
            (self._folder.path / upload_id).unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        partial = path.with_name(f"{path.name}.partial")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            self.drop(path.name)
            raise

    def __len__(self) -> int:
        return len(self._timers)

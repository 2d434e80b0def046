"""Upload files: uploaded documents as temporary files, kept hardly longer than their requests take."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IDLE_SECONDS = 10.0
"""A file that has not been used for this long is removed, should its request never announce its end."""

MAX_FILES = 8


class UploadFiles:
    """The documents that a replica read last, by upload; safe to use from several threads."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="uploads-")
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._timers: dict[str, threading.Timer | None] = {}

    @contextmanager
    def open(self, upload_id: str, content: bytes) -> Iterator[Path]:
        """The path of a document's file, which is written the first time and exists at least until the context ends.

        Raises:
            ValueError: `upload_id` has other characters than letters and digits.
        """
        if not upload_id.isalnum():
            raise ValueError("the id of an upload consists of letters and digits")
        path = Path(self._folder.name, upload_id)
        with self._lock:
            timer = self._timers.get(upload_id)
            if timer is not None:
                timer.cancel()
            is_new = upload_id not in self._timers
            self._timers[upload_id] = None
            others = [name for name, timer in self._timers.items() if timer is not None]
        for name in others[: max(0, len(self._timers) - MAX_FILES)]:
            self.drop(name)
        if is_new:
            try:
                path.write_bytes(content)
            except OSError:
                self.drop(upload_id)  # a part of it, which a second attempt would take for the whole
                raise
        try:
            yield path
        finally:
            timer = threading.Timer(self._idle_seconds, self.drop, [upload_id])
            timer.daemon = True
            with self._lock:
                if upload_id in self._timers:
                    self._timers[upload_id] = timer
                    timer.start()

    def drop(self, upload_id: str) -> None:
        """Remove a document's file, if it is there."""
        with self._lock:
            timer = self._timers.pop(upload_id, None)
            if timer is not None:
                timer.cancel()
        if upload_id.isalnum():
            Path(self._folder.name, upload_id).unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._timers)

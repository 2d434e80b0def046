"""Limits Tesseract, and only Tesseract, to one OpenMP thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_users: list[str | None] = []
"""One entry for each thread inside `one_openmp_thread`; the first is the limit to restore."""


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """Set OMP_THREAD_LIMIT=1 for libraries loaded and programs started in the context, and restore it afterwards.

    The variable is the only way to limit Tesseract, which requests its threads by number. If it stayed set, it would
    also limit a PyTorch that is loaded later.
    """
    name = "OMP_THREAD_LIMIT"
    with _lock:
        _users.append(os.environ.get(name) if not _users else None)
        before = _users[0]
        os.environ[name] = "1"
    try:
        yield
    finally:
        with _lock:
            _users.pop()
            if not _users:
                if before is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = before

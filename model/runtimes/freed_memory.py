"""Keeps freed memory in the process, where it is needed again in the next operation."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

LARGEST = 32 * 2**20
"""Bytes up to which an allocation comes from the process's own memory: glibc accepts no more."""

KEPT = 256 * 2**20
"""Free bytes that each arena keeps."""


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of returning it to the system; False where it cannot be told to.

    The attention bias of a full window has 15 MB. Left to itself, glibc asks the system for them at every window, which
    then clears and maps 3,700 pages: a tenth of the window's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))

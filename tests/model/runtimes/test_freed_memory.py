from __future__ import annotations

import platform

import pytest

from model.runtimes.freed_memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_glibc_accepts_both_limits() -> None:
    assert keep_freed_memory()

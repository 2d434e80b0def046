"""Waiting for an endpoint to start: signals are heard, failures are told, and it does not last for ever."""

from __future__ import annotations

import threading
import time

import pytest

from pipelines.serving.startup import await_start


def after(seconds: float) -> float:
    return time.monotonic() + seconds


def test_what_fails_while_it_starts_is_told() -> None:
    def fail() -> None:
        raise RuntimeError("no such deployment")

    with pytest.raises(RuntimeError, match="no such deployment"):
        await_start(fail, threading.Event(), after(60))
    await_start(lambda: None, threading.Event(), after(60))


def test_a_signal_ends_the_wait_for_what_never_starts() -> None:
    stopped = threading.Event()
    threading.Timer(0.05, stopped.set).start()
    await_start(threading.Event().wait, stopped, after(60))


def test_what_does_not_start_in_time_says_where_to_look() -> None:
    with pytest.raises(TimeoutError, match="ray status"):
        await_start(threading.Event().wait, threading.Event(), after(0.05))

"""Startup: how long an endpoint may take to start, and waiting for that without being deaf to signals."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future

START_SECONDS = 300.0
"""The longest that the processes may take to start, and the model to answer for the first time."""


def await_start(start: Callable[[], object], stopped: threading.Event, deadline: float) -> None:
    """Run `start` on another thread, until it is done or a signal has come: Serve waits without an end.

    Args:
        deadline: on the clock of `time.monotonic`.

    Raises:
        TimeoutError: it is not done at the deadline.
        Exception: what `start` raises.
    """
    outcome: Future[object] = Future()

    def run() -> None:
        try:
            outcome.set_result(start())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while not outcome.done() and not stopped.wait(0.1):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the endpoint's processes have not started within {START_SECONDS:g} s; `ray status` says whether "
                "there are CPUs for them, and Ray's log folder has the logs of the replicas"
            )
    if outcome.done():
        outcome.result()


def await_health(host: str, port: int, stopped: threading.Event, deadline: float) -> None:
    """Wait until a page has been answered.

    Raises:
        TimeoutError: none was at `deadline`, on the clock of `time.monotonic`.
    """
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    while not stopped.is_set():
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=5):
                return
        except OSError as error:  # among them URLError and HTTPError
            if time.monotonic() > deadline:
                raise TimeoutError(f"the model has not answered within {START_SECONDS:g} s: {error}") from error
        stopped.wait(0.2)

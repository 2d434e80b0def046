"""Work thread: the one thread of a replica that does its work, and whether it still makes progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class WorkThread:
    """Runs calls one after the other. Work shows that it makes progress by ending, or by `sign_of_life`."""

    def __init__(self, name: str, silent_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            silent_seconds: the thread counts as stuck if its work shows no progress for longer than this.
        """
        self._name = name
        self._silent_seconds = silent_seconds
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._progress_at: float | None = None
        self._allowed_seconds = silent_seconds

    def submit(self, work: Callable[[], Result], silent_seconds: float | None = None) -> Future[Result]:
        """Run `work` after all earlier work; `silent_seconds`: of this work, if it may take longer than others.

        Raises:
            RuntimeError: the thread has been shut down.
        """

        def watched() -> Result:
            self._allowed_seconds = self._silent_seconds if silent_seconds is None else silent_seconds
            self._progress_at = self._clock()
            try:
                return work()
            finally:
                self._progress_at = None

        return self._executor.submit(watched)

    async def run(self, work: Callable[[], Result], silent_seconds: float | None = None) -> Result:
        """The same, awaited."""
        return await asyncio.wrap_future(self.submit(work, silent_seconds))

    @property
    def is_idle(self) -> bool:
        """Whether no work is in progress."""
        return self._progress_at is None

    def sign_of_life(self) -> None:
        """The work in progress goes on; called by it."""
        self._progress_at = self._clock()

    def close(self) -> None:
        """Take no further work; the thread ends after the earlier work."""
        self._executor.shutdown(wait=False)

    def check(self) -> None:
        """
        Raises:
            RuntimeError: the thread has been shut down, or its work has shown no progress for too long.
        """
        progress_at = self._progress_at
        silent = 0.0 if progress_at is None else self._clock() - progress_at
        if silent > self._allowed_seconds:
            raise RuntimeError(f"the thread that {self._name} has made no progress for {silent:.0f} s")
        self._executor.submit(lambda: None)  # an executor that has been shut down refuses work

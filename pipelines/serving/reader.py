"""Reader: the deployment that reads pages. A replica reads one page at a time: it is one core's worth of work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pipelines.schema import Row
from pipelines.serving.document_reader import Content, DocumentReader, OpenResult, ReadRequest, ShouldContinue
from pipelines.serving.options import ServeOptions
from pipelines.serving.work_thread import WorkThread
from pipelines.stages.sandbox import START_SECONDS

Result = TypeVar("Result")


class Reader:
    """Runs a `DocumentReader` on a thread of its own. What is no longer awaited is stopped, or never started."""

    def __init__(self, options: ServeOptions) -> None:
        self._documents = DocumentReader(options)
        self._documents.warm_up()
        # A sandbox shows progress several times a second while it works, and none while its process starts.
        self._thread = WorkThread("reads-pages", START_SECONDS + options.extract.limits.seconds)

    async def open(self, request: ReadRequest, content: Content) -> OpenResult:
        """See `DocumentReader.open`."""
        return await self._run(partial(self._documents.open, request, content), request.seconds_left)

    async def read(self, request: ReadRequest, page: Row, content: Content) -> Row:
        """See `DocumentReader.read_page`; `seconds_left` are those after reading."""
        started = time.monotonic()
        row = await self._run(partial(self._documents.read_page, request, page, content), request.seconds_left)
        return {**row, "seconds_left": request.seconds_left - (time.monotonic() - started)}

    async def open_and_read(self, request: ReadRequest, content: Content) -> tuple[OpenResult, Row | None]:
        """See `DocumentReader.open_and_read`; `seconds_left` are those after reading."""
        started = time.monotonic()
        try:
            work = partial(self._documents.open_and_read, request, content)
            result, row = await self._run(work, request.seconds_left)
        finally:
            self._thread.submit(self._release)
        if row is not None:
            row = {**row, "seconds_left": request.seconds_left - (time.monotonic() - started)}
        return result, row

    async def forget(self, upload_id: str) -> None:
        """The document is not needed any more."""
        self._documents.drop(upload_id)
        await self._thread.run(self._release)

    @property
    def is_idle(self) -> bool:
        """Whether its thread has nothing to do; what was cancelled ends a moment later."""
        return self._thread.is_idle

    def close(self) -> None:
        """Take no further work, and end the processes that parse documents once the earlier work is done."""
        self._thread.submit(self._documents.close)
        self._thread.close()

    async def ping(self) -> None:
        """Called by gateways, to see whether any replica answers.

        Raises:
            RuntimeError: as `check_health` does.
        """
        self.check_health()

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: the thread that reads pages has been shut down, or is stuck.
        """
        self._thread.check()

    def _release(self) -> None:
        self._documents.release(self._is_alive)

    def _is_alive(self) -> bool:
        self._thread.sign_of_life()
        return True

    async def _run(self, work: Callable[[ShouldContinue], Result], seconds: float) -> Result:
        """Run `work` after all earlier work, for as long as it is awaited and no longer than `seconds` from now."""
        cancelled = threading.Event()
        deadline = time.monotonic() + seconds

        def should_continue() -> bool:
            return self._is_alive() and not cancelled.is_set() and time.monotonic() < deadline

        try:
            return await self._thread.run(partial(work, should_continue))
        except asyncio.CancelledError:
            cancelled.set()
            raise

"""Reader: the deployment that reads pages. A replica reads one page at a time: it is one core's worth of work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from pipelines.schema import Row
from pipelines.serving.document_reader import DocumentReader, OpenResult, ReadRequest, ShouldContinue
from pipelines.serving.options import ServeOptions

Result = TypeVar("Result")


class Reader:
    """Runs a `DocumentReader` on a thread of its own. What is no longer awaited is stopped, or never started."""

    def __init__(self, options: ServeOptions) -> None:
        self._documents = DocumentReader(options)
        self._documents.warm_up()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reads-pages")

    async def open(self, request: ReadRequest, content: bytes) -> OpenResult:
        """See `DocumentReader.open`."""
        return await self._run(partial(self._documents.open, request, content))

    async def read(self, request: ReadRequest, page: Row, content: bytes) -> Row:
        """See `DocumentReader.read_page`."""
        return await self._run(partial(self._documents.read_page, request, page, content))

    async def open_and_read(self, request: ReadRequest, content: bytes) -> tuple[OpenResult, Row | None]:
        """See `DocumentReader.open_and_read`."""
        try:
            return await self._run(partial(self._documents.open_and_read, request, content))
        finally:
            self._thread.submit(self._documents.release)

    async def forget(self, upload_id: str) -> None:
        """The document is not needed any more."""
        self._documents.drop(upload_id)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._documents.release)

    async def ping(self) -> None:
        """Called by gateways, to see whether any replica answers."""

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: the thread that reads pages has been shut down.
        """
        self._thread.submit(lambda: None)  # an executor that has been shut down refuses work

    async def _run(self, work: Callable[[ShouldContinue], Result]) -> Result:
        """Run `work` after all earlier work."""
        cancelled = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, lambda: not cancelled.is_set())
        except asyncio.CancelledError:
            cancelled.set()
            raise

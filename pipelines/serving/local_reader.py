"""Local reader: the deployment that reads pages and runs the models over them, in one process without a GPU.

Gateways of the same machine call it through a socket (see `local_calls`), and name the file of an uploaded document
instead of sending its bytes. Serve starts it, asks for its health and replaces it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from pipelines.schema import Row
from pipelines.serving.document_reader import Content, OpenResult, ReadRequest
from pipelines.serving.local_calls import LocalServer
from pipelines.serving.model_runner import ModelRunner
from pipelines.serving.options import ServeOptions
from pipelines.serving.reader import Reader
from pipelines.serving.reading_lanes import ReadingLanes

METHODS = ("open", "open_and_answer", "answer_page", "forget")
"""What gateways call through the socket."""


class LocalReader:
    """Reads pages in `ReadingLanes` and answers them with a `ModelRunner`."""

    _server: LocalServer | None = None  # Serve drains a replica that is stopped while it starts, too

    async def __init__(self, options: ServeOptions) -> None:  # type: ignore[misc]
        self._lanes = ReadingLanes(partial(Reader, options), options.lanes.minimum, options.lanes.maximum)
        await self._lanes.start()
        self._runner = ModelRunner(options)
        await self._runner.start()
        self._server = LocalServer(self, METHODS)
        await self._server.start()

    async def address(self) -> str:
        """The path of the socket; called by gateways, also to see whether this replica answers.

        Raises:
            RuntimeError: as `check_health` does.
        """
        self.check_health()
        assert self._server is not None, "it has been started"
        return self._server.path

    async def open(self, request: ReadRequest, content: Content) -> OpenResult:
        """See `DocumentReader.open`."""
        async with self._lane(request) as (reader, request):
            return await reader.open(request, content)

    async def open_and_answer(self, request: ReadRequest, content: Content) -> tuple[OpenResult, bytes | None]:
        """Open a document and answer its first selected page; None if it has none."""
        async with self._lane(request) as (reader, request):
            result, row = await reader.open_and_read(request, content)
        return result, None if row is None else (await self._runner.answer(request.model, row))[0]

    async def answer_page(self, request: ReadRequest, page: Row, content: Content) -> tuple[bytes, int]:
        """The JSON of a page of `OpenResult.pages`, and the number of windows that it took."""
        async with self._lane(request) as (reader, request):
            row = await reader.read(request, page, content)
        return await self._runner.answer(request.model, row)

    async def forget(self, upload_id: str) -> None:
        """The document is not needed any more."""
        for reader in self._lanes.forget(upload_id):
            await reader.forget(upload_id)

    async def drain(self) -> None:
        """Finish the calls in progress, of which Serve knows nothing, and take no others."""
        if self._server is not None:
            await self._server.drain()

    @asynccontextmanager
    async def _lane(self, request: ReadRequest) -> AsyncIterator[tuple[Reader, ReadRequest]]:
        """A lane, and the request with the seconds that are left when it is free."""
        started = time.monotonic()
        async with self._lanes.lane(request.upload_id) as reader:
            yield reader, replace(request, seconds_left=request.seconds_left - (time.monotonic() - started))

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: a thread that reads pages or runs the model is stuck.
        """
        self._lanes.check()
        self._runner.check()

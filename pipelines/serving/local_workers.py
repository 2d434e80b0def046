"""Local workers: the readers of the gateway's own machine, which run the models themselves.

Serve tells where their sockets are; the calls pass it by. A document is a file that the gateway writes once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from pipelines.schema import Row
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.local_calls import ClosingError, ConnectionLostError, LocalClient
from pipelines.serving.upload_files import UploadFiles
from pipelines.serving.workers import PING_SECONDS, NoWorkerError, StoredContent, WorkerLostError

logger = logging.getLogger(__name__)

QUICK_BYTES = 1_000_000
"""A larger document is written on another thread than that of the event loop."""

FIND_SECONDS, FIND_PAUSE_SECONDS = 60.0, 0.5
"""How long a call without a replica waits, and how often it looks: Serve starts another in place of one that died."""


class LocalWorkers:
    """Connections to the replicas of a deployment of `LocalReader`; used from one event loop."""

    def __init__(self, reader: DeploymentHandle) -> None:
        self._reader = reader
        self._files = UploadFiles()
        self._clients: dict[str, LocalClient] = {}
        self._closing: WeakSet[LocalClient] = WeakSet()
        self._finding: asyncio.Task[bool] | None = None

    async def store(self, upload_id: str, content: bytes) -> StoredContent:
        """Write the document's file.

        Raises:
            OSError: it cannot be written.
        """
        self._files.expect(upload_id)  # here, so that a file which is forgotten before it is written is not left
        if len(content) <= QUICK_BYTES:
            return self._files.keep(upload_id, content)
        return await asyncio.to_thread(self._files.keep, upload_id, content)

    async def open(self, request: ReadRequest, content: StoredContent) -> OpenResult:
        result: OpenResult = await self._call("open", request, content)
        return result

    async def open_and_answer(self, request: ReadRequest, content: StoredContent) -> tuple[OpenResult, bytes | None]:
        answered: tuple[OpenResult, bytes | None] = await self._call("open_and_answer", request, content)
        return answered

    async def answer_page(self, request: ReadRequest, page: Row, content: StoredContent) -> tuple[bytes, int]:
        answered: tuple[bytes, int] = await self._call("answer_page", request, page, content)
        return answered

    async def forget(self, upload_id: str, is_open: bool) -> None:
        self._files.drop(upload_id)
        if is_open:
            clients = [client for client in self._clients.values() if not client.is_lost]
            calls = (asyncio.wait_for(client.call("forget", upload_id), PING_SECONDS) for client in clients)
            await asyncio.gather(*calls, return_exceptions=True)

    async def reach_all(self) -> bool:
        """Ask Serve for the sockets, connect to those that are new, and give up those of replicas that are gone.

        Calls that wait for a replica share one search.
        """
        if self._finding is None or self._finding.done():
            self._finding = asyncio.ensure_future(self._look())
        return await asyncio.shield(self._finding)

    async def _look(self) -> bool:
        try:
            replies = await self._reader.broadcast("address").results_async(
                timeout_s=PING_SECONDS, return_exceptions=True
            )
        except TimeoutError:
            return bool(self._connected())
        except DeploymentUnavailableError:
            replies = []
        for path in replies:
            if isinstance(path, str) and (path not in self._clients or self._clients[path].is_lost):
                await self._connect(path)
        for path in [path for path, client in self._clients.items() if client.is_lost]:
            del self._clients[path]
        return bool(self._connected()) and not all(isinstance(reply, BaseException) for reply in replies)

    def _connected(self) -> list[LocalClient]:
        return [client for client in self._clients.values() if not client.is_lost and client not in self._closing]

    async def _connect(self, path: str) -> None:
        try:
            self._clients[path] = await LocalClient.connect(path)
        except OSError as error:  # it has just died, if it is not of another machine
            logger.warning("no connection to a reader: %s; on several machines, deploy with placement: apart", error)

    async def _call(self, method: str, request: ReadRequest, *arguments: Any) -> Any:
        """Call the replica with the fewest calls in progress; wait for one if there is none, as calls of Serve do.

        Raises:
            NoWorkerError: none has come for `FIND_SECONDS`.
            WorkerLostError: it died.
        """
        started = time.monotonic()
        while True:
            while not self._connected():
                await self._find()
                if self._connected():
                    break
                if time.monotonic() > started + FIND_SECONDS:
                    raise NoWorkerError("no process reads pages at the moment")
                await asyncio.sleep(FIND_PAUSE_SECONDS)
            client = min(self._connected(), key=lambda one: one.calls)
            left = replace(request, seconds_left=request.seconds_left - (time.monotonic() - started))
            try:
                return await client.call(method, left, *arguments)
            except ClosingError:
                self._closing.add(client)
            except ConnectionLostError as error:
                raise WorkerLostError from error

    async def _find(self) -> None:
        try:
            await self.reach_all()
        except Exception as error:  # Serve may be starting, or ending
            logger.warning("the readers cannot be found: %s: %s", type(error).__name__, error)

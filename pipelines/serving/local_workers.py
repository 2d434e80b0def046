"""Local workers: the readers of the gateway's own machine, which run the models themselves.

Serve tells where their sockets are; the calls pass it by. A document is a file that the gateway writes once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from weakref import WeakSet

from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from pipelines.schema import Row
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.local_calls import ClosingError, ConnectionLostError, LocalClient
from pipelines.serving.upload_files import UploadFiles
from pipelines.serving.workers import PING_SECONDS, StoredContent, WorkerLostError

logger = logging.getLogger(__name__)

QUICK_BYTES = 1_000_000
"""A larger document is written on another thread than that of the event loop."""

FIND_PAUSE_SECONDS = 0.5
"""How long calls without a replica wait before they look again: Serve starts another in place of one that died."""


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
            await asyncio.gather(*(client.call("forget", upload_id) for client in clients), return_exceptions=True)

    async def reach_all(self) -> bool:
        """Ask Serve for the sockets, connect to those that are new, and give up those of replicas that are gone."""
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
        except OSError as error:  # it has just died, or is of another machine
            logger.warning("no connection to a reader: %s", error)

    async def _call(self, method: str, *arguments: Any) -> Any:
        """Call the replica with the fewest calls in progress; wait for one if there is none, as calls of Serve do.

        Raises:
            WorkerLostError: it died.
        """
        while True:
            while not self._connected():
                await self._find()
                if not self._connected():
                    await asyncio.sleep(FIND_PAUSE_SECONDS)
            client = min(self._connected(), key=lambda one: one.calls)
            try:
                return await client.call(method, *arguments)
            except ClosingError:
                self._closing.add(client)
            except ConnectionLostError as error:
                raise WorkerLostError("The process that worked on it died; it may be too much for it.") from error

    async def _find(self) -> None:
        """`reach_all`, once for all calls that wait for it."""
        if self._finding is None or self._finding.done():
            self._finding = asyncio.ensure_future(self.reach_all())
        try:
            await asyncio.shield(self._finding)
        except Exception as error:  # Serve may be starting, or ending
            logger.warning("the readers cannot be found: %s: %s", type(error).__name__, error)

"""Local calls: calls between two processes of one machine, through a Unix socket.

A call of Ray Serve passes a router, gRPC and two event loops and takes some 8 ms of CPU time; one of these takes a few
tenths of one. The socket is in a folder that only this user can enter, so both sides trust each other's pickles, as
Ray's processes do.

A message is its length in 8 bytes and a pickled tuple: from the caller (number, method, arguments), or (number, None,
()) to cancel a call; from the other side (number, whether it succeeded, result or exception and its causes), or (None,
False, []) when it ends: what has no answer by then was never begun.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import struct
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from itertools import count, pairwise
from typing import Any

from pipelines.errors import ProcessingError
from pipelines.runtime.scratch_folder import ScratchFolder

logger = logging.getLogger(__name__)

SOCKET_NAME = "calls"

MAX_CAUSES = 10
"""Of an exception, counting itself."""

_LENGTH = struct.Struct("<Q")


class ConnectionLostError(ConnectionError):
    """The process on the other side has ended, or closed its socket."""


class ClosingError(Exception):
    """The process on the other side takes no further calls: it is about to end."""


class LocalServer:
    """Answers calls of some asynchronous methods of an object. A call whose caller leaves is cancelled."""

    def __init__(self, target: object, methods: Collection[str]) -> None:
        self._methods = {name: getattr(target, name) for name in methods}
        self._folder = ScratchFolder("calls")
        self._server: asyncio.AbstractServer | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def path(self) -> str:
        """Of the socket."""
        return str(self._folder.path / SOCKET_NAME)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the folder for temporary files has too long a name for a socket; a shorter TMPDIR helps.
        """
        self._is_closing = False
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def drain(self) -> None:
        """Take no further calls, and wait for those in progress; then `close`."""
        self._is_closing = True
        while self._running:
            await asyncio.wait(self._running)
        for writer in self._connections:
            _send(writer, pickle.dumps((None, False, []), protocol=5))
        self.close()

    def close(self) -> None:
        """Listen no longer, and end all connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        running: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                number, method, arguments = await _receive(reader)
                if method is not None:
                    task = running[number] = asyncio.ensure_future(self._answer(writer, number, method, arguments))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                    task.add_done_callback(partial(_remove, running, number))
                elif number in running:
                    running[number].cancel()
        except ConnectionLostError:
            pass  # the caller has ended, and wants no answers any more
        finally:
            for task in list(running.values()):
                task.cancel()
            writer.close()
            self._connections.discard(writer)

    async def _answer(self, writer: asyncio.StreamWriter, number: int, method: str, arguments: tuple[Any, ...]) -> None:
        try:
            if self._is_closing:
                raise ClosingError("the process is about to end")
            message = pickle.dumps((number, True, await self._methods[method](*arguments)), protocol=5)
        except Exception as error:
            if not isinstance(error, (ProcessingError, ClosingError)):
                logger.exception("a call of %s has failed", method)  # the caller gets it without its traceback
            message = pickle.dumps((number, False, _portable(error)), protocol=5)
        _send(writer, message)


class LocalClient:
    """A connection to a `LocalServer`, with any number of calls at a time; used from one event loop.

    Attributes:
        is_lost: whether the other side has closed it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.is_lost = False
        self._receiving = asyncio.ensure_future(self._receive_all(reader))

    @classmethod
    async def connect(cls, path: str) -> LocalClient:
        """
        Raises:
            OSError: nobody listens there.
        """
        return cls(*await asyncio.open_unix_connection(path))

    @property
    def calls(self) -> int:
        """Number of calls in progress."""
        return len(self._waiting)

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of a method; if the caller is cancelled, so is the method.

        Raises:
            ConnectionLostError: the other side has ended.
            Exception: what the method raised.
        """
        if self.is_lost:
            raise ConnectionLostError("the process has ended")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            _send(self._writer, pickle.dumps((number, method, arguments), protocol=5))
            return await answer
        except asyncio.CancelledError:
            _send(self._writer, pickle.dumps((number, None, ()), protocol=5))
            raise
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Close the connection; calls in progress raise `ConnectionLostError`."""
        self._receiving.cancel()

    async def _receive_all(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, succeeded, result = await _receive(reader)
                if number is None:
                    self._fail_all(ClosingError("the process has ended"))
                    continue
                answer = self._waiting.get(number)
                if answer is None or answer.done():
                    continue  # it has been cancelled
                if succeeded:
                    answer.set_result(result)
                else:
                    answer.set_exception(_with_causes(result))
        except ConnectionLostError:
            pass
        finally:
            self.is_lost = True
            self._fail_all(ConnectionLostError("the process has ended"))
            self._writer.close()

    def _fail_all(self, error: Exception) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)


async def _receive(reader: asyncio.StreamReader) -> Any:
    """
    Raises:
        ConnectionLostError: the other side has closed the connection.
    """
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise ConnectionLostError("the process has ended") from error


def _remove(running: dict[int, asyncio.Task[None]], number: int, _: asyncio.Task[None]) -> None:
    running.pop(number, None)


def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    """Send a message; nothing waits for it to be taken, because no more is in progress than a gateway admits."""
    if not writer.is_closing():
        writer.write(_LENGTH.pack(len(message)) + message)


def _portable(error: BaseException) -> list[BaseException]:
    """The exception, its cause, the cause of that and so on, which pickling alone would drop.

    One that does not survive pickling becomes a RuntimeError that says the same.
    """
    causes = list[BaseException]()
    cause: BaseException | None = error
    while cause is not None and len(causes) < MAX_CAUSES:
        portable: BaseException = RuntimeError(f"{type(cause).__name__}: {cause}")
        with suppress(Exception):
            if isinstance(pickle.loads(pickle.dumps(cause)), type(cause)):
                portable = cause
        causes.append(portable)
        cause = cause.__cause__
    return causes


def _with_causes(causes: list[BaseException]) -> BaseException:
    """The first of `_portable`, with the others as its causes."""
    for error, cause in pairwise(causes):
        error.__cause__ = cause
    return causes[0]

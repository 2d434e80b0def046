"""Reading lanes: the readers of one process. Each lane has its own sandbox and thread, and reads a page at a time.

A page waits until a lane is free, in the order of arrival; a slow document keeps one lane, never the others. Lanes are
added while pages wait, up to a maximum, and closed again when they have had nothing to do for a while.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pipelines.serving.reader import Reader

logger = logging.getLogger(__name__)

IDLE_SECONDS = 120.0
"""A lane beyond the minimum that has had nothing to do for this long is closed."""

PAUSE_SECONDS = 30.0
"""No lane is added for this long after one could not be."""


class ReadingLanes:
    """Readers that share the pages of a process; used from one event loop."""

    def __init__(
        self, make: Callable[[], Reader], minimum: int, maximum: int, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """
        Args:
            make: takes seconds, and is called in threads.
            minimum, maximum: numbers of lanes.
            idle_seconds: see `IDLE_SECONDS`.
        """
        self._idle_seconds = idle_seconds
        self._close_timer: asyncio.TimerHandle | None = None
        self._add_after = -math.inf
        self._make = make
        self._minimum, self._maximum = minimum, maximum
        self._idle: list[Reader] = []
        self._lanes: list[Reader] = []
        self._waiting: deque[asyncio.Future[Reader]] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._last_document: dict[Reader, str] = {}
        self._idle_since: dict[Reader, float] = {}

    @property
    def count(self) -> int:
        """Lanes that can read."""
        return len(self._lanes)

    async def start(self) -> None:
        """Start the least number of lanes.

        Raises:
            RuntimeError: pages cannot be read.
        """
        await asyncio.gather(*(self._add() for _ in range(self._minimum)))

    @asynccontextmanager
    async def lane(self, upload_id: str) -> AsyncIterator[Reader]:
        """A lane of one's own: the one that read a page of this document last, if it is free.

        A lane is given back when its reader has been told to stop; until it has, others go first.
        """
        reader = self._take(upload_id) if self._idle else await self._wait()
        self._last_document[reader] = upload_id
        try:
            yield reader
        finally:
            self._give_back(reader)

    def forget(self, upload_id: str) -> list[Reader]:
        """The lanes that had the document last, which are free to close it."""
        held = [reader for reader in self._idle if self._last_document.get(reader) == upload_id]
        for reader in held:
            del self._last_document[reader]
        return held

    def check(self) -> None:
        """
        Raises:
            RuntimeError: a lane is stuck.
        """
        for reader in self._lanes:
            reader.check_health()

    def _take(self, upload_id: str) -> Reader:
        """One of the idle lanes: one that has stopped, that with the document, else that which was used last."""

        def preference(reader: Reader) -> tuple[bool, bool, float]:
            return reader.is_idle, self._last_document.get(reader) == upload_id, self._idle_since[reader]

        reader = max(self._idle, key=preference)
        self._idle.remove(reader)
        return reader

    async def _wait(self) -> Reader:
        is_room = len(self._lanes) + len(self._starting) < self._maximum
        if is_room and time.monotonic() >= self._add_after:
            self._start_another()
        turn: asyncio.Future[Reader] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(turn.result())  # it came too late
            raise

    def _give_back(self, reader: Reader) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(reader)
                return
        self._idle.append(reader)
        self._idle_since[reader] = time.monotonic()
        if self._close_timer is None and len(self._lanes) > self._minimum:
            self._close_timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_idle)

    def _close_idle(self) -> None:
        self._close_timer = None
        until = time.monotonic() - self._idle_seconds
        for reader in [one for one in self._idle if self._idle_since[one] <= until]:
            if len(self._lanes) > self._minimum:
                self._lanes.remove(reader)
                self._idle.remove(reader)
                self._last_document.pop(reader, None)
                del self._idle_since[reader]
                reader.close()
        if len(self._lanes) > self._minimum:
            self._close_timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_idle)

    def _start_another(self) -> None:
        task = asyncio.get_running_loop().create_task(self._try_to_add())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _try_to_add(self) -> None:
        try:
            await self._add()
        except Exception:  # the others go on
            self._add_after = time.monotonic() + PAUSE_SECONDS
            logger.exception("no further process that reads pages can be started, nor will be tried for a while")

    async def _add(self) -> None:
        reader = await asyncio.to_thread(self._make)
        self._lanes.append(reader)
        self._give_back(reader)

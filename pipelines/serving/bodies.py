"""Bodies: what a gateway is receiving, bounded in number, in bytes and in time.

A client that sends slowly, or not at all, costs a socket and no place: places are for requests whose body is there.
When more bodies arrive than are received at a time, the slowest ones end: slow clients never keep out others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.serving.errors import RequestError

BODIES_PER_PLACE = 8
"""Bodies that are received at a time, for each request that is answered at a time."""

CREDIT_BYTES = 64_000
"""Counted as arrived of each body, at least, when speeds are compared: a body that has just begun is not a slow one."""

SHORTEST_SECONDS = 0.1
"""Age below which a body counts as this old, when speeds are compared. Of those that are equally fast the oldest ends:
a flood of new requests does not keep out a body that is about to arrive."""

AGAIN_SECONDS = 1


class Bodies:
    """The bodies that are being received; used from one event loop."""

    def __init__(self, limit: int, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            limit: bodies received at a time.
            max_bytes: that have arrived of all of them together.
            seconds: from a request's headers to the last byte of its body.
        """
        self.limit = limit
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.clock = clock
        self._receiving: dict[Body, None] = {}  # a dict keeps their order, which decides between equals

    @property
    def count(self) -> int:
        """Bodies that are being received."""
        return len(self._receiving)

    @property
    def received_bytes(self) -> int:
        """Bytes that have arrived of the bodies that are being received."""
        return sum(body.received_bytes for body in self._receiving)

    @contextmanager
    def receive(self) -> Iterator[Body]:
        """A body that is being received until the context ends."""
        body = Body(self)
        self._receiving[body] = None
        self.make_room()
        try:
            yield body
        finally:
            self._receiving.pop(body, None)

    def make_room(self) -> None:
        """End the slowest bodies until the bounds hold."""
        while self.count > self.limit or (self.count > 1 and self.received_bytes > self.max_bytes):
            slowest = min(self._receiving, key=lambda body: body.speed)
            del self._receiving[slowest]
            slowest.end()


class Body:
    """One body.

    Attributes:
        received_bytes: that have arrived.
        started_at: when its headers were there, on the clock of `Bodies`.
    """

    def __init__(self, bodies: Bodies) -> None:
        self.received_bytes = 0
        self.started_at = bodies.clock()
        self._bodies = bodies
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def speed(self) -> float:
        """Bytes per second since the headers, with a credit for the first moments."""
        age = max(self._bodies.clock() - self.started_at, SHORTEST_SECONDS)
        return max(self.received_bytes, CREDIT_BYTES) / age

    def end(self) -> None:
        """Stop receiving it."""
        if not self._ended.done():
            self._ended.set_result(None)

    async def chunks(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The parts of the body as they arrive.

        Raises:
            RequestError: 408, if it takes too long, or is the slowest of too many.
        """
        while (chunk := await self._next(stream)) is not None:
            self.received_bytes += len(chunk)
            self._bodies.make_room()
            yield chunk

    async def _next(self, stream: AsyncGenerator[bytes, None]) -> bytes | None:
        seconds = self._bodies.seconds
        arriving = asyncio.ensure_future(anext(stream, None))
        try:
            left = self.started_at + seconds - self._bodies.clock()
            first: set[asyncio.Future[Any]] = {arriving, self._ended}
            await asyncio.wait(first, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                reason = f"too many requests are being received, and this one is the slowest of {self._bodies.limit}"
                raise RequestError(408, "timeout", reason, AGAIN_SECONDS)
            if not arriving.done():
                raise RequestError(408, "timeout", f"the request has not arrived within {seconds:g} s; send it faster")
            return arriving.result()
        finally:
            if not arriving.done():
                arriving.cancel()
                await asyncio.wait({arriving})

"""Calls between two processes of one machine, here between two tasks of one event loop."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.errors import InfrastructureError, ProcessingError, infrastructure_error
from pipelines.serving.local_calls import ClosingError, ConnectionLostError, LocalClient, LocalServer

Use = Callable[[LocalClient, "Target", LocalServer], Awaitable[None]]


class UnportableError(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


@dataclass
class Target:
    """What is called. `wait` ends when it is cancelled, and says so."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def double(self, content: bytes) -> bytes:
        return content * 2

    async def fail(self, error: Exception) -> None:
        raise error

    async def fail_because(self, error: Exception) -> None:
        raise ValueError("not written") from error

    async def fail_strangely(self) -> None:
        raise UnportableError("a", "b")

    async def wait(self) -> None:
        self.started.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def secret(self) -> str:
        return "not for callers"


def with_client(use: Use) -> None:
    async def run() -> None:
        target = Target()
        server = LocalServer(target, ("double", "fail", "fail_because", "fail_strangely", "wait"))
        await server.start()
        client = await LocalClient.connect(server.path)
        await asyncio.wait_for(use(client, target, server), 30)
        client.close()

    asyncio.run(run())


def test_calls_in_progress_get_their_own_results_whatever_their_size() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        waiting = asyncio.create_task(client.call("wait"))
        await target.started.wait()
        sizes = (0, 1, 100_000, 10_000_000)
        results = await asyncio.gather(*(client.call("double", b"x" * size) for size in sizes))
        assert [len(result) for result in results] == [2 * size for size in sizes]
        assert client.calls == 1 and not waiting.done()
        waiting.cancel()

    with_client(use)


def test_a_call_whose_caller_leaves_is_cancelled_on_the_other_side() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        call = asyncio.create_task(client.call("wait"))
        await target.started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await target.cancelled.wait()
        assert client.calls == 0
        assert await client.call("double", b"a") == b"aa"

    with_client(use)


def test_calls_of_a_client_that_goes_are_cancelled_and_its_own_raise() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        call = asyncio.create_task(client.call("wait"))
        await target.started.wait()
        client.close()
        with pytest.raises(ConnectionLostError):
            await call
        await target.cancelled.wait()
        assert client.is_lost
        with pytest.raises(ConnectionLostError):
            await client.call("double", b"a")

    with_client(use)


@pytest.mark.parametrize(
    "error",
    [ProcessingError("timeout", "too late"), InfrastructureError("disk_full", "no space"), OSError(28, "full")],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_arrive_as_they_were_raised(error: Exception) -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        with pytest.raises(type(error)) as raised:
            await client.call("fail", error)
        assert str(raised.value) == str(error) and vars(raised.value) == vars(error)

    with_client(use)


def test_an_exception_brings_its_cause_along_and_a_defect_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        with pytest.raises(ValueError, match="not written") as raised:
            await client.call("fail_because", OSError(28, "full"))
        fault = infrastructure_error(raised.value)
        assert fault is not None and fault.fault == "disk_full"
        [record] = caplog.records
        assert "fail_because has failed" in record.getMessage() and "in fail_because" in (record.exc_text or "")

    with_client(use)


def test_an_exception_that_cannot_be_sent_is_told_by_its_name() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        with pytest.raises(RuntimeError, match="UnportableError: a b"):
            await client.call("fail_strangely")

    with_client(use)


def test_only_the_methods_that_are_named_can_be_called_and_only_by_this_user() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        with pytest.raises(KeyError):
            await client.call("secret")
        folder = Path(server.path).parent.stat()
        assert stat.S_IMODE(folder.st_mode) == 0o700 and folder.st_uid == os.getuid()

    with_client(use)


def test_a_server_that_is_about_to_end_finishes_what_it_has_and_takes_nothing_else() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        call = asyncio.create_task(client.call("wait"))
        await target.started.wait()
        draining = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        with pytest.raises(ClosingError):
            await client.call("double", b"a")
        assert not draining.done()
        target.end.set()
        await call
        await draining
        while not client.is_lost:
            await asyncio.sleep(0.001)

    with_client(use)


def test_a_call_that_has_not_been_read_when_the_server_ends_was_never_begun() -> None:
    async def use(client: LocalClient, target: Target, server: LocalServer) -> None:
        assert await client.call("double", b"a") == b"aa"
        call = asyncio.create_task(client.call("double", b"b"))
        await asyncio.sleep(0)  # it has been sent
        await server.drain()
        with pytest.raises(ClosingError):
            await call

    with_client(use)

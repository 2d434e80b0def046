from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from pipelines.serving.bodies import Bodies, Body
from pipelines.serving.errors import RequestError


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def parts(*sizes: int, then_wait: bool = False) -> AsyncGenerator[bytes, None]:
    for size in sizes:
        yield b"x" * size
    if then_wait:
        await asyncio.Event().wait()


async def received(body: Body, stream: AsyncGenerator[bytes, None]) -> int:
    return sum([len(chunk) async for chunk in body.chunks(stream)])


async def refusal(receiving: Awaitable[int]) -> RequestError:
    with pytest.raises(RequestError) as refused:
        await receiving
    return refused.value


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]


def test_a_body_passes_through_and_is_counted_until_it_is_there() -> None:
    async def scenario() -> None:
        bodies = Bodies(limit=2, max_bytes=1000, seconds=60)
        with bodies.receive() as body:
            assert await received(body, parts(3, 0, 5)) == 8
            assert (bodies.count, bodies.received_bytes) == (1, 8)
        assert (bodies.count, bodies.received_bytes) == (0, 0)

    run(scenario)


def test_a_body_that_stops_is_refused_at_its_deadline() -> None:
    async def scenario() -> None:
        bodies = Bodies(limit=2, max_bytes=1000, seconds=0.05)
        with bodies.receive() as body:
            error = await refusal(received(body, parts(6, then_wait=True)))
        assert (error.status, error.kind) == (408, "timeout") and "0.05 s" in error.message

    run(scenario)


def test_when_too_many_arrive_the_slowest_one_ends() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(limit=2, max_bytes=10**9, seconds=60, clock=clock)
        with bodies.receive() as quick, bodies.receive() as slow:
            waiting = [
                asyncio.ensure_future(received(quick, parts(500_000, then_wait=True))),
                asyncio.ensure_future(received(slow, parts(6, then_wait=True))),
            ]
            await asyncio.sleep(0.01)
            clock.now += 5
            with bodies.receive() as new:
                error = await refusal(waiting[1])
                assert error.status == 408 and error.retry_after == 1 and "slowest of 2" in error.message
                assert await received(new, parts(10)) == 10
            assert not waiting[0].done()
            waiting[0].cancel()

    run(scenario)


def test_in_a_flood_of_new_requests_a_body_that_has_just_begun_outlasts_those_before_it() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(limit=2, max_bytes=10**9, seconds=60, clock=clock)
        with bodies.receive() as first, bodies.receive() as second:
            waiting = [asyncio.ensure_future(received(body, parts(6, then_wait=True))) for body in (first, second)]
            await asyncio.sleep(0.01)
            clock.now += 0.01
            with bodies.receive() as new:
                assert (await refusal(waiting[0])).status == 408
                assert await received(new, parts(10)) == 10
            waiting[1].cancel()

    run(scenario)


def test_when_too_many_bytes_have_arrived_the_slowest_one_ends() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(limit=10, max_bytes=1000, seconds=60, clock=clock)
        with bodies.receive() as old:
            waiting = asyncio.ensure_future(received(old, parts(600, then_wait=True)))
            await asyncio.sleep(0.01)
            clock.now += 30
            with bodies.receive() as new:
                assert await received(new, parts(600)) == 600
            assert (await refusal(waiting)).status == 408

    run(scenario)

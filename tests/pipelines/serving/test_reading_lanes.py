"""Which lane of a process reads which page, and how many lanes there are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from pipelines.serving.reader import Reader
from pipelines.serving.reading_lanes import ReadingLanes


@dataclass(eq=False)
class Lane:
    """What stands for a reader: lanes look at nothing but whether it is healthy."""

    number: int
    is_closed: bool = False
    is_stuck: bool = False
    is_idle: bool = True

    def close(self) -> None:
        self.is_closed = True

    def check_health(self) -> None:
        if self.is_stuck:
            raise RuntimeError(f"lane {self.number} is stuck")


@dataclass
class Made:
    """The lanes that were made; those after `limit` cannot be."""

    limit: int = 99
    refused: int = 0
    lanes: list[Lane] = field(default_factory=list)

    def __call__(self) -> Reader:
        if len(self.lanes) == self.limit:
            self.refused += 1
            raise RuntimeError("no more processes")
        self.lanes.append(Lane(len(self.lanes)))
        return cast(Reader, self.lanes[-1])


def run(use: Callable[[], Awaitable[None]]) -> None:
    async def briefly() -> None:
        await asyncio.wait_for(use(), 30)

    asyncio.run(briefly())


async def read(lanes: ReadingLanes, name: str, until: asyncio.Event, log: list[tuple[str, int]]) -> None:
    async with lanes.lane(name) as reader:
        log.append((name, cast(Lane, reader).number))
        await until.wait()


def test_pages_wait_in_the_order_of_arrival_and_a_slow_one_keeps_one_lane() -> None:
    async def use() -> None:
        lanes = ReadingLanes(Made(), 2, 2)
        await lanes.start()
        slow, quick = asyncio.Event(), asyncio.Event()
        log: list[tuple[str, int]] = []
        tasks = [asyncio.create_task(read(lanes, "slow", slow, log))]
        tasks += [asyncio.create_task(read(lanes, name, quick, log)) for name in "abc"]
        await asyncio.sleep(0.01)
        assert [name for name, _ in log] == ["slow", "a"]
        quick.set()
        await asyncio.gather(*tasks[1:])
        assert [name for name, _ in log] == ["slow", "a", "b", "c"]
        assert {lane for name, lane in log if name != "slow"} == {log[1][1]}
        slow.set()
        await tasks[0]

    run(use)


def test_a_page_goes_to_the_lane_that_has_its_document_open() -> None:
    async def use() -> None:
        lanes = ReadingLanes(Made(), 3, 3)
        await lanes.start()
        log: list[tuple[str, int]] = []
        now, later = asyncio.Event(), asyncio.Event()
        now.set()
        first = [asyncio.create_task(read(lanes, name, later, log)) for name in "abc"]
        await asyncio.sleep(0.01)
        later.set()
        await asyncio.gather(*first)
        had = dict(log)
        for name in "abcab":
            await read(lanes, name, now, log)
        assert all(had[name] == lane for name, lane in log)
        [holder] = lanes.forget("a")
        assert cast(Lane, holder).number == had["a"] and lanes.forget("a") == []

    run(use)


def test_a_lane_that_has_not_stopped_yet_is_taken_last() -> None:
    async def use() -> None:
        made = Made()
        lanes = ReadingLanes(made, 2, 2)
        await lanes.start()
        log, now = list[tuple[str, int]](), asyncio.Event()
        now.set()
        await read(lanes, "left by its client", now, log)
        [(_, stopping)] = log
        made.lanes[stopping].is_idle = False
        await read(lanes, "next", now, log)
        assert log[1] == ("next", 1 - stopping)

    run(use)


def test_lanes_are_added_while_pages_wait_and_closed_when_they_are_idle() -> None:
    async def use() -> None:
        made = Made()
        lanes = ReadingLanes(made, 1, 3, idle_seconds=0.05)
        await lanes.start()
        assert lanes.count == 1
        end, log = asyncio.Event(), list[tuple[str, int]]()
        tasks = [asyncio.create_task(read(lanes, str(number), end, log)) for number in range(8)]
        while len(log) < 3:
            await asyncio.sleep(0.001)
        assert lanes.count == 3 and len(made.lanes) == 3
        end.set()
        await asyncio.gather(*tasks)
        assert len(log) == 8
        while lanes.count > 1:
            await asyncio.sleep(0.01)
        assert sum(lane.is_closed for lane in made.lanes) == 2
        await read(lanes, "afterwards", end, log)

    run(use)


def test_a_page_whose_caller_leaves_gives_its_turn_to_the_next() -> None:
    async def use() -> None:
        lanes = ReadingLanes(Made(), 1, 1)
        await lanes.start()
        end, log = asyncio.Event(), list[tuple[str, int]]()
        end.set()
        async with lanes.lane("a"):
            gone, next_one = [asyncio.create_task(read(lanes, name, end, log)) for name in ("gone", "b")]
            await asyncio.sleep(0.01)
        gone.cancel()  # it has been given the lane, and has not run since
        await next_one
        assert [name for name, _ in log] == ["b"]
        await read(lanes, "afterwards", end, log)

    run(use)


def test_a_lane_that_cannot_be_added_keeps_nobody_from_being_read() -> None:
    async def use() -> None:
        made = Made(limit=1)
        lanes = ReadingLanes(made, 1, 2)
        await lanes.start()
        end, log = asyncio.Event(), list[tuple[str, int]]()
        pages = [asyncio.create_task(read(lanes, name, end, log)) for name in "ab"]
        while not made.refused:
            await asyncio.sleep(0.001)
        pages += [asyncio.create_task(read(lanes, name, end, log)) for name in "cd"]
        await asyncio.sleep(0.05)
        end.set()
        await asyncio.gather(*pages)
        assert len(log) == 4 and lanes.count == 1
        assert made.refused == 1, "not each page that waits tries again"

    run(use)


def test_a_stuck_lane_makes_the_process_unhealthy() -> None:
    async def use() -> None:
        made = Made()
        lanes = ReadingLanes(made, 2, 2)
        await lanes.start()
        lanes.check()
        made.lanes[1].is_stuck = True
        with pytest.raises(RuntimeError, match="lane 1 is stuck"):
            lanes.check()

    run(use)

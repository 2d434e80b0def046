from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from pipelines.serving.work_thread import WorkThread


@dataclass
class Work:
    """Work that has begun, and goes on until it is ended."""

    has_begun: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.has_begun.set()
        self.end.wait(60)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_idle_thread_is_healthy_for_ever() -> None:
    clock = Clock()
    thread = WorkThread("tests", silent_seconds=10, clock=clock)
    assert thread.submit(lambda: 7).result(60) == 7
    clock.now = 1e9
    thread.check()


def test_work_without_progress_makes_the_thread_unhealthy_until_it_ends() -> None:
    clock, work = Clock(), Work()
    thread = WorkThread("tests", silent_seconds=10, clock=clock)
    done = thread.submit(work)
    assert work.has_begun.wait(60)
    clock.now = 9
    thread.check()
    clock.now = 11
    with pytest.raises(RuntimeError, match="the thread that tests has made no progress for 11 s"):
        thread.check()
    work.end.set()
    done.result(60)
    thread.check()


def test_long_work_that_makes_progress_is_healthy() -> None:
    clock, work = Clock(), Work()
    thread = WorkThread("tests", silent_seconds=10, clock=clock)
    thread.submit(work)
    assert work.has_begun.wait(60)
    for clock.now in range(0, 100, 9):
        thread.sign_of_life()
        thread.check()
    clock.now += 11
    with pytest.raises(RuntimeError, match="no progress for 11 s"):
        thread.check()
    work.end.set()


def test_work_that_may_take_longer_has_a_limit_of_its_own() -> None:
    clock, loading, working = Clock(), Work(), Work()
    thread = WorkThread("tests", silent_seconds=10, clock=clock)
    loaded = thread.submit(loading, silent_seconds=100)
    thread.submit(working)
    assert loading.has_begun.wait(60)
    clock.now = 90
    thread.check()
    loading.end.set()
    loaded.result(60)
    assert working.has_begun.wait(60)
    clock.now = 101
    with pytest.raises(RuntimeError, match="no progress for 11 s"):
        thread.check()
    working.end.set()


def test_a_thread_that_was_shut_down_is_unhealthy() -> None:
    thread = WorkThread("tests", silent_seconds=10)
    thread._executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        thread.check()

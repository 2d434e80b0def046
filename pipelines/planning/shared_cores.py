"""A node's cores or GPUs, shared by all work on them."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

import simpy


@dataclass
class Work:
    """Work on shared cores; the event `done` succeeds when it is finished.

    Attributes:
        demand: cores that it can use at once.
        begin, end: on the virtual clock of the cores, which counts the seconds that each core of demand was given.
    """

    demand: float
    begin: float
    end: float
    done: simpy.Event


class SharedCores:
    """Processor sharing: where the work demands more cores than there are, all of it is slowed down equally."""

    def __init__(self, environment: simpy.Environment, count: float) -> None:
        """`count`: cores or GPUs of the node."""
        self.environment, self.count = environment, count
        self.busy_seconds = 0.0
        self._clock = 0.0
        self._updated = environment.now
        self._demand = 0.0
        self._working: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()
        self._alarm = 0

    def start(self, seconds: float, demand: float = 1.0) -> Work:
        """Start work of `seconds` core seconds."""
        self._update()
        work = Work(demand, self._clock, self._clock + seconds / demand, self.environment.event())
        heapq.heappush(self._working, (work.end, next(self._numbers), work))
        self._demand += demand
        self._set_alarm()
        return work

    def share_done(self, work: Work) -> float:
        """The share of the work that is done, from 0 to 1."""
        self._update()
        return min(1.0, (self._clock - work.begin) / max(work.end - work.begin, 1e-12))

    def stop(self) -> None:
        """Drop all work."""
        self._update()
        self._working.clear()
        self._demand = 0.0
        self._alarm += 1

    def _speed(self) -> float:
        return min(1.0, self.count / self._demand) if self._demand else 0.0

    def _update(self) -> None:
        passed = self.environment.now - self._updated
        self._clock += passed * self._speed()
        self.busy_seconds += passed * min(self.count, self._demand)
        self._updated = self.environment.now

    def _set_alarm(self) -> None:
        self._alarm += 1
        if self._working:
            alarm, left = self._alarm, self._working[0][0] - self._clock
            timeout = self.environment.timeout(max(0.0, left / self._speed()))
            timeout.callbacks.append(lambda _: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        if alarm != self._alarm:
            return  # work that was started later has set another alarm
        self._update()
        # The work that the alarm was set for is finished, despite rounding.
        self._clock = max(self._clock, self._working[0][0])
        while self._working and self._working[0][0] <= self._clock:
            work = heapq.heappop(self._working)[2]
            self._demand = self._demand - work.demand if self._working else 0.0
            work.done.succeed()
        self._set_alarm()

"""A node's cores, shared by whoever works on them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

import simpy


@dataclass
class Work:
    """A piece of work on a processor; `done` happens when it is finished.

    Attributes:
        demand: cores that it can use at once.
        begin, end: on the processor's own clock, which counts the seconds that each core of demand was given.
    """

    demand: float
    begin: float
    end: float
    done: simpy.Event


class SharedProcessor:
    """So many cores (or GPUs): work that asks for more than there are is slowed down, all of it alike."""

    def __init__(self, environment: simpy.Environment, cores: float) -> None:
        self.environment, self.cores = environment, cores
        self.busy_seconds = 0.0
        self._clock = 0.0
        self._looked = environment.now
        self._demand = 0.0
        self._working: list[tuple[float, int, Work]] = []
        self._numbers = count()
        self._alarm = 0

    def start(self, seconds: float, demand: float = 1.0) -> Work:
        """Begin work of so many core seconds."""
        self._look()
        work = Work(demand, self._clock, self._clock + seconds / demand, self.environment.event())
        heapq.heappush(self._working, (work.end, next(self._numbers), work))
        self._demand += demand
        self._set_alarm()
        return work

    def share_done(self, work: Work) -> float:
        """How much of a piece of work is done, from 0 to 1."""
        self._look()
        return min(1.0, (self._clock - work.begin) / max(work.end - work.begin, 1e-12))

    def stop(self) -> None:
        """All work ends undone."""
        self._look()
        self._working.clear()
        self._demand = 0.0
        self._alarm += 1

    def _speed(self) -> float:
        return min(1.0, self.cores / self._demand) if self._demand else 0.0

    def _look(self) -> None:
        passed = self.environment.now - self._looked
        self._clock += passed * self._speed()
        self.busy_seconds += passed * min(self.cores, self._demand)
        self._looked = self.environment.now

    def _set_alarm(self) -> None:
        self._alarm += 1
        if self._working:
            alarm, left = self._alarm, self._working[0][0] - self._clock
            timeout = self.environment.timeout(max(0.0, left / self._speed()))
            timeout.callbacks.append(lambda _: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        if alarm != self._alarm:
            return  # work that came meanwhile has set another one
        self._look()
        # The piece that the alarm was set for is finished, whatever rounding says.
        self._clock = max(self._clock, self._working[0][0])
        while self._working and self._working[0][0] <= self._clock:
            work = heapq.heappop(self._working)[2]
            self._demand = self._demand - work.demand if self._working else 0.0
            work.done.succeed()
        self._set_alarm()

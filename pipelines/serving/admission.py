"""Admission: which requests a gateway accepts. What would wait too long is refused at once: long queues help nobody.

A request is refused when too many are in progress, or when the pages in progress would, at the pace of the latest ones,
leave a new request less than half of its time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.serving.errors import OVERLOADED, RequestError

LATEST_WEIGHT = 0.1
"""Weight of the latest interval between two pages in the moving average: pages come in batches and differ in kind."""

WAITING_SHARE = 0.5
"""Share of its time limit that a request may be expected to spend waiting for others."""

MAX_RETRY_SECONDS = 60


class Admission:
    """Counts requests and pages in progress; used from one event loop."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            limit: requests in progress at a time.
            seconds: time limit of a request.
        """
        self.limit = limit
        self.seconds = seconds
        self.in_flight = 0
        self.pages_in_flight = 0
        self._clock = clock
        self._seconds_per_page = 0.0
        self._last_page_at = 0.0

    @property
    def expected_seconds(self) -> float:
        """Until the pages in progress are done, at the pace of the latest ones."""
        return self.pages_in_flight * self._seconds_per_page

    def acquire(self) -> Slot:
        """A slot for a request whose body is there.

        Raises:
            RequestError: as `check`.
        """
        self.check()
        self.in_flight += 1
        return Slot(self)

    def check(self) -> None:
        """Refuse a request before its body is received, if there is no slot for it.

        Raises:
            RequestError: 429, with the time after which a slot should be free.
        """
        expected = self.expected_seconds
        if self.in_flight >= self.limit or expected > WAITING_SHARE * self.seconds:
            wait = min(MAX_RETRY_SECONDS, max(1, math.ceil(expected - WAITING_SHARE * self.seconds)))
            message = f"{self.in_flight} requests are being answered, and no more are taken at a time; try again later"
            raise RequestError(429, OVERLOADED, message, wait)

    def release(self) -> None:
        """A request is over; called by its slot."""
        self.in_flight -= 1

    @contextmanager
    def page(self) -> Iterator[None]:
        """A page in progress. One that raises does not count towards the pace."""
        if not self.pages_in_flight:
            self._last_page_at = self._clock()
        self.pages_in_flight += 1
        try:
            yield
            now = self._clock()
            weight = LATEST_WEIGHT if self._seconds_per_page else 1.0
            self._seconds_per_page += weight * (now - self._last_page_at - self._seconds_per_page)
            self._last_page_at = now
        finally:
            self.pages_in_flight -= 1


class Slot:
    """A request's slot, released once, however the request ends."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission

    def release(self) -> None:
        """Free it; a second call does nothing."""
        if self._admission is not None:
            self._admission.release()
            self._admission = None

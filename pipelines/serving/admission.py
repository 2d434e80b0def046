"""Admission: which requests a front takes on. What would wait too long is refused at once: a long queue helps none.

A request is refused when too many are being answered, or when the pages that are being worked on would, at the pace of
the last ones, leave a new one less than half of its time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.serving.errors import OVERLOADED, RequestError

WEIGHT_OF_LATEST = 0.1
"""Of the latest interval between two pages in the mean of all: pages come in batches, and are of several kinds."""

WAITING_SHARE = 0.5
"""Of a request's time, that it may be expected to spend waiting for others."""

MAX_SECONDS = 60


class Admission:
    """Counts requests and pages in and out; used from one event loop."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            limit: requests at a time.
            seconds: that a request may take.
        """
        self.limit = limit
        self.seconds = seconds
        self.in_flight = 0
        self.pages_in_flight = 0
        self._clock = clock
        self._interval = 0.0
        self._since = 0.0

    @property
    def expected_seconds(self) -> float:
        """Until the pages that are being worked on are done, at the pace of the last ones."""
        return self.pages_in_flight * self._interval

    def enter(self) -> Slot:
        """A place for a request.

        Raises:
            RequestError: 429, with the time after which a place should be free.
        """
        expected = self.expected_seconds
        if self.in_flight >= self.limit or expected > WAITING_SHARE * self.seconds:
            wait = min(MAX_SECONDS, max(1, math.ceil(expected - WAITING_SHARE * self.seconds)))
            message = f"{self.in_flight} requests are being answered, and no more are taken at a time; try again later"
            raise RequestError(429, OVERLOADED, message, wait)
        self.in_flight += 1
        return Slot(self, self._clock())

    def left(self) -> None:
        """A request is over."""
        self.in_flight -= 1

    @contextmanager
    def page(self) -> Iterator[None]:
        """While a page is worked on. One that raises says nothing about the pace."""
        if not self.pages_in_flight:
            self._since = self._clock()
        self.pages_in_flight += 1
        try:
            yield
            now = self._clock()
            weight = WEIGHT_OF_LATEST if self._interval else 1.0
            self._interval += weight * (now - self._since - self._interval)
            self._since = now
        finally:
            self.pages_in_flight -= 1


class Slot:
    """A request's place, given back once, however the request ends."""

    def __init__(self, admission: Admission, entered: float) -> None:
        self._admission: Admission | None = admission
        self.entered = entered

    def leave(self) -> None:
        """Give it back; a second time does nothing."""
        if self._admission is not None:
            self._admission.left()
            self._admission = None

"""Progress for people to read: a bar in a terminal, elsewhere a logged line of figures every few seconds."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

from tqdm import tqdm

logger = logging.getLogger(__name__)

LOG_INTERVAL_SECONDS = 10.0
SETTLED_SECONDS = 1.0
"""Once this time has passed since the first units, the rate leaves out the start of the workers; before, there are too
few units for a rate."""


class Progress:
    """Counts units of work. As a context manager it closes the bar, or logs the last figures, if any."""

    def __init__(self, total: int | None, unit: str, *, interval_seconds: float = LOG_INTERVAL_SECONDS) -> None:
        """`unit` is a plural ("pages"); without a `total` no share and no remaining time are shown."""
        self.total, self.unit, self.interval_seconds = total, unit, interval_seconds
        self.done = self.failed = 0
        self._started = self._logged = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, smoothing=0.1)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.leave = bool(self.done)
            self._bar.close()
        elif kind is None and self.done:
            logger.info(self.line())

    def expect(self, total: int) -> None:
        """Set the total, which was not known before."""
        self.total = total
        if self._bar is not None:
            self._bar.total = total
            self._bar.refresh()

    def add(self, done: int, failed: int = 0) -> None:
        """`done` more units, of which `failed` failed."""
        self.done += done
        self.failed += failed
        if self._first is None:
            self._first = time.monotonic(), done
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.failed} failed", refresh=False)
            self._bar.update(done)
        elif time.monotonic() - self._logged >= self.interval_seconds:
            self._logged = time.monotonic()
            logger.info(self.line())

    @property
    def rate(self) -> float:
        """Units a second since the first were done, so that the start of the workers does not count; 0 before that."""
        if self._first is None:
            return 0.0
        began, first = self._first
        now = time.monotonic()
        if now - began >= SETTLED_SECONDS:
            return (self.done - first) / (now - began)
        return self.done / max(now - self._started, 1e-9)

    def line(self) -> str:
        """The figures so far: `pages 120/400 (3 failed), 4.1 pages/s, 68 s left`."""
        rate = self.rate
        line = f"{self.unit} {self.done}" + (f"/{self.total}" if self.total is not None else "")
        line += f" ({self.failed} failed), {rate:.1f} {self.unit}/s"
        if self.total is not None and rate > 0 and self.done < self.total:
            line += f", {(self.total - self.done) / rate:.0f} s left"
        return line

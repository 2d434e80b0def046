"""What the sandbox and the process it starts agree on: the stages to run, the limits of a row, the messages."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipelines.stages.base import StageFactory

REFRESH_SHARE = 0.5
"""A process that holds this share of the memory limit after a page is replaced before the next one,"""


WARM_MEGABYTES = 250
"""unless it holds no more than this: after some pages the parsers keep about 200 MB of their own."""


MIN_MEGABYTES = 300
"""The lowest memory limit with which a page can be read."""


@dataclass(frozen=True)
class PageLimits:
    """What one page may cost before its process is ended.

    Attributes:
        seconds: by the clock, from the opening of its document to its last word.
        megabytes: memory of the process and of what it has started, in millions of bytes.
    """

    seconds: float = 120.0
    megabytes: int = 2000

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"--page-time-limit-seconds is {self.seconds:g}; it must be a number above 0")
        if self.megabytes < MIN_MEGABYTES:
            raise ValueError(
                f"--page-memory-limit-megabytes is {self.megabytes}; it must be at least {MIN_MEGABYTES}, for the "
                "parsers themselves take about 200"
            )

    @property
    def refresh_bytes(self) -> float:
        """A process that holds more after a page is replaced."""
        return max(REFRESH_SHARE * self.megabytes, WARM_MEGABYTES) * 1_000_000


@dataclass(frozen=True)
class SandboxSpec:
    """What runs in the process: stages one after the other, lazily, one row out for one row in.

    Attributes:
        stage_factories: called in the process, once each time that it starts.
        schema: of the last stage's rows.
        limits: of each row.
    """

    stage_factories: tuple[StageFactory, ...]
    schema: pa.Schema
    limits: PageLimits


READY, OUT_OF_MEMORY = b"ready", b"out of memory"
"""Answers that are no row."""

"""The protocol between the sandbox and its process: the stages to run, the limits of a row, the messages."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipelines.stages.base import StageFactory

REFRESH_SHARE = 0.5
"""A process that holds more than this share of the memory limit after a page is replaced before the next one."""


WARM_MEGABYTES = 250
"""A process that holds no more than this is never replaced: the parsers keep about 200 MB after some pages."""


MIN_MEGABYTES = 300
"""The lowest memory limit that leaves room for reading a page."""


@dataclass(frozen=True)
class PageLimits:
    """Limits of one page, beyond which its process is killed.

    Attributes:
        seconds: wall-clock time, from opening the document to the last word of the page.
        megabytes: resident memory of the process and its children, in millions of bytes.
    """

    seconds: float = 120.0
    megabytes: int = 2000

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"--page-time-limit-seconds is {self.seconds:g}; it must be a number above 0")
        if self.megabytes < MIN_MEGABYTES:
            raise ValueError(
                f"--page-memory-limit-megabytes is {self.megabytes}; it must be at least {MIN_MEGABYTES}, because the "
                "parsers alone take about 200"
            )

    @property
    def refresh_bytes(self) -> float:
        """A process that holds more than this after a page is replaced."""
        return max(REFRESH_SHARE * self.megabytes, WARM_MEGABYTES) * 1_000_000


@dataclass(frozen=True)
class SandboxSpec:
    """What runs in the process: stages in sequence, lazily, one row out for each row in.

    Attributes:
        stage_factories: called in the process, once whenever it starts.
        schema: columns of the last stage's rows.
        limits: applied to each row.
    """

    stage_factories: tuple[StageFactory, ...]
    schema: pa.Schema
    limits: PageLimits


READY, OUT_OF_MEMORY = b"ready", b"out of memory"
"""Messages of the process that are not rows."""

"""Metrics of a running job, through Ray's own exporter (Prometheus, the dashboard); the README lists them."""

from __future__ import annotations

import sys
from collections import Counter as Tally
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.batch.page_counts import ENDED_KINDS, STAGES

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge


def is_connected() -> bool:
    """Whether this process uses Ray, which exports metrics; a small run does without."""
    if "ray" not in sys.modules:
        return False
    import ray

    return ray.is_initialized()


def count_pages(block: pa.Table) -> None:
    """Count the rows of a block that has been written: pages by what became of them, seconds by stage, restarts."""
    if not is_connected():
        return
    pages: Tally[tuple[str, str, str]] = Tally()
    restarts: Tally[str] = Tally()
    seconds = dict.fromkeys(STAGES, 0.0)
    for row in block.select(["status", "error_kind", "text_source", "seconds"]).to_pylist():
        pages[row["status"], row["error_kind"] or "", row["text_source"] or ""] += 1
        if row["error_kind"] in ENDED_KINDS:
            restarts[row["error_kind"]] += 1
        for stage, spent in (row["seconds"] or {}).items():
            seconds[stage] += spent or 0.0
    for (status, error_kind, text_source), count in pages.items():
        _pages().inc(count, {"status": status, "error_kind": error_kind, "text_source": text_source})
    for reason, count in restarts.items():
        _restarts().inc(count, {"reason": reason})
    for stage, spent in seconds.items():
        if spent > 0:
            _seconds().inc(spent, {"stage": stage})


def set_pending_pages(pages: int) -> None:
    """Report how many expected pages are not written yet."""
    _pending().set(pages)


@cache
def _pages() -> Counter:
    from ray.util.metrics import Counter

    return Counter("layoutlmv2_pages", "Pages written, by what became of them", ("status", "error_kind", "text_source"))


@cache
def _seconds() -> Counter:
    from ray.util.metrics import Counter

    return Counter("layoutlmv2_stage_seconds", "Seconds of work of the pages written, by stage", ("stage",))


@cache
def _restarts() -> Counter:
    from ray.util.metrics import Counter

    return Counter("layoutlmv2_restarts", "Processes that were ended by a page, by reason", ("reason",))


@cache
def _pending() -> Gauge:
    from ray.util.metrics import Gauge

    return Gauge("layoutlmv2_pages_waiting", "Pages expected and not written yet")

"""Metrics of a running job, through Ray's own exporter (Prometheus, the dashboard); the README lists them."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from pipelines.batch.page_counts import ENDED_KINDS, PageCounts

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge


def is_connected() -> bool:
    """Whether this process uses Ray, which exports metrics; a small run does without."""
    if "ray" not in sys.modules:
        return False
    import ray

    return ray.is_initialized()


def count_pages(counts: PageCounts) -> None:
    """Count the pages of a block that has been written: by what became of them, seconds by stage, restarts.

    To be called in the driver: what a worker counts last is lost if it ends before Ray has asked for it, and a block
    that is written again after its worker has died would count twice.
    """
    if not is_connected():
        return
    for text_source, pages in counts.text_sources.items():
        _pages().inc(pages, {"status": "ok", "error_kind": "", "text_source": text_source or ""})
    for error_kind, pages in counts.errors.items():
        _pages().inc(pages, {"status": "failed", "error_kind": error_kind, "text_source": ""})
        if error_kind in ENDED_KINDS:
            _restarts().inc(pages, {"reason": error_kind})
    for stage, spent in counts.seconds.items():
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

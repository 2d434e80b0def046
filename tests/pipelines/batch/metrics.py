"""The metrics that Ray's exporter serves on this machine."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable

import ray

PATIENCE_SECONDS = 60


def missing_metrics(*wanted: str, record: Callable[[], object] = lambda: None) -> list[str]:
    """Those of `wanted` that the exporter did not serve in time.

    Args:
        record: called before each look: Ray serves the value of a gauge once, and not again until it is set.
    """
    url = f"http://127.0.0.1:{ray.nodes()[0]['MetricsExportPort']}/metrics"
    deadline = time.monotonic() + PATIENCE_SECONDS
    missing = list(wanted)
    while missing and time.monotonic() < deadline:
        record()
        time.sleep(1)
        with urllib.request.urlopen(url, timeout=10) as answer:
            exported = answer.read().decode()
        missing = [name for name in missing if name not in exported]
    return missing

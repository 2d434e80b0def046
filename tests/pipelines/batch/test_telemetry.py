"""Metrics of a job, as Ray's exporter serves them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.batch.page_counts import PageCounts
from pipelines.batch.telemetry import count_pages, set_pending_pages
from pipelines.schema import page_schema
from tests.pipelines.batch.metrics import missing_metrics
from tests.pipelines.batch.output_rows import page_row

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.usefixtures("ray_cluster")]


def test_pages_of_written_blocks_and_pending_pages_are_exported() -> None:
    rows = [page_row("a", 0), page_row("a", 1, "timeout")]
    block = pa.Table.from_pylist(rows, schema=page_schema("token-classification"))
    count_pages(PageCounts.of(block, "a file"))
    assert not missing_metrics(
        "ray_layoutlmv2_pages",
        'status="ok"',
        'status="failed"',
        'error_kind="timeout"',
        "ray_layoutlmv2_stage_seconds",
        "ray_layoutlmv2_restarts",
        "ray_layoutlmv2_pages_waiting",
        record=lambda: set_pending_pages(7),
    )

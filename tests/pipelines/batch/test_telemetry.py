"""Metrics of a job, as Ray's exporter serves them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import ray

from pipelines.batch.manifest import WrittenPages
from pipelines.batch.page_writer import write_block
from pipelines.batch.telemetry import set_pending_pages
from pipelines.schema import page_schema
from pipelines.storage.files import Storage
from tests.pipelines.batch.metrics import missing_metrics
from tests.pipelines.batch.output_rows import page_row

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.usefixtures("ray_cluster")]


def test_pages_of_written_blocks_and_pending_pages_are_exported(tmp_path: Path) -> None:
    rows = [page_row("a", 0), page_row("a", 1, "timeout")]
    block = pa.Table.from_pylist(rows, schema=page_schema("token-classification"))
    (tmp_path / "run.json").write_text('{"run_id": "00000001-abcdef"}')
    [row] = ray.get(ray.remote(write_block).remote(block, Storage(), str(tmp_path), "00000001-abcdef")).to_pylist()
    assert WrittenPages.from_row(row).counts.pages == {"ok": 1, "failed": 1}
    assert not missing_metrics(
        "ray_layoutlmv2_pages",
        'status="failed"',
        'error_kind="timeout"',
        "ray_layoutlmv2_stage_seconds",
        "ray_layoutlmv2_restarts",
        "ray_layoutlmv2_pages_waiting",
        record=lambda: set_pending_pages(7),
    )

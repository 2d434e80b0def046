from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from pipelines.batch import compaction, discovery
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.options import ExtractOptions
from pipelines.planning import storage_requests as planned
from pipelines.planning.fleet import Workload
from pipelines.planning.storage_requests import storage_requests
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage import tables
from pipelines.storage.files import Storage, join_uri
from tests.pipelines.batch.execution import extract_in_process

WRITES = ("PutObject", "ListObjectsV2", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
READS = ("GetObject", "HeadObject")


def test_the_figures_are_those_of_the_job() -> None:
    assert compaction.COMPACTED_BYTES == planned.COMPACTED_BYTES
    assert discovery.MAX_DOCUMENTS_PER_ROUND == planned.ROUND_DOCUMENTS
    assert tables.READERS == planned.READERS


def test_a_billion_pages_are_few_files_and_a_pass_takes_minutes() -> None:
    requests = storage_requests(Workload(1_000_000_000, 0.5, 10))
    assert 30_000 < requests.files < 35_000
    assert requests.pass_requests < 60_000 and requests.pass_seconds < 600
    assert requests.puts > 1_000_000_000 / 32
    assert requests.cost(0.005, 0.0004) == pytest.approx(requests.puts * 5e-6 + requests.gets * 4e-7)


def test_a_job_makes_the_requests_that_are_planned(
    samples_directory: Path, s3_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside those of the plan a job makes some tens, whatever its size: for its record, its report, its claim."""
    storage = Storage()
    for number in range(10):
        name = join_uri(s3_prefix, "in", f"{number}.pdf")
        storage.write(name, (samples_directory / "supplier-form.pdf").read_bytes() + b"%" * number)
    extract_in_process(monkeypatch)
    monkeypatch.setattr("pipelines.batch.page_writer.is_connected", lambda: False)  # compacts here, where it is counted
    monkeypatch.setattr("pipelines.batch.page_writer.pages_per_block", lambda pages, pools: 3)
    monkeypatch.setattr("pipelines.batch.page_writer.pages_per_later_block", lambda pages, seconds: 3)
    made: Counter[str] = Counter()
    call = botocore.client.BaseClient._make_api_call

    def counted(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made[operation] += 1
        return call(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
    extract = ExtractOptions("untrained", rasterize=RasterizeOptions(text="layer"))
    options = RunOptions((join_uri(s3_prefix, "in"),), join_uri(s3_prefix, "out"), extract, report_pages=0)
    assert run(options)["pages"]["ok"] == 30
    expected = storage_requests(Workload(30, 0.0, 3, pages_per_block=3))
    writes, reads = (sum(made[name] for name in names) for names in (WRITES, READS))
    parts = planned.COMPACTED_BYTES // planned.PART_BYTES  # the one file is too small for an upload in parts
    assert 0 <= writes - (expected.puts - parts - 2) < 30, (made, expected)
    assert 0 <= reads - expected.gets < 40, (made, expected)

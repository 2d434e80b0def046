"""Faults of the machine in stages: repeated in fresh processes, and never written into a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data

from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.runtime.pools import plan_pools
from pipelines.schema import PAGE_IMAGE, PAGE_TO_DO, Row
from pipelines.stages.base import Stage, with_retries
from pipelines.stages.count_pages import CountPages, ListingOptions
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.ray_data import RetryingStageRunner, map_stages
from pipelines.stages.sandbox import ATTEMPTS, Sandbox
from pipelines.stages.sandbox_faults import attribute_fault, decode_fault, encode_fault
from pipelines.stages.sandbox_protocol import PageLimits
from tests.pipelines.stages.faulty_stages import FailTimes, times
from tests.pipelines.storage.full_disk import fill, small_disk

FULL = InfrastructureError("disk_full", "/tmp: No space left on device")


def page(uri: str = "a", index: int = 0) -> Row:
    return {"document_id": "d", "uri": uri, "media_type": "application/pdf", "page_index": index, "page_count": 9}


def sandbox(folder: Path, error: str = "ENOSPC") -> Sandbox:
    return Sandbox((partial(FailTimes, folder, error),), PAGE_IMAGE, PAGE_TO_DO, PageLimits(60, 300))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The disk for this process's temporary files."""
    with small_disk(tmp_path / "disk") as mounted:
        monkeypatch.setattr("tempfile.tempdir", str(mounted))
        yield mounted


def test_a_fault_in_a_sandbox_is_tried_again_in_a_fresh_process(tmp_path: Path) -> None:
    stage = sandbox(times(tmp_path / "faults", ATTEMPTS - 1))
    [row] = stage([page()])
    stage.close()
    assert row["status"] == "ok"


def test_a_disk_that_stays_full_fails_no_page(tmp_path: Path, disk: Path) -> None:
    stage = sandbox(times(tmp_path / "faults", ATTEMPTS))
    filler = fill(disk)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        list(stage([page()]))
    assert caught.value.fault == "disk_full"
    filler.unlink()
    [row] = stage([page()])
    stage.close()
    assert row["status"] == "ok"


@pytest.mark.parametrize(("error", "kind"), [("ENOSPC", "too_large"), ("EMFILE", "crashed")])
def test_a_page_that_exhausts_its_own_process_fails_alone(tmp_path: Path, error: str, kind: str) -> None:
    stage = sandbox(times(tmp_path / "faults", ATTEMPTS), error)
    first, second = stage([page(), page(index=1)])
    stage.close()
    assert (first["status"], first["error_kind"], second["status"]) == ("failed", kind, "ok")


def test_a_mount_that_is_lost_is_no_fault_of_the_page(tmp_path: Path) -> None:
    stage = sandbox(times(tmp_path / "faults", ATTEMPTS), "ENOTCONN")
    with pytest.raises(InfrastructureError) as caught:
        list(stage([page()]))
    stage.close()
    assert caught.value.fault == "storage_unavailable"


def test_the_process_is_believed_no_more_than_a_known_fault_and_a_short_message() -> None:
    assert decode_fault(encode_fault(FULL)).fault == "disk_full"  # type: ignore[union-attr]
    for message in (
        b"row",
        b"fault ",
        b"fault []",
        b"fault {}",
        b'fault ["x", "y"]',
        b'fault ["disk_full", 3]',
        b"fault \xff",
    ):
        assert decode_fault(message) is None
    long = decode_fault(encode_fault(InfrastructureError("disk_full", "x" * 10_000)))
    assert long is not None and len(long.message) == 1000


def test_a_disk_is_full_if_nothing_can_be_written(disk: Path) -> None:
    assert attribute_fault(FULL).kind == "too_large"
    fill(disk)
    assert attribute_fault(FULL) is FULL
    timeout = ProcessingError("timeout", "x")
    assert attribute_fault(timeout) is timeout


@pytest.mark.parametrize("stage", [Rasterize(RasterizeOptions()), CountPages(ListingOptions())])
def test_a_document_that_seems_damaged_on_a_disk_that_fails_is_not_marked(
    stage: Rasterize | CountPages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7 and nothing else")
    [row] = stage([{**page(str(path)), "path": str(path)}])
    assert (row["status"], row["error_kind"]) == ("failed", "unreadable")

    def fail(*arguments: object, **options: object) -> None:
        raise InfrastructureError("storage_unavailable", "the folder does not answer")

    monkeypatch.setattr("pipelines.stages.base.check_readable", fail)
    with pytest.raises(InfrastructureError):
        list(stage([{**page(str(path)), "path": str(path)}]))


@pytest.mark.parametrize("error", [FULL, OSError(28, "No space left on device")])
def test_work_is_repeated_while_the_machine_is_at_fault(error: Exception) -> None:
    failures = [error, error]

    def work() -> str:
        if failures:
            raise failures.pop()
        return "done"

    with pytest.raises(InfrastructureError):
        with_retries(work, (0.0,))
    assert with_retries(work, (0.0,)) == "done"


def test_work_that_fails_for_another_reason_is_not_repeated() -> None:
    calls = []

    def work() -> None:
        calls.append(1)
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        with_retries(work, (0.0, 0.0))
    assert len(calls) == 1


def test_a_fault_while_a_block_is_written_repeats_the_writing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.stages.ray_data.RETRY_PAUSES_SECONDS", (0.0,))
    read, failures = list[str](), [FULL]

    def make_stage() -> Stage:
        def stage(rows: Iterable[Row]) -> Iterator[Row]:
            for row in rows:
                read.append(row["uri"])
                yield {**row, "status": "ok"}

        return stage

    def write(block: pa.Table) -> pa.Table:
        if failures:
            raise failures.pop()
        return pa.table({"written": block["uri"]})

    worker = RetryingStageRunner((make_stage,), PAGE_IMAGE, write)
    block = pa.Table.from_pylist([page("a"), page("b")], schema=PAGE_TO_DO)
    assert worker(block)["written"].to_pylist() == ["a", "b"] == read


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
class TestOnRay:
    """Blocks of one page each."""

    def read(self, folder: Path, *uris: str, max_errored_blocks: int = 0) -> list[str]:
        blocks = [pa.Table.from_pylist([page(uri)], schema=PAGE_TO_DO) for uri in uris]
        make = partial(FailTimes, folder, "ENOSPC", True)
        rows = map_stages(ray.data.from_blocks(blocks), (make,), PAGE_IMAGE, plan_pools(2, 0, read_workers=1), "read")
        rows.context.max_errored_blocks = max_errored_blocks
        return sorted(row["uri"] for row in rows.iter_rows())

    @pytest.mark.slow
    def test_a_block_is_repeated_until_the_fault_is_over(self, tmp_path: Path) -> None:
        assert self.read(times(tmp_path / "faults", 2), "good", "bad") == ["bad", "good"]

    def test_a_fault_that_lasts_ends_the_execution_with_its_reason(self, tmp_path: Path) -> None:
        with pytest.raises(InfrastructureError, match="No space left on device; free space") as caught:
            self.read(times(tmp_path / "faults", 100), "bad", "good")
        assert caught.value.fault == "disk_full"

    @pytest.mark.slow
    def test_blocks_that_may_be_dropped_leave_the_others(self, tmp_path: Path) -> None:
        assert self.read(times(tmp_path / "faults", 100), "bad", "good", max_errored_blocks=1) == ["good"]

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data

from pipelines.batch.manifest import WrittenPages
from pipelines.batch.round_retries import blocks_left, write_with_retries
from pipelines.errors import InfrastructureError
from pipelines.runtime.pools import plan_pools
from pipelines.schema import PAGE_IMAGE, PAGE_TO_DO, page_schema
from pipelines.stages.ray_data import RETRY_PAUSES_SECONDS, map_stages
from tests.pipelines.batch.output_rows import identity, name_of, page_row
from tests.pipelines.stages.faulty_stages import FailTimes, times

FULL = InfrastructureError("disk_full", "/tmp: No space left on device")


def block(document: str, *indices: int) -> pa.Table:
    rows = [
        {"document_id": identity(document), "uri": document, "media_type": "", "page_index": index, "page_count": 9}
        for index in indices
    ]
    return pa.Table.from_pylist(rows, PAGE_TO_DO)


def keys(table: pa.Table) -> list[tuple[str, int]]:
    names = map(name_of, table["document_id"].to_pylist())
    return list(zip(names, table["page_index"].to_pylist(), strict=True))


def written_block(table: pa.Table) -> WrittenPages:
    """What the file of a block of pages to do holds when it is written."""
    rows = [page_row(name, index) for name, index in keys(table)]
    return WrittenPages.of(pa.Table.from_pylist(rows, page_schema("token-classification")), "name", 1)


def keys_of(block: WrittenPages) -> list[tuple[str, int]]:
    return list(zip(map(name_of, block.documents.names()), block.page_indices.tolist(), strict=True))


class Executions:
    """Writes blocks, of which those of the documents in each of `failing` fail in that execution."""

    def __init__(self, *failing: str, raises: bool = False) -> None:
        self.failing, self.raises = failing, raises
        self.executed: list[tuple[list[str], int]] = []

    def __call__(self, blocks: list[pa.Table], may_fail: int) -> Iterator[WrittenPages]:
        failing = self.failing[len(self.executed)]
        self.executed.append(([keys(table)[0][0] for table in blocks], may_fail))
        errored = 0
        for table in blocks:
            if keys(table)[0][0] not in failing:
                yield written_block(table)
                continue
            errored += 1
            if errored > may_fail or self.raises:
                raise FULL


ABC = [block("a", 0, 1), block("b", 0), block("c", 0)]


def written(executions: Executions) -> list[tuple[str, int]]:
    return [key for each in write_with_retries(ABC, executions) for key in keys_of(each)]


def test_a_round_without_a_fault_is_executed_once() -> None:
    executions = Executions("")
    assert written(executions) == [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
    assert len(executions.executed) == 1


@pytest.mark.parametrize("raises", [False, True], ids=["a block is dropped", "an execution ends"])
def test_pages_that_were_not_written_are_done_again_and_no_others(raises: bool) -> None:
    executions = Executions("b", "b", "", raises=raises)
    assert sorted(written(executions)) == [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
    assert [blocks for blocks, _ in executions.executed][-1][0] == "b"
    assert "a" not in executions.executed[1][0]


def test_a_fault_that_lasts_is_raised_and_what_is_written_has_been_given() -> None:
    executions, given = Executions("b", "b", "b"), []
    with pytest.raises(InfrastructureError):
        for each in write_with_retries(ABC, executions):
            given.extend(keys_of(each))
    assert given == [("a", 0), ("a", 1), ("c", 0)]
    assert [blocks for blocks, _ in executions.executed] == [["a", "b", "c"], ["b"], ["b"]]
    assert executions.executed[-1][1] == 0, "in the last execution no block may be dropped"


def test_a_defect_is_not_repeated() -> None:
    def defect(blocks: list[pa.Table], may_fail: int) -> Iterator[WrittenPages]:
        yield written_block(block("a", 0))
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        list(write_with_retries(ABC, defect))


def test_of_a_block_that_was_split_the_rest_is_left() -> None:
    left = blocks_left([block("a", 0, 1, 2), block("b", 0)], {(identity("a"), 1), (identity("b"), 0)})
    assert [keys(table) for table in left] == [[("a", 0), ("a", 2)]]
    assert left[0].schema == PAGE_TO_DO


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_on_ray_a_block_that_fails_is_dropped_and_read_by_the_next_execution(tmp_path: Path) -> None:
    repetitions = 1 + len(RETRY_PAUSES_SECONDS)
    make = partial(FailTimes, times(tmp_path / "faults", repetitions), "ENOSPC", True)
    executed: list[list[str]] = []

    def write(blocks: list[pa.Table], may_fail: int) -> Iterator[WrittenPages]:
        executed.append([name for block in blocks for name, _ in keys(block)])
        pools = plan_pools(2, 0, read_workers=1)
        rows = map_stages(ray.data.from_blocks(blocks), (make,), PAGE_IMAGE, pools, "read")
        rows.context.max_errored_blocks = may_fail
        for read in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield written_block(read)

    given = [key for each in write_with_retries([block("bad", 0), block("good", 0)], write) for key in keys_of(each)]
    assert sorted(given) == [("bad", 0), ("good", 0)]
    assert executed == [["bad", "good"], ["bad"]]

from __future__ import annotations

import itertools
import json
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.batch import compaction as compaction_module
from pipelines.batch.audit import audit_output
from pipelines.batch.compaction import Compaction, Compactor, Source, compact
from pipelines.batch.ownership import OutputClaimedError
from pipelines.batch.page_writer import compact_on_cluster
from pipelines.batch.written_pages import read_written
from pipelines.errors import ProcessingError
from pipelines.schema import page_schema
from pipelines.storage.files import Storage
from pipelines.storage.tables import DamagedFileError
from tests.pipelines.batch.output_rows import document_row, page_row, rows_of, write_rows

RUN, LATER_RUN = "00000001-000000", "00000002-abcdef"
SCHEMA = page_schema("token-classification")


def own(output: Path, run_id: str = RUN) -> None:
    Storage().write(str(output / "run.json"), json.dumps({"run_id": run_id}).encode())


def compactor(output: Path, owner: str = RUN, schema: pa.Schema = SCHEMA, **options: Any) -> Compactor:
    return Compactor(owner, schema, {"stride": 1}, partial(compact, Storage(), str(output)), **options)


def compact_all(output: Path, owner: str, schema: pa.Schema = SCHEMA) -> list[Path]:
    """Compact all blocks of an output; returns the compacted files."""
    own(output, owner)
    with compactor(output, owner, schema) as each:
        for written in list(read_written(Storage(), str(output))):
            each.add(written)
        each.finish()
    return sorted((output / "pages").glob("*-c*.parquet"))


def write_blocks(output: Path, documents: int = 1, pages: int = 6) -> None:
    write_rows(output, "documents", 1, [document_row(str(number), pages) for number in range(documents)])
    for number, index in itertools.product(range(documents), range(0, pages, 2)):
        write_rows(output, "pages", 1, [page_row(str(number), index), page_row(str(number), index + 1, "timeout")])


def test_blocks_become_one_file_with_the_same_rows_and_the_same_audit(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    before, rows = audit_output(Storage(), str(tmp_path)), rows_of(tmp_path, "pages")
    [compacted] = compact_all(tmp_path, RUN)
    assert list((tmp_path / "pages").iterdir()) == [compacted]
    assert sorted(rows_of(tmp_path, "pages"), key=lambda row: row["page_index"]) == rows
    assert audit_output(Storage(), str(tmp_path)).as_json() == before.as_json()
    assert pq.read_schema(compacted).equals(SCHEMA)


def test_a_file_is_written_as_soon_as_the_blocks_have_its_size(tmp_path: Path) -> None:
    write_blocks(tmp_path, pages=20)
    own(tmp_path)
    blocks = list(read_written(Storage(), str(tmp_path)))
    with compactor(tmp_path, compacted_bytes=3 * max(block.size_bytes for block in blocks)) as each:
        for block in blocks:
            each.add(block)
        each.finish()
    files = sorted((tmp_path / "pages").iterdir())
    assert [pq.read_metadata(file).num_rows for file in files] == [6, 6, 6, 2]
    assert audit_output(Storage(), str(tmp_path)).is_complete


def test_of_blocks_that_wait_their_names_alone_are_kept(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    own(tmp_path)
    blocks = list(read_written(Storage(), str(tmp_path)))
    held = [weakref.ref(block) for block in blocks]
    with compactor(tmp_path) as each:
        while blocks:
            each.add(blocks.pop())
        assert all(block() is None for block in held)
        each.finish()
    assert len(list((tmp_path / "pages").iterdir())) == 1


def test_blocks_of_an_earlier_run_keep_the_number_of_their_run(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    [compacted] = compact_all(tmp_path, LATER_RUN)
    assert compacted.name == "part-00000001-000000-c00000002-00000.parquet"
    assert [written.run for written in read_written(Storage(), str(tmp_path))] == [1]


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["written_file", "exists", "write", "delete_all", "after the first deletion"])
def test_whatever_dies_on_the_way_each_page_counts_once_and_it_can_be_done_again(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed before each thing that it does to the output."""
    write_blocks(tmp_path)
    own(tmp_path)
    before, rows = audit_output(Storage(), str(tmp_path)).as_json(), rows_of(tmp_path, "pages")
    names = sorted(path.name for path in (tmp_path / "pages").iterdir())
    name = "part-00000001-000000-c00000001-00000.parquet"
    compaction = Compaction(name, tuple(map(Source, names)), RUN, SCHEMA, {})

    def killed(self: Storage, *arguments: Any) -> None:
        if step == "after the first deletion":
            self.delete(arguments[0][0])
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Storage, "delete_all" if step.startswith("after") else step, killed)
        compact(Storage(), str(tmp_path), compaction)
    audit = audit_output(Storage(), str(tmp_path))
    duplicate = 6 if step == "write" else 0  # the file is there, and its manifest is not
    assert (audit.counts.pages.total(), audit.duplicate, audit.missing) == (6, duplicate, [])
    for _ in range(2):
        compact(Storage(), str(tmp_path), compaction)
        assert audit_output(Storage(), str(tmp_path)).as_json() == before
        assert sorted(rows_of(tmp_path, "pages"), key=lambda row: row["page_index"]) == rows


def test_blocks_that_another_run_has_compacted_are_left_to_it(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    own(tmp_path, LATER_RUN)
    blocks = list(read_written(Storage(), str(tmp_path)))
    compact_all(tmp_path, LATER_RUN)
    rows = rows_of(tmp_path, "pages")
    with compactor(tmp_path, LATER_RUN) as each:
        each._files = 7
        for written in blocks:
            each.add(written)
        each.finish()
    assert rows_of(tmp_path, "pages") == rows


def test_a_run_that_is_overtaken_while_it_writes_a_file_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_blocks(tmp_path)
    own(tmp_path)
    before = sorted((tmp_path / "pages").iterdir())
    write_kept = compaction_module._write_kept

    def overtaken(*arguments: Any) -> Any:
        written = write_kept(*arguments)
        own(tmp_path, LATER_RUN)
        return written

    monkeypatch.setattr(compaction_module, "_write_kept", overtaken)
    with pytest.raises(OutputClaimedError), compactor(tmp_path) as each:
        for written in list(read_written(Storage(), str(tmp_path))):
            each.add(written)
        each.finish()
    assert sorted((tmp_path / "pages").iterdir()) == before and not (tmp_path / "manifests").exists()


def test_while_it_is_held_no_file_goes_away(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    own(tmp_path)
    before = sorted((tmp_path / "pages").iterdir())
    with compactor(tmp_path, compacted_bytes=1) as each:
        with each.held():
            for written in list(read_written(Storage(), str(tmp_path))):
                each.add(written)
            assert sorted((tmp_path / "pages").iterdir()) == before
        each.finish()
    assert len(list((tmp_path / "pages").iterdir())) == 1


def test_a_damaged_block_is_named_by_the_next_block(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    own(tmp_path)
    blocks = list(read_written(Storage(), str(tmp_path)))
    damaged = tmp_path / "pages" / blocks[0].name
    damaged.write_bytes(b"PAR1" + bytes(100))
    with compactor(tmp_path) as each:
        for written in blocks:
            each.add(written)
        with pytest.raises(DamagedFileError, match=damaged.name):
            each.finish()
        each.abandon()
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == sorted(block.name for block in blocks)


def test_rows_that_are_left_out_are_gone_and_a_file_without_rows_is_too(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    compact_all(tmp_path, RUN)
    kept = np.array([True, False, True, False, False, False])
    own(tmp_path, LATER_RUN)
    with compactor(tmp_path, LATER_RUN) as each:
        for mask in (kept, np.array([False, True]), np.array([False])):
            [written] = read_written(Storage(), str(tmp_path))
            each.rewrite(written, mask)
            each.finish()
            assert len(rows_of(tmp_path, "pages")) == int(mask.sum())
            assert len(list((tmp_path / "manifests").iterdir())) == bool(mask.any())
    assert not list(read_written(Storage(), str(tmp_path)))


def test_a_run_that_was_overtaken_compacts_nothing(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    before = sorted((tmp_path / "pages").iterdir())
    own(tmp_path, LATER_RUN)
    with pytest.raises(OutputClaimedError), compactor(tmp_path, RUN) as each:
        for written in list(read_written(Storage(), str(tmp_path))):
            each.add(written)
        each.finish()
    assert sorted((tmp_path / "pages").iterdir()) == before and not (tmp_path / "manifests").exists()


def test_blocks_of_an_earlier_version_get_the_columns_that_they_lack(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2)])
    old = write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    pq.write_table(pq.read_table(old).drop_columns(["read_quality", "skew"]), old)
    write_rows(tmp_path, "pages", 1, [page_row("a", 1)])
    [compacted] = compact_all(tmp_path, RUN)
    assert pq.read_schema(compacted).equals(SCHEMA)
    newer = pq.read_table(compacted).append_column("of a later version", pa.nulls(2, pa.int8()))
    pq.write_table(newer, compacted)
    with pytest.raises(ProcessingError, match="later version"):
        compact_all(tmp_path, LATER_RUN)


@pytest.mark.parametrize(
    ("keep_pictures", "sizes"), [(False, [1000, 1000, 500]), (True, 10 * [250])], ids=["words alone", "with pictures"]
)
def test_a_large_file_has_row_groups_that_a_reader_can_hold(
    keep_pictures: bool, sizes: list[int], tmp_path: Path
) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2500)])
    for start in range(0, 2500, 500):
        write_rows(tmp_path, "pages", 1, [page_row("a", index) for index in range(start, start + 500)])
    [compacted] = compact_all(tmp_path, RUN, page_schema("token-classification", keep_pictures))
    metadata = pq.read_metadata(compacted)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == sizes


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_on_a_cluster_an_error_of_a_compaction_is_that_of_its_task(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    own(tmp_path)
    [first, *others] = sorted(path.name for path in (tmp_path / "pages").iterdir())
    (tmp_path / "pages" / first).write_bytes(b"")
    name = "part-00000001-000000-c00000001-00000.parquet"
    damaged = Compaction(name, tuple(map(Source, [first, *others])), RUN, SCHEMA, {})
    with pytest.raises(DamagedFileError, match=first):
        compact_on_cluster(Storage(), str(tmp_path), damaged)
    compact_on_cluster(Storage(), str(tmp_path), Compaction(name, tuple(map(Source, others)), RUN, SCHEMA, {}))
    assert (tmp_path / "pages" / name).exists()

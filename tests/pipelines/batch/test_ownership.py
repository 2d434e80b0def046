"""Claims: of several runs on one output the latest one owns it, whatever the clocks say, and the others stop."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.batch.manifest import Manifest, WrittenPages, write_manifest
from pipelines.batch.options import RunOptions
from pipelines.batch.output_files import read_first_run, run_number
from pipelines.batch.ownership import Claim, OutputClaimedError, claim_output
from pipelines.batch.page_writer import write_block
from pipelines.batch.record import new_record
from pipelines.batch.run import run
from pipelines.options import ExtractOptions
from pipelines.runtime.output_record import OutputConflictError
from pipelines.schema import page_schema
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, join_uri
from tests.pipelines.batch.output_rows import page_row, rows_of, write_rows

OPTIONS = {"extract": {"model": "untrained", "stride": 128}}
OLD_RECORD = {"run_id": "20260101T000000-abcdef", "status": "done", "model": "untrained", "options": OPTIONS}


@pytest.fixture(params=["folder", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_prefix")


def claim(output: str, options: dict[str, Any] = OPTIONS, overwrite: bool = False, retry: bool = False) -> Claim:
    record = new_record("untrained", ["in"], options)
    return claim_output(Storage(), output, record, overwrite, retry)


def record_of(output: str) -> dict[str, Any]:
    return json.loads(Storage().read(join_uri(output, "run.json")))


def test_runs_are_numbered_by_what_the_output_holds(output: str) -> None:
    numbers = [run_number(claim(output).run_id) for _ in range(3)]
    assert numbers == [1, 2, 3] and record_of(output)["format"] == 2


def test_the_latest_run_owns_the_output_and_an_earlier_one_cannot_write_its_record(output: str) -> None:
    first, second = claim(output), claim(output)
    second.check()
    for act in (first.check, lambda: first.write({"run_id": first.run_id, "status": "done"})):
        with pytest.raises(OutputClaimedError, match=second.run_id):
            act()
    second.write(record_of(output) | {"status": "done"})
    second.write(record_of(output) | {"status": "done", "pages": 7})
    assert record_of(output)["run_id"] == second.run_id and record_of(output)["pages"] == 7


def test_of_runs_that_begin_at_once_one_owns_the_output_and_no_two_have_a_number(output: str) -> None:
    claims: list[Claim] = []
    begin = threading.Barrier(4)

    def start() -> None:
        begin.wait()
        claims.append(claim(output))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run_number(each.run_id) for each in claims) == [1, 2, 3, 4]
    owners = [each.run_id for each in claims if record_of(output)["run_id"] == each.run_id]
    assert [run_number(owner) for owner in owners] == [4]


def test_an_output_of_an_earlier_version_is_refused_with_the_way_out_and_can_be_overwritten(tmp_path: Path) -> None:
    old = tmp_path / "pages" / "part-20260101T000000-abcdef-0123456789abcdef-000000.parquet"
    storage = Storage()
    storage.write(str(old), b"")
    for has_record in (False, True):
        if has_record:
            storage.write(str(tmp_path / "run.json"), json.dumps(OLD_RECORD).encode())
        with pytest.raises(OutputConflictError, match=r"earlier version.*--overwrite"):
            claim(str(tmp_path))
        assert old.exists()
    assert run_number(claim(str(tmp_path), overwrite=True).run_id) == 1
    assert not old.exists()


def test_other_options_are_refused(tmp_path: Path) -> None:
    claim(str(tmp_path))
    with pytest.raises(OutputConflictError, match=r"extract\.stride was 128 and is 64"):
        claim(str(tmp_path), {"extract": {"model": "untrained", "stride": 64}})


def test_a_damaged_record_is_set_aside_and_the_files_tell_what_it_held(output: str) -> None:
    first = claim(output)
    storage = Storage()
    block = pa.Table.from_pylist([page_row("a", 0)], schema=page_schema("token-classification"))
    pages = WrittenPages.of(block, f"part-{first.run_id}-c00000041-00000.parquet", 1)
    write_manifest(storage, output, Manifest(pages, (), {"model": "untrained", **OPTIONS}))
    for content in (b"", b'{"run_id": "0000', b"[]", bytes(300)):
        storage.write(join_uri(output, "run.json"), content)
        with pytest.raises(OutputConflictError, match=r"extract\.stride was 128 and is 64"):
            claim(output, {"extract": {"model": "untrained", "stride": 64}})
        storage.write(join_uri(output, "run.json"), content)
        again = claim(output)
        assert run_number(again.run_id) == 2 and again.set_aside.names == ["run.json"]
        assert storage.read(join_uri(output, "damaged", "run.json")) == content


def test_a_lost_record_gives_no_number_that_a_run_had(tmp_path: Path) -> None:
    write_rows(tmp_path, "pages", 7, [page_row("a", 0)])
    assert run_number(claim(str(tmp_path)).run_id) == 8


def block(name: str) -> pa.Table:
    return pa.Table.from_pylist([page_row(name, 0)], schema=page_schema("token-classification"))


def test_a_worker_of_a_run_that_was_overtaken_writes_nothing(output: str) -> None:
    first = claim(output)
    assert write_block(block("a"), Storage(), output, first.run_id).num_rows == 1
    claim(output)
    assert write_block(block("b"), Storage(), output, first.run_id).num_rows == 0
    assert len(rows_of(output, "pages")) == 1


def test_a_block_that_arrives_after_the_output_was_cleared_is_removed(
    output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of the old run is held up between its check and its file."""
    first = claim(output)
    write_block(block("a"), Storage(), output, first.run_id)
    owner_of = "pipelines.batch.page_writer.owner_of"
    monkeypatch.setattr(owner_of, lambda storage, output: first.run_id)
    second = claim(output, overwrite=True)
    assert read_first_run(Storage(), output) == run_number(second.run_id) == 2
    assert not rows_of(output, "pages")
    assert write_block(block("b"), Storage(), output, first.run_id).num_rows == 0
    assert not rows_of(output, "pages")


def test_what_a_clearing_that_was_killed_left_is_removed_by_a_later_run(
    few_samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = ExtractOptions("untrained", rasterize=RasterizeOptions(text="layer"))
    options = RunOptions((str(few_samples / "supplier-form.pdf"),), str(tmp_path), layer, report_pages=0)
    run(options, no_ray)
    before = sorted((tmp_path / "pages").iterdir())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipelines.batch.ownership.remove_cleared", killed)
        run(replace(options, overwrite=True), no_ray)
    assert sorted((tmp_path / "pages").iterdir()) == before
    record = run(options, no_ray)
    assert (record["status"], record["pages_this_run"], record["first_run"]) == ("done", 3, 2)
    assert len(rows_of(tmp_path, "pages")) == 3 and not set(before) & set((tmp_path / "pages").iterdir())


def killed(*arguments: Any) -> None:
    raise KeyboardInterrupt


def no_ray() -> None:
    raise AssertionError("so few pages need no Ray")


def test_a_server_that_ignores_conditions_is_told_of(
    s3_prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Storage()
    send = storage.client.put_object

    def ignoring(IfMatch: str = "", IfNoneMatch: str = "", **request: Any) -> Any:
        return send(**request)

    monkeypatch.setattr(storage.client, "put_object", ignoring)
    record = new_record("untrained", ["in"], OPTIONS)
    owner = claim_output(storage, s3_prefix, record, overwrite=False, retry_failed=False)
    assert "ignores If-None-Match" in caplog.text
    owner.check()
    assert record_of(s3_prefix) == record

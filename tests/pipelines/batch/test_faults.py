"""Runs whose disk fills or whose input is unmounted: they stop with the reason, and the same command goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.batch import opening
from pipelines.batch.listing import list_documents, listed_row
from pipelines.batch.opening import open_documents
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.errors import InfrastructureError
from pipelines.extract import ExtractOptions
from pipelines.in_process import BlockReader
from pipelines.runtime.cluster import Cluster
from pipelines.stages.fetch import Fetch
from pipelines.storage.files import Storage
from tests.pipelines.batch.execution import extract_in_process
from tests.pipelines.batch.output_rows import rows_of
from tests.pipelines.batch.test_interruptions import assert_as_undisturbed
from tests.pipelines.storage.full_disk import fill, mounted, small_disk, unmount

TOKENS = ExtractOptions(model="untrained")


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    extract_in_process(monkeypatch)
    monkeypatch.setattr("pipelines.in_process.RETRY_PAUSES_SECONDS", (0.0,))
    monkeypatch.setattr(opening, "RETRY_PAUSES_SECONDS", (0.0,))


@pytest.fixture
def documents(samples_directory: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(4):
        shutil.copy(samples_directory / "supplier-form.pdf", folder / f"form-{number}.pdf")
    shutil.copy(samples_directory / "agreement-cut-short.pdf", folder / "cut-short.pdf")
    return folder


def options(documents: Path, output: Path) -> RunOptions:
    return RunOptions((str(documents),), str(output), TOKENS, read_workers=1, report_pages=0, deduplicate=False)


def assert_complete(output: Path, documents: Path, elsewhere: Path) -> None:
    """The rows are those of an undisturbed run."""
    assert run(options(documents, elsewhere))["status"] == "done"
    assert_as_undisturbed(output, elsewhere)


def before_block(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Have `act` called once, before the block of that number is read."""
    read, numbers = BlockReader.__call__, iter(range(1_000_000))

    def acting(reader: BlockReader, block: pa.Table) -> pa.Table:
        if next(numbers) == number:
            act()
        return read(reader, block)

    monkeypatch.setattr(BlockReader, "__call__", acting)


@pytest.mark.slow
def test_a_run_whose_input_is_unmounted_stops_and_goes_on_when_it_is_there_again(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, output = tmp_path / "inputs", tmp_path / "out"
    with small_disk(tmp_path / "disk") as disk:
        shutil.copytree(documents, disk, dirs_exist_ok=True)
        with mounted(inputs, "--bind", str(disk)), monkeypatch.context() as patch:
            before_block(patch, 2, lambda: unmount(inputs))
            with pytest.raises(InfrastructureError, match=f"with {inputs} is not mounted any more"):
                run(options(inputs, output))
        record = json.loads((output / "run.json").read_text())
        assert record["status"] == "failed" and "mount it again" in record["error"]
        written = rows_of(output, "pages")
        assert written and {row["status"] for row in written} == {"ok"}
        with mounted(inputs, "--bind", str(disk)):
            record = run(options(inputs, output))
            assert record["status"] == "done"
            assert record["pages_this_run"] == record["pages"]["expected"] - len(written)
            assert_complete(output, inputs, tmp_path / "elsewhere")


@pytest.mark.slow
def test_a_run_whose_output_disk_fills_stops_and_goes_on_when_there_is_room(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fillers: list[Path] = []
    with small_disk(tmp_path / "disk") as disk:
        with monkeypatch.context() as patch:
            before_block(patch, 2, lambda: fillers.append(fill(disk)))
            with pytest.raises(InfrastructureError, match="No space left on device; free space"):
                run(options(documents, disk / "out"))
        [filler] = fillers
        filler.unlink()
        written = rows_of(disk / "out", "pages")
        assert {row["status"] for row in written} <= {"ok"}
        assert run(options(documents, disk / "out"))["status"] == "done"
        assert_complete(disk / "out", documents, tmp_path / "elsewhere")


@pytest.mark.parametrize("failures", [1, 2])
def test_a_document_is_opened_again_once_in_the_driver(
    failures: int, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, left = Fetch._fetch, [1] * failures

    def failing(stage: Fetch, uri: str) -> Path:
        if left and uri.endswith("form-1.pdf"):
            left.pop()
            raise InfrastructureError("storage_unavailable", "out of reach")
        return fetch(stage, uri)

    monkeypatch.setattr(Fetch, "_fetch", failing)
    listed = [listed_row(stored) for stored in list_documents([str(documents)], Storage())]
    opened = open_documents(listed, options(documents, tmp_path / "out"), Cluster(None))
    if failures == 1:
        assert [row["status"] for row in opened] == ["failed", "ok", "ok", "ok", "ok"]
        return
    with pytest.raises(InfrastructureError):
        list(opened)

"""Discovery: every listed document gets a row, in rounds, and no document is opened without need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.batch import candidates, discovery
from pipelines.batch.discovery import RetrySummary, discover_documents
from pipelines.batch.listing import list_documents
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import Claim, OutputClaimedError, claim_output
from pipelines.batch.record import new_record
from pipelines.extract import ExtractOptions
from pipelines.runtime.cluster import Cluster
from pipelines.schema import Row
from pipelines.storage.files import Storage, StoredObject

COPIES = 5


@pytest.fixture
def options(samples_directory: Path, tmp_path: Path) -> RunOptions:
    """Copies of a form of three pages, in a folder."""
    (tmp_path / "in").mkdir()
    for number in range(COPIES):
        shutil.copy(samples_directory / "supplier-form.pdf", tmp_path / "in" / f"{number}.pdf")
    return RunOptions((str(tmp_path / "in"),), str(tmp_path / "out"), ExtractOptions(model="untrained"))


def claim(options: RunOptions) -> Claim:
    """Claim the output for the next run, whatever its options."""
    record = new_record("untrained", options.inputs, {})
    return claim_output(Storage(), options.output, record, overwrite=False, retry_failed=False)


def discover(options: RunOptions) -> RetrySummary:
    return discover_documents(Storage(), options, Cluster(None), claim(options))


def documents(options: RunOptions) -> list[Row]:
    files = sorted(Path(options.output, "documents").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: row["uri"])


def pages_by_name(options: RunOptions) -> dict[str, int]:
    return {Path(row["uri"]).stem: row["pages_selected"] for row in documents(options)}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the documents that have been listed so far."""
    names: list[str] = []

    def recorded(*arguments: Any, **options: Any) -> Iterator[StoredObject]:
        for stored in list_documents(*arguments, **options):
            names.append(Path(stored.uri).stem)
            yield stored

    monkeypatch.setattr(discovery, "list_documents", recorded)
    return names


def test_what_a_round_has_opened_stays_when_the_next_one_fails(
    options: RunOptions, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_DOCUMENTS_PER_ROUND", 2)
    monkeypatch.setattr(candidates, "DOCUMENTS_PER_LOOKUP", 1)
    open_documents, rounds = discovery.open_documents, []

    def open_or_fail(rows: list[Row], *arguments: Any) -> Iterator[Row]:
        rounds.append((len(rows), len(listed)))
        if len(rounds) == 2:
            raise ConnectionError("the second round does not begin")
        return open_documents(rows, *arguments)

    monkeypatch.setattr(discovery, "open_documents", open_or_fail)
    with pytest.raises(ConnectionError):
        discover(options)
    assert pages_by_name(options) == {"0": 3, "1": 3}
    discover(options)
    assert pages_by_name(options) == dict.fromkeys("01234", 3)
    assert rounds == [(2, 2), (2, 4), (2, 2 + 6), (1, 4 + 5)], "listed no further than a round needs; opened once"


def test_with_a_limit_nothing_is_listed_or_opened_beyond_it(
    options: RunOptions, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MIN_DOCUMENTS_PER_ROUND", 1)
    monkeypatch.setattr(candidates, "DOCUMENTS_PER_LOOKUP", 1)
    few = replace(options, limit=4)
    discover(few)
    assert pages_by_name(few) == {"0": 3, "1": 1}
    assert len(listed) == 4
    discover(few)
    assert pages_by_name(few) == {"0": 3, "1": 1}


def test_a_document_that_changed_and_one_that_was_mended_have_one_new_row(
    options: RunOptions, samples_directory: Path
) -> None:
    folder = Path(options.inputs[0])
    (folder / "0.pdf").write_bytes((folder / "0.pdf").read_bytes()[:900])
    (folder / "1.pdf").write_bytes(b"")
    discover(options)
    assert pages_by_name(options) == {"0": 0, "1": 0, **dict.fromkeys("234", 3)}
    shutil.copy(samples_directory / "supplier-form.pdf", folder / "1.pdf")
    shutil.copy(samples_directory / "fax-two-pages.tiff", folder / "2.pdf")
    os.utime(folder / "3.pdf", ns=(1, 1))
    assert discover(options) == RetrySummary()
    assert pages_by_name(options) == {"0": 0, "1": 3, "2": 2, "3": 3, "4": 3}
    assert len(documents(options)) == COPIES
    assert discover(replace(options, retry_failed=True)) == RetrySummary(documents=1)
    assert len(documents(options)) == COPIES


def write_forms(folder: Path, samples: Path, **pages: int) -> None:
    """Documents by name, of one page (a receipt), two (a fax) or three (a form)."""
    sources = {1: "receipt-photo.jpg", 2: "fax-two-pages.tiff", 3: "supplier-form.pdf"}
    for name, count in pages.items():
        shutil.copy(samples / sources[count], folder / f"{name}.pdf")


def test_pages_that_a_changed_document_gives_up_are_free_for_others_and_documents_over_the_limit_are_dropped(
    options: RunOptions, samples_directory: Path
) -> None:
    folder = Path(options.inputs[0])
    limited = replace(options, limit=7)
    discover(limited)
    assert pages_by_name(limited) == {"0": 3, "1": 3, "2": 1}
    write_forms(folder, samples_directory, **{"0": 1})
    discover(limited)
    assert pages_by_name(limited) == {"0": 1, "1": 3, "2": 1, "3": 2}
    write_forms(folder, samples_directory, **{"0": 3, "1": 2})
    fewer = replace(options, limit=4)
    discover(fewer)
    assert pages_by_name(fewer) == {"0": 1, "2": 1, "3": 2}, "other documents have 1 + 2 pages: 1 is left"


def test_a_retry_at_the_limit_leaves_everything_as_it_was(options: RunOptions, samples_directory: Path) -> None:
    folder = Path(options.inputs[0])
    (folder / "4.pdf").write_bytes(b"")
    discover(options)
    before = documents(options)
    write_forms(folder, samples_directory, **{"4": 3})
    full = replace(options, limit=12, retry_failed=True)
    assert discover(full) == RetrySummary()
    assert documents(options) == before
    roomy = replace(options, limit=14, retry_failed=True)
    assert discover(roomy) == RetrySummary(documents=1)
    assert pages_by_name(options) == {**dict.fromkeys("0123", 3), "4": 2}


def test_a_run_whose_output_another_run_has_claimed_writes_nothing(options: RunOptions) -> None:
    first, _ = claim(options), claim(options)
    with pytest.raises(OutputClaimedError):
        discover_documents(Storage(), options, Cluster(None), first)
    assert documents(options) == []

"""Documents with the same bytes are read once and written each, and are as if each had been read."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.batch import compaction, page_writer
from pipelines.batch.deduplication import find_originals, open_once
from pipelines.batch.document_index import DocumentIndex, is_content_hash
from pipelines.batch.identities import Identities
from pipelines.batch.listing import listed_row
from pipelines.batch.options import RunOptions
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.run import run as run_with
from pipelines.options import ExtractOptions
from pipelines.schema import Row
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, StoredObject, join_uri
from pipelines.storage.tables import read_tables, table_files
from tests.pipelines.batch.output_rows import identity
from tests.pipelines.batch.test_document_index import table

HASH, OTHER_HASH = "d41d8cd98f00b204e9800998ecf8427e", "0" * 32
EXTRACT = ExtractOptions("untrained", rasterize=RasterizeOptions(text="layer"))


def connect() -> None:
    raise AssertionError("so few pages need no Ray")


def run(options: RunOptions) -> dict[str, Any]:
    return run_with(replace(options, read_workers=1, report_pages=0), connect)


@pytest.mark.parametrize(
    ("size", "etag", "expected"),
    [
        (5, HASH, True),
        (5, HASH + "-12", True),
        (5, "7d0-18c2f3a1b2c3d4e5", False),
        (5, "e", False),
        (5, "", False),
        (5, None, False),
        (0, HASH, False),
        (None, HASH, False),
    ],
)
def test_an_etag_of_the_content_is_told_from_others(size: int | None, etag: str | None, expected: bool) -> None:
    assert is_content_hash(size, etag) == expected


def test_the_document_with_most_pages_done_is_the_original() -> None:
    rows = [("a", HASH, 2), ("b", HASH, 3), ("c", HASH, 3), ("d", OTHER_HASH, 3), ("e", "e", 3), ("f", "e", 3)]
    index = DocumentIndex.of([(1, table(*((name, 9, etag, "ok", pages) for name, etag, pages in rows)))])
    done = PageBitmap(index)
    assert find_originals(index, done).tolist() == [1, 1, 1, 3, 4, 5]
    done.mark(Identities.of(list(map(identity, "caa"))), np.array([0, 0, 1], dtype=np.int32))
    assert find_originals(index, done).tolist() == [2, 2, 2, 3, 4, 5]
    assert done.marked_by_document().tolist() == [2, 0, 1, 0, 0, 0]


def test_all_pages_of_documents_are_marked_in_a_copy_alone() -> None:
    index = DocumentIndex.of([(1, table(("a", 1, "x", "ok", 2), ("b", 1, "x", "failed", 0), ("c", 1, "x", "ok", 1)))])
    done = PageBitmap(index)
    copy = done.copy()
    copy.mark_documents(np.array([True, True, False]))
    assert (copy.marked_by_document().tolist(), done.marked) == ([2, 0, 0], 0)


def opened_by(failures: dict[str, str], calls: list[str]) -> Any:
    """Opens rows of `LISTED`, and notes which."""

    def open_all(listed: Sequence[Row]) -> Generator[Row, None, None]:
        for row in listed:
            calls.append(row["uri"])
            error = failures.get(row["uri"])
            yield {**row, "page_count": 3, "status": "failed" if error else "ok", "error": error}

    return open_all


def test_documents_of_the_same_bytes_are_opened_once() -> None:
    etags = {"s3://b/1": HASH, "s3://b/2": OTHER_HASH, "s3://b/3": HASH, "s3://b/4": OTHER_HASH, "s3://b/5": "e"}
    listed = [listed_row(StoredObject(uri, 7, etag)) for uri, etag in etags.items()]
    calls: list[str] = []
    failures = {"s3://b/2": "s3://b/2: S3 refused access"}
    opened = list(open_once(listed, opened_by(failures, calls)))
    assert [row["uri"] for row in opened] == list(etags) and [row["document_id"] for row in opened] == [
        row["document_id"] for row in listed
    ]
    assert sorted(calls) == ["s3://b/1", "s3://b/2", "s3://b/4", "s3://b/5"], "4 may be fetched where 2 may not"
    assert [row["status"] for row in opened] == ["ok", "failed", "ok", "ok", "ok"]


def upload(prefix: str, samples: Path) -> None:
    storage = Storage()
    for name in ("supplier-form.pdf", "agreement-cut-short.pdf", "delivery-schedule-rotated.pdf"):
        storage.write(join_uri(prefix, "a", name), (samples / name).read_bytes())
    for name in ("supplier-form.pdf", "agreement-cut-short.pdf"):
        for folder in ("b", "c"):
            storage.write(join_uri(prefix, folder, name), (samples / name).read_bytes())


def rows_of(output: str, name: str) -> dict[tuple[str, int], Row]:
    storage = Storage()
    rows = [row for _, each in read_tables(storage, table_files(storage, output, name)) for row in each.to_pylist()]
    keyed = {(row["uri"], row.get("page_index", 0)): row for row in rows}
    assert len(keyed) == len(rows), "each once"
    return keyed


def without_seconds(rows: dict[tuple[str, int], Row]) -> dict[tuple[str, int], Row]:
    return {key: {name: value for name, value in row.items() if name != "seconds"} for key, row in rows.items()}


@pytest.mark.parametrize(
    "compacted_bytes",
    [pytest.param(1, marks=pytest.mark.slow), 30_000, pytest.param(compaction.COMPACTED_BYTES, marks=pytest.mark.slow)],
)
def test_a_run_writes_the_same_rows_with_and_without_deduplication(
    compacted_bytes: int, s3_prefix: str, samples_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are compacted while the rows of originals are copied, or not before the end."""
    monkeypatch.setattr(compaction, "COMPACTED_BYTES", compacted_bytes)
    upload(s3_prefix, samples_directory)
    options = RunOptions((s3_prefix,), str(tmp_path / "once"), EXTRACT)
    once, each = run(options), run(replace(options, output=str(tmp_path / "each"), deduplicate=False))
    for record in (once, each):
        assert record["status"] == "done"
        assert (record["documents"]["ok"], record["documents"]["failed"]) == (4, 3)
        assert record["pages"]["missing"] == record["pages"]["duplicate"] == 0
    assert once["pages"] == each["pages"]
    for name in ("documents", "pages"):
        expected, found = (without_seconds(rows_of(str(tmp_path / folder), name)) for folder in ("each", "once"))
        assert found == expected
    worked = [key for key, row in rows_of(str(tmp_path / "once"), "pages").items() if row["seconds"]["rasterize"]]
    assert len([key for key in worked if "supplier-form" in key[0]]) == 3, "its pages are read once"


def test_what_is_missing_of_copies_is_written_by_the_next_run(
    s3_prefix: str, samples_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(s3_prefix, samples_directory)
    options = RunOptions((s3_prefix,), str(tmp_path / "out"), EXTRACT)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(page_writer, "copy_pages", interrupted)
        run(options)
    assert len(rows_of(options.output, "pages")) == 4
    with monkeypatch.context() as patched:
        patched.setattr(page_writer, "write_round", interrupted)  # nothing is read again
        record = run(options)
    assert (record["status"], record["pages"]["ok"]) == ("done", 10)


def test_copies_of_a_page_that_could_not_be_fetched_are_read_themselves(
    s3_prefix: str, samples_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(s3_prefix, samples_directory)
    options = RunOptions((join_uri(s3_prefix, "a"), join_uri(s3_prefix, "b")), str(tmp_path / "out"), EXTRACT)
    write_all, removed = page_writer._write_all, []

    def remove_original(*arguments: Any) -> Any:
        documents, done = arguments[2], arguments[3]
        originals = find_originals(documents, done)
        (original,) = set(originals[originals != np.arange(len(documents))].tolist())
        for stored in list(Storage().list(s3_prefix)):
            if [listed_row(stored)["document_id"]] == documents.identities[np.array([original])].names():
                Storage().delete(stored.uri)
                removed.append(stored.uri)
        yield from write_all(*arguments)

    monkeypatch.setattr(page_writer, "_write_all", remove_original)
    record = run(options)
    assert record["status"] == "done" and len(removed) == 1
    rows = {key: row for key, row in rows_of(options.output, "pages").items() if "supplier-form" in key[0]}
    assert {(row["uri"] == removed[0], row["status"]) for row in rows.values()} == {(True, "failed"), (False, "ok")}


def test_local_files_are_read_each(samples_directory: Path, tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        Storage().write(str(tmp_path / "in" / name), (samples_directory / "supplier-form.pdf").read_bytes())
    run(RunOptions((str(tmp_path / "in"),), str(tmp_path / "out"), EXTRACT))
    assert all(row["seconds"]["rasterize"] > 0 for row in rows_of(str(tmp_path / "out"), "pages").values())

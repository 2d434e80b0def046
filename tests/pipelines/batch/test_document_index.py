from __future__ import annotations

import tracemalloc

import pyarrow as pa

from pipelines.batch.document_index import COLUMNS, DocumentIndex, version
from pipelines.schema import DOCUMENTS

SCHEMA = pa.schema([DOCUMENTS.field(name) for name in COLUMNS])


def table(*rows: tuple[str, int, str, str, int]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema=SCHEMA)


def test_of_several_rows_of_a_document_the_last_counts() -> None:
    first = table(("b", 5, "x", "failed", 0), ("a", 1, "x", "ok", 3), ("b", 5, "y", "failed", 0))
    index = DocumentIndex.of([first, table(("b", 6, "y", "ok", 2))])
    assert (index.identities.tolist(), index.pages.tolist()) == ([b"a", b"b"], [3, 2])
    assert (index.failed.tolist(), index.superseded, len(index)) == ([False, False], 2, 2)
    assert index.versions.tolist() == [version(1, "x"), version(6, "y")]


def test_a_version_changes_with_the_size_and_with_the_etag() -> None:
    assert len({version(1, "x"), version(2, "x"), version(1, "y"), version(1, "")}) == 4
    assert version(1, "x") == version(1, "x")


def test_documents_are_found_in_any_order_and_unknown_ones_are_not() -> None:
    index = DocumentIndex.of([table(("b", 1, "e", "ok", 1), ("a", 1, "e", "ok", 1))])
    assert index.positions(["b", "c", "a", "", "aa", "a"]).tolist() == [1, -1, 0, -1, -1, 0]
    assert index.positions([]).tolist() == []


def test_an_empty_index_knows_no_document() -> None:
    index = DocumentIndex.of([])
    assert (len(index), index.superseded, index.positions(["a"]).tolist()) == (0, 0, [-1])


def test_a_document_takes_few_bytes_whatever_its_etag() -> None:
    tables = [table(*((f"{number:016x}", number, "e" * 100, "ok", 1) for number in range(20_000)))]
    tracemalloc.start()
    try:
        index = DocumentIndex.of(tables)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index) == 20_000 and held < 40 * len(index)

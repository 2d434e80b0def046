from __future__ import annotations

import tracemalloc

import pyarrow as pa
import pytest

from pipelines.batch.document_index import COLUMNS, DocumentIndex, version
from pipelines.errors import ProcessingError
from pipelines.schema import DOCUMENTS
from tests.pipelines.batch.output_rows import identity, name_of

SCHEMA = pa.schema([DOCUMENTS.field(name) for name in COLUMNS])


def table(*rows: tuple[str, int, str, str, int]) -> pa.Table:
    """Rows of documents: name, size, etag, status, pages."""
    full = [(identity(name), f"/{name}.pdf", *others) for name, *others in rows]
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in full], schema=SCHEMA)


def names(index: DocumentIndex) -> list[str]:
    return [name_of(document_id) for document_id in index.identities.names()]


def test_of_several_rows_of_a_document_the_last_counts() -> None:
    first = table(("b", 5, "x", "failed", 0), ("a", 1, "x", "ok", 3), ("b", 5, "y", "failed", 0))
    index = DocumentIndex.of([(3, first), (7, table(("b", 6, "y", "ok", 2)))])
    assert (names(index), index.pages.tolist(), index.runs.tolist()) == (["a", "b"], [3, 2], [3, 7])
    assert (index.failed.tolist(), index.superseded, len(index)) == ([False, False], 2, 2)
    assert index.versions.tolist() == [version(1, "x"), version(6, "y")]


def test_a_version_changes_with_the_size_and_with_the_etag() -> None:
    assert len({version(1, "x"), version(2, "x"), version(1, "y"), version(1, "")}) == 4
    assert version(1, "x") == version(1, "x")


def test_documents_are_found_in_any_order_and_unknown_ones_are_not() -> None:
    index = DocumentIndex.of([(1, table(("b", 1, "e", "ok", 1), ("a", 1, "e", "ok", 1)))])
    wanted = [identity(name) for name in ("b", "c", "a", "", "aa", "a")]
    assert index.positions(wanted).tolist() == [
        1,
        -1,
        0,
        -1,
        -1,
        0,
    ]
    assert index.positions([]).tolist() == []


def test_an_empty_index_knows_no_document() -> None:
    index = DocumentIndex.of([])
    assert (len(index), index.superseded, index.positions([identity("a")]).tolist()) == (0, 0, [-1])


def test_a_document_takes_few_bytes_whatever_its_etag() -> None:
    tables = [(1, table(*((f"{number:08x}", number, "e" * 100, "ok", 1) for number in range(20_000))))]
    tracemalloc.start()
    try:
        index = DocumentIndex.of(tables)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index) == 20_000 and held < 50 * len(index)


def test_two_documents_of_one_identity_are_an_error() -> None:
    other = table(("a", 1, "x", "ok", 3)).set_column(1, "uri", pa.array(["/other.pdf"]))
    with pytest.raises(ProcessingError, match="same document_id"):
        DocumentIndex.of([(1, table(("b", 5, "x", "ok", 1), ("a", 1, "x", "ok", 3))), (1, other)])

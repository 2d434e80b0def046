from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.batch.document_index import COLUMNS, DocumentIndex
from pipelines.batch.identities import Identities
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.schema import DOCUMENTS
from tests.pipelines.batch.output_rows import document_row, identity, name_of

SELECTED = {"b": 3, "a": 2, "none": 0, "c": 1}
KEYS = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("c", 0)]


def documents(selected: dict[str, int]) -> DocumentIndex:
    rows = [document_row(name, pages) for name, pages in selected.items()]
    schema = pa.schema([DOCUMENTS.field(name) for name in COLUMNS])
    return DocumentIndex.of([(1, pa.Table.from_pylist(rows, schema=schema))])


def mark(bitmap: PageBitmap, names: list[str], indices: Sequence[int]) -> list[bool]:
    return bitmap.mark(identities(names), np.array(indices, dtype=np.int32)).tolist()


def identities(names: list[str]) -> Identities:
    return Identities.of(list(map(identity, names)))


def keys(pages: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(name_of(document_id), index) for document_id, index in pages]


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["a", "b", "c", "none", "no", "bb", "z", ""]), st.integers(-1, 4))),
        max_size=5,
    )
)
def test_a_bitmap_behaves_like_a_set_of_keys(files: list[list[tuple[str, int]]]) -> None:
    bitmap, expected = PageBitmap(documents(SELECTED)), set[tuple[str, int]]()
    assert bitmap.expected == len(KEYS)
    for file in files:
        names, indices = [name for name, _ in file], [index for _, index in file]
        are_expected = bitmap.are_expected(identities(names), np.array(indices, dtype=np.int32))
        assert are_expected.tolist() == [key in KEYS for key in file]
        fresh = []
        for key in file:
            fresh.append(key in KEYS and key not in expected)
            if key in KEYS:
                expected.add(key)
        assert mark(bitmap, names, indices) == fresh
        assert bitmap.marked == len(expected)
        assert keys(bitmap.unmarked()) == [key for key in KEYS if key not in expected]
    bitmap.unmark([(identity(name), index) for name, index in [*expected, ("z", 0), ("a", 9)]])
    assert keys(bitmap.unmarked()) == KEYS


def test_a_document_has_its_own_unmarked_pages() -> None:
    bitmap = PageBitmap(documents(SELECTED))
    mark(bitmap, ["b"], [1])
    assert list(bitmap.unmarked_of(list(map(identity, ["zz", "b", "none", "a", "0"])))) == [(1, [0, 2]), (3, [0, 1])]


def test_without_documents_no_page_is_expected() -> None:
    bitmap = PageBitmap(documents({}))
    assert mark(bitmap, ["a"], [0]) == [False]
    assert (bitmap.expected, bitmap.marked, list(bitmap.unmarked()), list(bitmap.unmarked_of([identity("a")]))) == (
        0,
        0,
        [],
        [],
    )


def test_a_million_pages_take_few_bytes_each() -> None:
    expected = documents({f"{name:08x}": 100 for name in range(10_000)})
    tracemalloc.start()
    try:
        bitmap = PageBitmap(expected)
        unmarked, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            mark(bitmap, [f"{number:08x}"] * 100, range(100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (bitmap.expected, bitmap.marked) == (1_000_000, 100_000)
    assert held < 4_000_000 and held - unmarked < 100_000, "marks take no memory of their own"


def test_pages_that_were_read_before_their_document_was_opened_again_are_not_expected() -> None:
    bitmap = PageBitmap(documents({"a": 2}))
    first = np.array([0], dtype=np.int32)
    assert bitmap.mark(identities(["a"]), first, run=0).tolist() == [False]
    assert bitmap.are_expected(identities(["a"]), first, run=1).tolist() == [True]
    assert bitmap.mark(identities(["a"]), first, run=1).tolist() == [True]

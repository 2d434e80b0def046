from __future__ import annotations

import tracemalloc

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.batch.document_index import COLUMNS, DocumentIndex
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.schema import DOCUMENTS

SELECTED = {"b": 3, "a": 2, "none": 0, "c": 1}
KEYS = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("c", 0)]


def documents(selected: dict[str, int]) -> DocumentIndex:
    rows = [
        {"document_id": name, "size_bytes": 1, "etag": "e", "status": "ok", "pages_selected": pages}
        for name, pages in selected.items()
    ]
    schema = pa.schema([DOCUMENTS.field(name) for name in COLUMNS])
    return DocumentIndex.of([pa.Table.from_pylist(rows, schema=schema)])


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
    for keys in files:
        names, indices = [name for name, _ in keys], [index for _, index in keys]
        assert bitmap.is_expected(names, indices).tolist() == [key in KEYS for key in keys]
        fresh = []
        for key in keys:
            fresh.append(key in KEYS and key not in expected)
            if key in KEYS:
                expected.add(key)
        assert bitmap.mark(names, indices).tolist() == fresh
        assert bitmap.marked == len(expected)
        assert list(bitmap.unmarked()) == [key for key in KEYS if key not in expected]
    bitmap.unmark([*expected, ("z", 0), ("a", 9)])
    assert list(bitmap.unmarked()) == KEYS


def test_a_document_has_its_own_unmarked_pages() -> None:
    bitmap = PageBitmap(documents(SELECTED))
    bitmap.mark(["b"], [1])
    assert list(bitmap.unmarked_of(["zz", "b", "none", "a", "0"])) == [(1, [0, 2]), (3, [0, 1])]


def test_without_documents_no_page_is_expected() -> None:
    bitmap = PageBitmap(documents({}))
    assert bitmap.mark(["a"], [0]).tolist() == [False]
    assert (bitmap.expected, bitmap.marked, list(bitmap.unmarked()), list(bitmap.unmarked_of(["a"]))) == (0, 0, [], [])


def test_a_million_pages_take_few_bytes_each() -> None:
    expected = documents({f"{name:016x}": 100 for name in range(10_000)})
    tracemalloc.start()
    try:
        bitmap = PageBitmap(expected)
        unmarked, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            bitmap.mark([f"{number:016x}"] * 100, range(100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for number in range(1_000, 10_000):
        bitmap.mark([f"{number:016x}"] * 100, range(100))
    assert bitmap.marked == 1_000_000
    assert held < 4_000_000 and held - unmarked < 100_000, "marks take no memory of their own"

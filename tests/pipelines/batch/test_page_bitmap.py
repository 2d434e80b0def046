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
def test_marks_say_what_sets_of_keys_would(files: list[list[tuple[str, int]]]) -> None:
    flags, expected = PageBitmap(documents(SELECTED)), set[tuple[str, int]]()
    assert flags.expected == len(KEYS)
    for keys in files:
        names, indices = [name for name, _ in keys], [index for _, index in keys]
        assert flags.is_expected(names, indices).tolist() == [key in KEYS for key in keys]
        fresh = []
        for key in keys:
            fresh.append(key in KEYS and key not in expected)
            if key in KEYS:
                expected.add(key)
        assert flags.mark(names, indices).tolist() == fresh
        assert flags.marked == len(expected)
        assert list(flags.unmarked()) == [key for key in KEYS if key not in expected]
    flags.unmark([*expected, ("z", 0), ("a", 9)])
    assert list(flags.unmarked()) == KEYS


def test_a_document_has_its_own_unmarked_pages() -> None:
    flags = PageBitmap(documents(SELECTED))
    flags.mark(["b"], [1])
    assert list(flags.unmarked_of(["zz", "b", "none", "a", "0"])) == [(1, [0, 2]), (3, [0, 1])]


def test_without_documents_nothing_is_promised() -> None:
    flags = PageBitmap(documents({}))
    assert flags.mark(["a"], [0]).tolist() == [False]
    assert (flags.expected, flags.marked, list(flags.unmarked()), list(flags.unmarked_of(["a"]))) == (0, 0, [], [])


def test_a_million_pages_take_few_bytes_each() -> None:
    expected = documents({f"{name:016x}": 100 for name in range(10_000)})
    tracemalloc.start()
    try:
        flags = PageBitmap(expected)
        for number in range(10_000):
            flags.mark([f"{number:016x}"] * 100, range(100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert flags.marked == 1_000_000
    assert held < 4_000_000

from __future__ import annotations

from pathlib import Path

from pipelines.batch.audit import audit_output
from pipelines.batch.manifest import (
    forget_documents,
    keep_newest,
    pages_to_do,
    read_document_index,
    read_failed_pages,
    read_pages_done,
)
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.schema import PageKey
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, page_row, write_rows


def done(output: Path) -> PageBitmap:
    return read_pages_done(Storage(), str(output), read_document_index(Storage(), str(output)))


def not_done(output: Path) -> list[PageKey]:
    return list(done(output).unmarked())


def test_documents_expect_the_pages_that_the_limits_left(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "1", [document_row("a", 2), document_row("c", 0, error_kind="empty")])
    write_rows(tmp_path, "documents", "2", [document_row("b", 9, selected=1)])
    assert not_done(tmp_path) == [("a", 0), ("a", 1), ("b", 0)]


def test_pages_to_do_are_those_expected_and_not_written(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "1", [document_row("b", 5), document_row("none", 0, error_kind="empty")])
    write_rows(tmp_path, "documents", "2", [document_row("a", 2)])
    write_rows(tmp_path, "pages", "1", [page_row("b", 1), page_row("b", 4)])
    rows = list(pages_to_do(Storage(), str(tmp_path), done(tmp_path)))
    assert [(row["document_id"], row["page_index"]) for row in rows] == [
        ("b", 0),
        ("b", 2),
        ("b", 3),
        ("a", 0),
        ("a", 1),
    ]
    assert (rows[0]["uri"], rows[0]["page_count"], rows[0]["media_type"]) == ("/in/b.pdf", 5, "application/pdf")


def test_an_output_that_does_not_exist_expects_and_has_no_pages(tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert len(read_document_index(Storage(), str(new))) == 0
    assert (done(new).expected, list(pages_to_do(Storage(), str(new), done(new)))) == (0, [])


def test_pages_done_are_read_back_from_all_files(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "part-1", [document_row("a", 3), document_row("b", 2)])
    write_rows(tmp_path, "pages", "part-1", [page_row("a", 0), page_row("a", 1, "timeout")])
    write_rows(tmp_path, "pages", "part-2", [page_row("b", 0)])
    assert not_done(tmp_path) == [("a", 2), ("b", 1)]


def test_forgotten_documents_leave_no_row_and_the_others_stay(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "part-1", [document_row("a", 2), document_row("b", 1)])
    write_rows(tmp_path, "pages", "part-1", [page_row("a", 0), page_row("b", 0)])
    write_rows(tmp_path, "pages", "part-2", [page_row("a", 1)])
    forget_documents(Storage(), str(tmp_path), {"a"}, ("documents", "pages"))
    assert read_document_index(Storage(), str(tmp_path)).identities.tolist() == [b"b"]
    assert done(tmp_path).marked == 1 and not_done(tmp_path) == []
    assert not (tmp_path / "pages" / "part-2.parquet").exists()


def test_of_rows_of_one_page_the_newest_counts_and_the_others_are_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "one", [document_row("a", 3)])
    first = [page_row("a", 0, "timeout"), page_row("a", 1, "timeout"), page_row("a", 2)]
    write_rows(tmp_path, "pages", "20260101", first)
    write_rows(tmp_path, "pages", "20260102", [page_row("a", 0)])
    write_rows(tmp_path, "pages", "20260103", [page_row("a", 2)])
    assert read_failed_pages(Storage(), str(tmp_path)) == {("a", 1)}
    assert keep_newest(Storage(), str(tmp_path), "pages") == 2
    audit = audit_output(Storage(), str(tmp_path))
    assert audit.is_complete and (audit.pages["ok"], audit.pages["failed"]) == (2, 1)
    assert keep_newest(Storage(), str(tmp_path), "pages") == 0


def test_pages_that_no_document_expects_any_more_are_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "one", [document_row("a", 1)])
    write_rows(tmp_path, "pages", "one", [page_row("a", 0), page_row("a", 1), page_row("gone", 0)])
    assert keep_newest(Storage(), str(tmp_path), "pages") == 2
    assert audit_output(Storage(), str(tmp_path)).is_complete


def test_of_rows_of_one_document_the_newest_counts(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", "20260101", [document_row("a", 0, error_kind="empty"), document_row("b", 1)])
    write_rows(tmp_path, "documents", "20260102", [document_row("a", 4)])
    for superseded in (1, 0):
        index = read_document_index(Storage(), str(tmp_path))
        assert (index.identities.tolist(), index.pages.tolist()) == ([b"a", b"b"], [4, 1])
        assert (index.failed.tolist(), index.superseded) == ([False, False], superseded)
        assert audit_output(Storage(), str(tmp_path)).as_json()["documents"]["by_error_kind"] == {}
        keep_newest(Storage(), str(tmp_path), "documents")
    assert not keep_newest(Storage(), str(tmp_path), "documents")

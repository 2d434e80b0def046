from __future__ import annotations

from pathlib import Path

import pyarrow as pa

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
from pipelines.schema import DOCUMENTS, PageKey, Row, page_schema
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from pipelines.storage.tables import write_table


def document(name: str, pages: int, selected: int | None = None, error_kind: str | None = None) -> Row:
    failed = error_kind is not None
    return {
        "document_id": name,
        "uri": f"/in/{name}.pdf",
        "size_bytes": 1,
        "etag": "e",
        "media_type": None if failed else "application/pdf",
        "page_count": None if failed else pages,
        "pages_selected": 0 if failed else (pages if selected is None else selected),
        "status": "failed" if failed else "ok",
        "error_kind": error_kind,
        "error": "a reason" if failed else None,
    }


def page(name: str, index: int, error_kind: str | None = None) -> Row:
    return {
        "document_id": name,
        "uri": f"/in/{name}.pdf",
        "page_index": index,
        "page_count": 9,
        "text_source": None if error_kind else "layer",
        "status": "failed" if error_kind else "ok",
        "error_kind": error_kind,
        "error": "a reason" if error_kind else None,
        "seconds": {"rasterize": 0.5, "ocr": 0.0, "infer": 0.25},
    }


def write(output: Path, table: str, name: str, rows: list[Row]) -> None:
    schema = DOCUMENTS if table == "documents" else page_schema("token-classification")
    write_table(Storage(), str(output / table / f"{name}.parquet"), pa.Table.from_pylist(rows, schema=schema))


def done(output: Path) -> PageBitmap:
    return read_pages_done(Storage(), str(output), read_document_index(Storage(), str(output)))


def not_done(output: Path) -> list[PageKey]:
    return list(done(output).unmarked())


def test_documents_promise_the_pages_that_the_caps_left(tmp_path: Path) -> None:
    write(tmp_path, "documents", "1", [document("a", 2), document("c", 0, error_kind="empty")])
    write(tmp_path, "documents", "2", [document("b", 9, selected=1)])
    assert not_done(tmp_path) == [("a", 0), ("a", 1), ("b", 0)]


def test_pages_to_do_are_those_promised_and_not_done(tmp_path: Path) -> None:
    write(tmp_path, "documents", "1", [document("b", 5), document("none", 0, error_kind="empty")])
    write(tmp_path, "documents", "2", [document("a", 2)])
    write(tmp_path, "pages", "1", [page("b", 1), page("b", 4)])
    rows = list(pages_to_do(Storage(), str(tmp_path), done(tmp_path)))
    assert [(row["document_id"], row["page_index"]) for row in rows] == [
        ("b", 0),
        ("b", 2),
        ("b", 3),
        ("a", 0),
        ("a", 1),
    ]
    assert (rows[0]["uri"], rows[0]["page_count"], rows[0]["media_type"]) == ("/in/b.pdf", 5, "application/pdf")


def test_an_output_that_does_not_exist_has_promised_and_done_nothing(tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert len(read_document_index(Storage(), str(new))) == 0
    assert (done(new).expected, list(pages_to_do(Storage(), str(new), done(new)))) == (0, [])


def test_pages_done_are_read_back_from_all_files(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 3), document("b", 2)])
    write(tmp_path, "pages", "part-1", [page("a", 0), page("a", 1, "timeout")])
    write(tmp_path, "pages", "part-2", [page("b", 0)])
    assert not_done(tmp_path) == [("a", 2), ("b", 1)]


def test_forgotten_documents_leave_no_row_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 2), document("b", 1)])
    write(tmp_path, "pages", "part-1", [page("a", 0), page("b", 0)])
    write(tmp_path, "pages", "part-2", [page("a", 1)])
    forget_documents(Storage(), str(tmp_path), {"a"}, ("documents", "pages"))
    assert read_document_index(Storage(), str(tmp_path)).identities.tolist() == [b"b"]
    assert done(tmp_path).marked == 1 and not_done(tmp_path) == []
    assert not (tmp_path / "pages" / "part-2.parquet").exists()


def test_the_account_adds_up_and_names_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 3), document("b", 0, error_kind="encrypted")])
    write(tmp_path, "pages", "part-1", [page("a", 0), page("a", 2, "timeout")])
    audit = audit_output(Storage(), str(tmp_path))
    told = audit.as_json()
    assert told["documents"] == {"listed": 2, "ok": 1, "failed": 1, "by_error_kind": {"encrypted": 1}}
    assert (told["pages"]["promised"], told["pages"]["ok"], told["pages"]["failed"], told["pages"]["missing"]) == (
        3,
        1,
        1,
        1,
    )
    assert audit.missing == [("a", 1)]
    assert audit.examples["timeout"] == [("/in/a.pdf", 2, "a reason")]
    assert audit.seconds_by_stage() == {"rasterize": 1.0, "ocr": 0.0, "infer": 0.5}


def test_a_page_written_twice_is_counted_once_and_told(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 1)])
    write(tmp_path, "pages", "part-1", [page("a", 0)])
    write(tmp_path, "pages", "part-2", [page("a", 0)])
    audit = audit_output(Storage(), str(tmp_path))
    assert audit.pages["ok"] == 1 and audit.duplicate == 1


def test_of_rows_of_one_page_the_newest_counts_and_the_others_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, "documents", "one", [document("a", 3)])
    write(tmp_path, "pages", "20260101", [page("a", 0, "timeout"), page("a", 1, "timeout"), page("a", 2)])
    write(tmp_path, "pages", "20260102", [page("a", 0)])
    write(tmp_path, "pages", "20260103", [page("a", 2)])
    assert read_failed_pages(Storage(), str(tmp_path)) == {("a", 1)}
    assert keep_newest(Storage(), str(tmp_path), "pages") == 2
    audit = audit_output(Storage(), str(tmp_path))
    assert audit.is_complete and (audit.pages["ok"], audit.pages["failed"]) == (2, 1)
    assert keep_newest(Storage(), str(tmp_path), "pages") == 0


def test_pages_that_no_document_promises_any_more_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, "documents", "one", [document("a", 1)])
    write(tmp_path, "pages", "one", [page("a", 0), page("a", 1), page("gone", 0)])
    assert keep_newest(Storage(), str(tmp_path), "pages") == 2
    assert audit_output(Storage(), str(tmp_path)).is_complete


def test_of_rows_of_one_document_the_newest_counts(tmp_path: Path) -> None:
    write(tmp_path, "documents", "20260101", [document("a", 0, error_kind="empty"), document("b", 1)])
    write(tmp_path, "documents", "20260102", [document("a", 4)])
    for superseded in (1, 0):
        flags = read_document_index(Storage(), str(tmp_path))
        told = (flags.identities.tolist(), flags.pages.tolist(), flags.failed.tolist(), flags.superseded)
        assert told == ([b"a", b"b"], [4, 1], [False, False], superseded)
        assert audit_output(Storage(), str(tmp_path)).as_json()["documents"]["by_error_kind"] == {}
        keep_newest(Storage(), str(tmp_path), "documents")
    assert not keep_newest(Storage(), str(tmp_path), "documents")


def test_the_account_tells_each_kind_of_failure_with_examples_and_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, "documents", "one", [document("a", 6), document("b", 0, error_kind="encrypted")])
    write(tmp_path, "pages", "one", [page("a", 0), *(page("a", index, "timeout") for index in range(1, 6))])
    audit = audit_output(Storage(), str(tmp_path))
    command = ("python", "-m", "jobs.extract", "--input", "in put", "--output", "out", "--overwrite")
    timeout, encrypted = audit.failures(command, PageLimits(seconds=30), 10**9)
    assert (timeout["error_kind"], timeout["count"], timeout["pages"], timeout["documents"]) == ("timeout", 5, 5, 0)
    assert len(timeout["examples"]) == 3 and timeout["examples"][0]["uri"] == "/in/a.pdf"
    assert timeout["command"] == (
        "python -m jobs.extract --input 'in put' --output out --retry-failed --page-time-limit-seconds 120"
    )
    assert encrypted["documents"] == 1 and "password" in encrypted["advice"]
    assert (audit.ended, audit.ended_seconds) == (5, 5 * 0.75)

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipelines.account import take_account
from pipelines.ledger import (
    forget_documents,
    forget_failed,
    pages_promised,
    pages_to_do,
    read_documents,
    read_pages_done,
    write_table,
)
from pipelines.page import DOCUMENTS, Row, page_schema
from pipelines.sandbox import PageLimits
from pipelines.storage import Storage


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


def documents(*rows: Row) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=DOCUMENTS)


def write(output: Path, table: str, name: str, rows: list[Row]) -> None:
    schema = DOCUMENTS if table == "documents" else page_schema("token-classification")
    write_table(Storage(), str(output / table / f"{name}.parquet"), pa.Table.from_pylist(rows, schema=schema))


def test_documents_promise_the_pages_that_the_caps_left() -> None:
    promised = pages_promised(
        documents(document("a", 2), document("b", 9, selected=1), document("c", 0, error_kind="empty"))
    )
    assert [(row["document_id"], row["page_index"], row["page_count"]) for row in promised] == [
        ("a", 0, 2),
        ("a", 1, 2),
        ("b", 0, 9),
    ]


def test_pages_to_do_are_those_promised_and_not_done_in_even_blocks() -> None:
    blocks = list(pages_to_do(documents(document("a", 5), document("b", 2)), {("a", 1), ("a", 4)}, pages_per_block=2))
    assert [block.num_rows for block in blocks] == [2, 2, 1]
    keys = [(row["document_id"], row["page_index"]) for block in blocks for row in block.to_pylist()]
    assert keys == [("a", 0), ("a", 2), ("a", 3), ("b", 0), ("b", 1)]


def test_an_output_that_does_not_exist_has_promised_and_done_nothing(tmp_path: Path) -> None:
    assert read_documents(Storage(), str(tmp_path / "new")).num_rows == 0
    assert read_pages_done(Storage(), str(tmp_path / "new")) == set()


def test_pages_done_are_read_back_from_all_files(tmp_path: Path) -> None:
    write(tmp_path, "pages", "part-1", [page("a", 0), page("a", 1, "timeout")])
    write(tmp_path, "pages", "part-2", [page("b", 0)])
    assert read_pages_done(Storage(), str(tmp_path)) == {("a", 0), ("a", 1), ("b", 0)}


def test_forgotten_documents_leave_no_row_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 1), document("b", 1)])
    write(tmp_path, "pages", "part-1", [page("a", 0), page("b", 0)])
    write(tmp_path, "pages", "part-2", [page("a", 1)])
    forget_documents(Storage(), str(tmp_path), {"a"})
    assert read_documents(Storage(), str(tmp_path))["document_id"].to_pylist() == ["b"]
    assert read_pages_done(Storage(), str(tmp_path)) == {("b", 0)}
    assert not (tmp_path / "pages" / "part-2.parquet").exists()


def test_the_account_adds_up_and_names_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 3), document("b", 0, error_kind="encrypted")])
    write(tmp_path, "pages", "part-1", [page("a", 0), page("a", 2, "timeout")])
    account = take_account(Storage(), str(tmp_path))
    told = account.as_json()
    assert told["documents"] == {"listed": 2, "ok": 1, "failed": 1, "by_error_kind": {"encrypted": 1}}
    assert (told["pages"]["promised"], told["pages"]["ok"], told["pages"]["failed"], told["pages"]["missing"]) == (
        3,
        1,
        1,
        1,
    )
    assert account.missing == [("a", 1)]
    assert account.examples["timeout"] == [("/in/a.pdf", 2, "a reason")]
    assert account.seconds_by_stage() == {"rasterize": 1.0, "ocr": 0.0, "infer": 0.5}


def test_a_page_written_twice_is_counted_once_and_told(tmp_path: Path) -> None:
    write(tmp_path, "documents", "part-1", [document("a", 1)])
    write(tmp_path, "pages", "part-1", [page("a", 0)])
    write(tmp_path, "pages", "part-2", [page("a", 0)])
    account = take_account(Storage(), str(tmp_path))
    assert account.pages["ok"] == 1 and account.twice == 1


def test_what_failed_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "documents", "one", [document("a", 3), document("b", 0, error_kind="encrypted")])
    write(tmp_path, "documents", "two", [document("c", 0, error_kind="empty")])
    write(tmp_path, "pages", "one", [page("a", 0), page("a", 1, "timeout")])
    write(tmp_path, "pages", "two", [page("a", 2, "crashed")])
    assert forget_failed(Storage(), str(tmp_path)) == (2, 2)
    assert read_documents(Storage(), str(tmp_path))["document_id"].to_pylist() == ["a"]
    assert read_pages_done(Storage(), str(tmp_path)) == {("a", 0)}
    assert not (tmp_path / "pages" / "two.parquet").exists(), "a file without rows is removed"
    assert forget_failed(Storage(), str(tmp_path)) == (0, 0)


def test_the_account_tells_each_kind_of_failure_with_examples_and_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, "documents", "one", [document("a", 6), document("b", 0, error_kind="encrypted")])
    write(tmp_path, "pages", "one", [page("a", 0), *(page("a", index, "timeout") for index in range(1, 6))])
    account = take_account(Storage(), str(tmp_path))
    command = ("python", "-m", "jobs.extract", "--input", "in put", "--output", "out", "--overwrite")
    timeout, encrypted = account.failures(command, PageLimits(seconds=30), 10**9)
    assert (timeout["error_kind"], timeout["count"], timeout["pages"], timeout["documents"]) == ("timeout", 5, 5, 0)
    assert len(timeout["examples"]) == 3 and timeout["examples"][0]["uri"] == "/in/a.pdf"
    assert timeout["command"] == (
        "python -m jobs.extract --input 'in put' --output out --retry-failed --page-time-limit-seconds 120"
    )
    assert encrypted["documents"] == 1 and "password" in encrypted["advice"]
    assert (account.ended, account.ended_seconds) == (5, 5 * 0.75)

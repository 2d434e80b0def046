from __future__ import annotations

from pathlib import Path

from pipelines.batch.audit import audit_output
from pipelines.batch.repair import forget_documents, keep_newest_documents, keep_newest_pages
from pipelines.batch.written_pages import read_document_index
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, identity, name_of, page_row, rows_of, write_rows
from tests.pipelines.batch.test_compaction import compact_all, compactor, own

RUN = "00000003-abcdef"


def keep_newest(output: Path, newest_run: int = 3) -> int:
    own(output, RUN)
    with compactor(output, RUN) as each:
        dropped = keep_newest_pages(Storage(), str(output), each, newest_run)
        each.finish()
        return dropped


def documents(output: Path) -> list[str]:
    return [name_of(name) for name in read_document_index(Storage(), str(output)).identities.names()]


def test_of_rows_of_one_page_the_newest_counts_and_the_others_are_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 3)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0, "timeout"), page_row("a", 1, "timeout"), page_row("a", 2)])
    compact_all(tmp_path, "00000001-000000")
    write_rows(tmp_path, "pages", 2, [page_row("a", 0)])
    write_rows(tmp_path, "pages", 3, [page_row("a", 2)])
    assert keep_newest(tmp_path) == 2
    audit = audit_output(Storage(), str(tmp_path))
    assert audit.is_complete and (audit.counts.pages["ok"], audit.counts.pages["failed"]) == (2, 1)
    assert len(rows_of(tmp_path, "pages")) == 3
    assert keep_newest(tmp_path) == 0


def test_pages_that_no_document_expects_any_more_are_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), page_row("a", 1), page_row("gone", 0)])
    assert keep_newest(tmp_path) == 2
    assert audit_output(Storage(), str(tmp_path)).is_complete and len(rows_of(tmp_path, "pages")) == 1


def test_rows_of_newer_runs_are_never_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("gone", 0)])
    write_rows(tmp_path, "pages", 4, [page_row("of run 4", 0)])
    write_rows(tmp_path, "documents", 4, [document_row("a", 2)])
    assert keep_newest(tmp_path) == 1
    assert [name_of(row["document_id"]) for row in rows_of(tmp_path, "pages")] == ["of run 4"]
    own(tmp_path, RUN)
    assert keep_newest_documents(Storage(), str(tmp_path), RUN) == 1, "the row of run 1"
    forget_documents(Storage(), str(tmp_path), RUN, {identity("a")})
    assert documents(tmp_path) == ["a"]


def test_of_rows_of_one_document_the_newest_counts(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 0, error_kind="empty"), document_row("b", 1)])
    write_rows(tmp_path, "documents", 2, [document_row("a", 4)])
    own(tmp_path, RUN)
    for superseded in (1, 0):
        index = read_document_index(Storage(), str(tmp_path))
        assert (documents(tmp_path), index.pages.tolist(), index.runs.tolist()) == (["a", "b"], [4, 1], [2, 1])
        assert (index.failed.tolist(), index.superseded) == ([False, False], superseded)
        assert audit_output(Storage(), str(tmp_path)).as_json()["documents"]["by_error_kind"] == {}
        keep_newest_documents(Storage(), str(tmp_path), RUN)
    assert not keep_newest_documents(Storage(), str(tmp_path), RUN)


def test_forgotten_documents_leave_no_row_and_the_others_stay(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2), document_row("b", 1)])
    alone = write_rows(tmp_path, "documents", 2, [document_row("c", 2)])
    own(tmp_path, RUN)
    forget_documents(Storage(), str(tmp_path), RUN, {identity("a"), identity("c")})
    assert documents(tmp_path) == ["b"] and not alone.exists()

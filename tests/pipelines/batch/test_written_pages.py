from __future__ import annotations

from pathlib import Path

from pipelines.batch.audit import audit_output
from pipelines.batch.output_files import SetAside
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import (
    Findings,
    find_damaged,
    pages_to_do,
    read_document_index,
    read_failed_pages,
    read_pages_done,
    read_written,
)
from pipelines.schema import PageKey
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, name_of, page_row, write_rows
from tests.pipelines.batch.test_compaction import compact_all


def done(output: Path) -> PageBitmap:
    return read_pages_done(Storage(), str(output), read_document_index(Storage(), str(output)))


def not_done(output: Path) -> list[PageKey]:
    return [(name_of(document_id), index) for document_id, index in done(output).unmarked()]


def test_documents_expect_the_pages_that_the_limits_left(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2), document_row("c", 0, error_kind="empty")])
    write_rows(tmp_path, "documents", 2, [document_row("b", 9, selected=1)])
    assert not_done(tmp_path) == [("a", 0), ("a", 1), ("b", 0)]


def test_pages_to_do_are_those_expected_and_not_written(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("b", 5), document_row("none", 0, error_kind="empty")])
    write_rows(tmp_path, "documents", 2, [document_row("a", 2)])
    write_rows(tmp_path, "pages", 1, [page_row("b", 1), page_row("b", 4)])
    rows = list(pages_to_do(Storage(), str(tmp_path), done(tmp_path)))
    assert [(name_of(row["document_id"]), row["page_index"]) for row in rows] == [
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
    write_rows(tmp_path, "documents", 1, [document_row("a", 3), document_row("b", 2)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), page_row("a", 1, "timeout")])
    write_rows(tmp_path, "pages", 2, [page_row("b", 0)])
    assert not_done(tmp_path) == [("a", 2), ("b", 1)]


def test_of_rows_of_one_page_the_one_of_the_latest_run_counts(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 3)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0, "timeout"), page_row("a", 1, "timeout"), page_row("a", 2)])
    write_rows(tmp_path, "pages", 2, [page_row("a", 0)])
    index = read_document_index(Storage(), str(tmp_path))
    failed = read_failed_pages(Storage(), str(tmp_path), index)
    assert [(name_of(document_id), page) for document_id, page in failed] == [("a", 1)]


def test_pages_that_were_read_before_their_document_changed_are_to_do(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2), document_row("b", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), page_row("a", 1), page_row("b", 0)])
    write_rows(tmp_path, "documents", 2, [document_row("a", 2)])
    write_rows(tmp_path, "pages", 2, [page_row("a", 1)])
    assert not_done(tmp_path) == [("a", 0)]


def test_files_of_runs_before_the_output_was_cleared_do_not_count(tmp_path: Path) -> None:
    for run in (1, 2):
        write_rows(tmp_path, "documents", run, [document_row(f"of run {run}", 1)])
        write_rows(tmp_path, "pages", run, [page_row(f"of run {run}", 0)])
    Storage().write(str(tmp_path / "run.json"), b'{"first_run": 2}')
    assert [written.run for written in read_written(Storage(), str(tmp_path))] == [2]
    assert audit_output(Storage(), str(tmp_path)).expected == 1


def test_other_files_in_the_folder_are_not_read(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    path = write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    path.rename(path.with_name("mine.parquet"))
    assert not_done(tmp_path) == [("a", 0)]


def test_a_damaged_block_is_named_and_its_pages_are_to_do(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 2)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    damaged = write_rows(tmp_path, "pages", 1, [page_row("a", 1)])
    damaged.write_bytes(damaged.read_bytes()[:-100])
    set_aside = SetAside(Storage(), str(tmp_path))
    index = read_document_index(Storage(), str(tmp_path))
    marked = read_pages_done(Storage(), str(tmp_path), index, Findings(set_aside))
    assert [page for _, page in marked.unmarked()] == [1]
    assert set_aside.names == [f"pages/{damaged.name}"]
    assert (tmp_path / "damaged" / "pages" / damaged.name).exists() and not damaged.exists()


def test_a_damaged_compacted_file_is_found_whether_its_size_is_right_or_not(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    [compacted] = compact_all(tmp_path, owner="00000001-000000")
    content = compacted.read_bytes()
    assert not find_damaged(Storage(), str(tmp_path))
    for wrong in (content[:-200], bytes(len(content)), content[:-200] + bytes(200), b""):
        compacted.write_bytes(wrong)
        assert find_damaged(Storage(), str(tmp_path)) == [str(compacted)]


def test_a_compacted_file_whose_manifest_is_damaged_or_gone_is_read_itself(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    [compacted] = compact_all(tmp_path, owner="00000001-000000")
    manifest = tmp_path / "manifests" / compacted.name
    manifest.write_bytes(manifest.read_bytes()[:50])
    set_aside = SetAside(Storage(), str(tmp_path))
    for _ in range(2):
        findings = Findings(set_aside)
        written = list(read_written(Storage(), str(tmp_path), findings))
        assert [(each.name, len(each)) for each in written] == [(compacted.name, 1)]
        assert [block.name for block in findings.blocks] == [compacted.name]
    assert set_aside.names == [f"manifests/{compacted.name}"]


def test_a_file_that_somebody_removed_leaves_its_pages_to_do(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    [compacted] = compact_all(tmp_path, owner="00000001-000000")
    assert not not_done(tmp_path)
    compacted.unlink()
    assert not_done(tmp_path) == [("a", 0)]

"""The audit: every expected document and page is counted once, and its totals add up."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from pipelines.batch.audit import audit_output
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, identity, page_row, write_rows


def test_the_totals_add_up_and_missing_pages_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 3), document_row("b", 0, error_kind="encrypted")])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), page_row("a", 2, "timeout")])
    audit = audit_output(Storage(), str(tmp_path))
    counts = audit.as_json()
    assert counts["documents"] == {"listed": 2, "ok": 1, "failed": 1, "by_error_kind": {"encrypted": 1}}
    pages = counts["pages"]
    assert (pages["expected"], pages["ok"], pages["failed"], pages["missing"]) == (3, 1, 1, 1)
    assert audit.missing == [(identity("a"), 1)]
    assert audit.counts.examples["timeout"] == [("/in/a.pdf", 2, "a reason")]
    assert audit.counts.seconds_by_stage() == {"rasterize": 1.0, "ocr": 0.0, "infer": 0.5}


def test_rows_that_are_duplicate_or_unexpected_are_counted_apart(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    write_rows(tmp_path, "pages", 2, [page_row("a", 0), page_row("a", 1), page_row("gone", 0), page_row("b", 0)])
    audit = audit_output(Storage(), str(tmp_path))
    assert audit.counts.pages["ok"] == 1 and (audit.duplicate, audit.unexpected) == (1, 3)
    assert not audit.missing and not audit.is_complete
    pages = audit.as_json()["pages"]
    assert (pages["expected"], pages["duplicate"], pages["unexpected"]) == (1, 1, 3)


def test_for_one_release_the_counts_have_their_old_names_too(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 5)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), page_row("a", 0), page_row("gone", 0)])
    write_rows(tmp_path, "pages", 2, [page_row("a", 0)])
    pages = audit_output(Storage(), str(tmp_path)).as_json()["pages"]
    assert (pages["promised"], pages["twice"], pages["unpromised"]) == (5, 2, 1)
    assert (pages["expected"], pages["duplicate"], pages["unexpected"]) == (5, 2, 1)


def test_each_kind_of_failure_has_examples_and_a_command_that_retries_it(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 6), document_row("b", 0, error_kind="encrypted")])
    timeouts = [page_row("a", index, "timeout") for index in range(1, 6)]
    write_rows(tmp_path, "pages", 1, [page_row("a", 0), *timeouts])
    audit = audit_output(Storage(), str(tmp_path))
    command = ("python", "-m", "jobs.extract", "--input", "in put", "--output", "out", "--overwrite")
    timeout, encrypted = audit.failures(command, PageLimits(seconds=30), 10**9)
    assert (timeout["error_kind"], timeout["count"], timeout["pages"], timeout["documents"]) == ("timeout", 5, 5, 0)
    assert len(timeout["examples"]) == 3 and timeout["examples"][0]["uri"] == "/in/a.pdf"
    assert timeout["command"] == (
        "python -m jobs.extract --input 'in put' --output out --retry-failed --page-time-limit-seconds 120"
    )
    assert encrypted["documents"] == 1 and "password" in encrypted["advice"]
    assert (audit.counts.ended, audit.counts.ended_seconds) == (5, 5 * 0.75)


def test_pages_are_counted_by_how_well_they_were_read(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 14)])
    qualities = [0.0, 0.05, 0.55, 0.99, *[1.0] * 9, None]
    rows = [
        page_row("a", index) | {"read_quality": quality, "needs_review": quality is not None and quality < 0.6}
        for index, quality in enumerate(qualities)
    ]
    write_rows(tmp_path, "pages", 1, rows)
    pages = audit_output(Storage(), str(tmp_path)).as_json()["pages"]
    tenths = pages["by_read_quality"]
    assert (tenths["0.0-0.1"], tenths["0.5-0.6"], tenths["0.9-1.0"], sum(tenths.values())) == (2, 1, 10, 13)
    assert pages["needs_review"] == 3
    assert [(page["page_index"], page["read_quality"]) for page in pages["poorest"]] == [
        (0, 0.0),
        (1, 0.05),
        (2, 0.55),
        (3, 0.99),
    ]


def test_an_output_without_read_qualities_is_audited_too(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    [path] = (tmp_path / "pages").glob("*.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["read_quality", "needs_review"]), path)
    pages = audit_output(Storage(), str(tmp_path)).as_json()["pages"]
    assert pages["ok"] == 1 and sum(pages["by_read_quality"].values()) == 0 and pages["poorest"] == []

"""Fields and records of documents: made of the pages at the end of a run, in place of those of earlier runs."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.batch import document_tables, fields
from pipelines.batch.fields import write_fields
from pipelines.batch.output_files import is_own_file
from pipelines.batch.ownership import OutputClaimedError, claim_output, remove_cleared
from pipelines.batch.record import new_record
from pipelines.fields.acceptance import Acceptance
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.records import RecordOptions
from pipelines.schema import Row
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, identity, name_of, page_row, rows_of, write_rows
from tests.pipelines.fields.field_rows import form_field, pair

RUN = "00000002-abcdef"
TOTAL = FieldSpec("total", ("Total",), "amount", required=True)
RECORDS = RecordOptions(RecordSpec((TOTAL,)))
ACCEPTANCE = Acceptance(wanted=0.9, min_score=0.7, predictions=100, right=96, error_low=0.01, error_high=0.1)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output of the run `RUN`, without rows yet."""
    (tmp_path / "run.json").write_text(json.dumps({"run_id": RUN}))
    return tmp_path


def page(name: str, index: int, *pairs: Row, **others: Any) -> Row:
    return page_row(name, index) | {"pairs": list(pairs), "needs_review": False, **others}


def fields_of(output: Path) -> list[tuple[str, int, str, str | None]]:
    rows = rows_of(output, "fields")
    return [(name_of(row["document_id"]), row["page_index"], row["key"], row["value_normalized"]) for row in rows]


def records_of(output: Path) -> dict[str, tuple[float | None, list[str]]]:
    rows = rows_of(output, "records")
    assert all(row["needs_review"] == bool(row["review_reasons"]) for row in rows)
    return {name_of(row["document_id"]): (row["total"], row["review_reasons"]) for row in rows}


def test_the_fields_of_a_document_stand_together_in_the_order_of_its_pages(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 2), document_row("b", 1)])
    write_rows(output, "pages", 1, [page("a", 1, pair("Signed", "31/12/2026"))])
    form = page("a", 0, pair("Day", "03/04/2026"), form_fields=[form_field("Total", "$5")])
    write_rows(output, "pages", 1, [page("b", 0, pair("Day", "03/04/2026")), form])
    totals = write_fields(Storage(), str(output), None, RUN)
    assert fields_of(output) == [
        ("b", 0, "Day", None),
        ("a", 0, "Total", "5 $"),
        ("a", 0, "Day", "2026-04-03"),
        ("a", 1, "Signed", "2026-12-31"),
    ]
    assert totals.as_json(None) == {
        "fields": {"rows": 4, "needs_review": 0, "by_value_type": {"amount": 1, "date": 3}},
        "records": None,
    }


def test_every_document_has_a_record_and_one_that_was_not_read_as_a_whole_needs_review(output: Path) -> None:
    documents = [
        document_row("a", 1),
        document_row("none", 0),
        document_row("bad", 0, error_kind="encrypted"),
        document_row("half", 3),
        document_row("short", 2),
    ]
    write_rows(output, "documents", 1, documents)
    broken = [page_row("half", index, error_kind="timeout") for index in (2, 1)]
    whole = page("half", 0, pair("Total", "$6"))
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5")), whole, *broken, page("short", 1)])
    totals = write_fields(Storage(), str(output), RECORDS, RUN)
    assert records_of(output) == {
        "a": (5, []),
        "none": (None, ["total: missing"]),
        "bad": (None, ["encrypted: a reason"]),
        "half": (6, ["page 2 failed: timeout, and 1 more"]),
        "short": (None, ["missing pages: 1"]),
    }
    records = totals.as_json(RECORDS)["records"]
    assert (records["rows"], records["needs_review"]) == (5, 4)
    assert records["spec"]["fields"][0]["name"] == "total"
    assert json.loads(json.dumps(records)) == records


def test_csv_holds_the_records_in_one_file(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_tables, "ROWS_PER_FILE", 2)
    write_rows(output, "documents", 1, [document_row(name, 1) for name in "abcde"])
    write_rows(output, "pages", 1, [page(name, 0, pair("Total", "€ 1.50")) for name in "abcde"])
    write_fields(Storage(), str(output), RECORDS, RUN)
    assert [pq.read_metadata(file).num_rows for file in sorted((output / "records").iterdir())] == [2, 2, 1]
    assert (output / "records.csv").read_bytes().startswith(b"\xef\xbb\xbfdocument_id,"), "spreadsheets need the mark"
    with (output / "records.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(name_of(row["document_id"]), row["total"], row["total_currency"]) for row in rows] == [
        (name, "1.5", "EUR") for name in "abcde"
    ]


def test_rows_that_do_not_count_have_no_fields_and_no_records(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 3), document_row("b", 0, error_kind="encrypted")])
    write_rows(output, "documents", 2, [document_row("a", 1), document_row("b", 1)])
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$1"))])
    newer = [page("a", 0, pair("Total", "$2")), page("a", 1, pair("Total", "$3")), page("gone", 0, pair("Total", "$4"))]
    write_rows(output, "pages", 2, newer)
    write_fields(Storage(), str(output), RECORDS, RUN)
    assert fields_of(output) == [("a", 0, "Total", "2 $")]
    assert records_of(output) == {"a": (2, []), "b": (None, ["missing pages: 1"])}


def test_fields_and_records_take_the_place_of_those_of_earlier_runs(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5"), pair("Day", "1 May 2026"))])
    (output / "run.json").write_text(json.dumps({"run_id": "00000001-abcdef"}))
    write_fields(Storage(), str(output), RECORDS, "00000001-abcdef")
    (output / "run.json").write_text(json.dumps({"run_id": RUN}))
    day = RecordOptions(RecordSpec((FieldSpec("day", ("Day",), "date"),)))
    for _ in range(2):
        write_fields(Storage(), str(output), day, RUN)
        for table in ("fields", "records"):
            assert [file.name for file in (output / table).iterdir()] == [f"part-{RUN}-00000.parquet"]
        assert [str(row["day"]) for row in rows_of(output, "records")] == ["2026-05-01"]
        assert "day" in (output / "records.csv").read_text().splitlines()[0]
    write_fields(Storage(), str(output), None, RUN)
    assert list((output / "records").iterdir()) == [] and not (output / "records.csv").exists()


def test_a_table_of_someone_else_stays(output: Path) -> None:
    (output / "records.csv").write_text("mine")
    write_fields(Storage(), str(output), None, RUN)
    assert (output / "records.csv").read_text() == "mine"


def test_a_run_that_was_overtaken_writes_nothing(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5"))])
    with pytest.raises(OutputClaimedError):
        write_fields(Storage(), str(output), RECORDS, "00000001-abcdef")
    assert not (output / "fields").exists() and not (output / "records.csv").exists()


def test_pages_of_an_earlier_version_have_no_fields(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    [path] = [write_rows(output, "pages", 1, [page("a", 0)])]
    pq.write_table(pq.read_table(path).drop_columns(["pairs", "form_fields"]), path)
    assert write_fields(Storage(), str(output), RECORDS, RUN).fields == 0
    assert records_of(output) == {"a": (None, ["total: missing"])}


def test_rows_are_held_as_columns_until_a_file_is_full(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_tables, "ROWS_AT_A_TIME", 3)
    monkeypatch.setattr(document_tables, "ROWS_PER_FILE", 8)
    write_rows(output, "documents", 1, [document_row("a", 1)])
    write_rows(output, "pages", 1, [page("a", 0, *[pair(f"k{number}", "v") for number in range(20)])])
    write_fields(Storage(), str(output), None, RUN)
    assert [row["key"] for row in rows_of(output, "fields")] == [f"k{number}" for number in range(20)]
    assert [pq.read_metadata(file).num_rows for file in sorted((output / "fields").iterdir())] == [8, 8, 4]
    assert pa.types.is_boolean(pq.read_schema(next((output / "fields").iterdir())).field("needs_review").type)


def test_a_document_is_identified_as_in_the_other_tables(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5"))])
    write_fields(Storage(), str(output), RECORDS, RUN)
    for table in ("fields", "records"):
        assert [(row["document_id"], row["uri"]) for row in rows_of(output, table)] == [(identity("a"), "/in/a.pdf")]


def test_fields_that_are_not_accepted_by_their_score_need_review(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1), document_row("b", 1)])
    pairs = pair("Total", "$5", 0.75), pair("Day", "soon", 0.5)
    form = [form_field("Name", "Acme")]
    write_rows(output, "pages", 1, [page("a", 0, *pairs, form_fields=form)])
    write_rows(output, "pages", 1, [page("b", 0, pair("Total", "$6", 0.6))])
    totals = write_fields(Storage(), str(output), RECORDS, RUN, ACCEPTANCE)
    reviews = {(name_of(row["document_id"]), row["key"]): row["needs_review"] for row in rows_of(output, "fields")}
    assert reviews == {("a", "Name"): False, ("a", "Total"): False, ("a", "Day"): True, ("b", "Total"): True}
    assert records_of(output) == {"a": (5, []), "b": (6, ["total: the field on page 1 needs review"])}
    record = totals.as_json(RECORDS, ACCEPTANCE)
    assert (record["fields_accepted"], record["fields_needs_review"]) == (2, 2)
    assert record["fields"]["needs_review"] == 2


def test_the_counts_of_accepted_fields_are_those_of_the_table(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    form = [form_field("Name", "Acme")]
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5", 0.9), form_fields=form, needs_review=True)])
    record = write_fields(Storage(), str(output), None, RUN, ACCEPTANCE).as_json(None, ACCEPTANCE)
    assert {row["key"]: row["needs_review"] for row in rows_of(output, "fields")} == {"Name": False, "Total": True}
    assert (record["fields_accepted"], record["fields_needs_review"], record["fields"]["needs_review"]) == (1, 1, 1)
    assert record["fields_errors_left"] == {"low": 0.0, "high": 0.0}


def test_a_run_that_clears_the_output_removes_fields_and_records(output: Path) -> None:
    write_rows(output, "documents", 1, [document_row("a", 1)])
    write_rows(output, "pages", 1, [page("a", 0, pair("Total", "$5"))])
    write_fields(Storage(), str(output), RECORDS, RUN)
    for name in ("fields", "records", "records.csv"):
        assert (output / name).exists()
    claim_output(Storage(), str(output), new_record("untrained", ["in"], {}), overwrite=True, retry_failed=False)
    assert [*(output / "fields").iterdir(), *(output / "records").iterdir()] == []
    assert not (output / "records.csv").exists()


def test_progress_is_shown_only_where_it_lasts(
    output: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write_rows(output, "documents", 1, [document_row(name, 0) for name in "abc"])
    write_fields(Storage(), str(output), RECORDS, RUN, documents=3)
    assert not caplog.messages
    monkeypatch.setattr(fields, "QUIET_SECONDS", 0.0)
    write_fields(Storage(), str(output), RECORDS, RUN, documents=3)
    assert caplog.messages[-1].startswith("documents with fields 3/3")
    assert len(records_of(output)) == 3


def test_tables_without_rows_can_be_read(output: Path) -> None:
    write_fields(Storage(), str(output), RECORDS, RUN)
    assert (rows_of(output, "fields"), rows_of(output, "records")) == ([], [])
    assert (output / "records.csv").read_text(encoding="utf-8-sig").startswith("document_id,uri,total,")


def test_a_run_without_records_removes_the_csv_of_an_output_without_documents(output: Path) -> None:
    write_fields(Storage(), str(output), RECORDS, RUN)
    write_fields(Storage(), str(output), None, RUN)
    assert not (output / "records.csv").exists() and list((output / "records").iterdir()) == []


@pytest.mark.parametrize("remove", ["another run", "a clearing"])
def test_a_csv_is_removed_before_its_table(output: Path, monkeypatch: pytest.MonkeyPatch, remove: str) -> None:
    """So that a run that is killed between the two leaves no CSV that no later run takes for its own."""
    write_fields(Storage(), str(output), RECORDS, RUN)
    deleted: list[str] = []

    def delete(self: Storage, uri: str) -> None:
        deleted.append(Path(uri).relative_to(output).parts[0])

    monkeypatch.setattr(Storage, "delete", delete)
    if remove == "a clearing":
        remove_cleared(Storage(), str(output), 3)
    else:
        write_fields(Storage(), str(output), None, RUN)
    assert deleted.index("records.csv") < deleted.index("records")


def test_what_a_killed_writer_of_the_csv_left_is_removed(output: Path) -> None:
    left, mine = output / ".records.csv.0123abcd.partial", output / ".mine.0123abcd.partial"
    for path in (left, mine):
        path.touch()
        os.utime(path, (1, 1))
    claim_output(Storage(), str(output), new_record("untrained", ["in"], {}), overwrite=True, retry_failed=False)
    assert not left.exists() and mine.exists()


def test_tables_of_fields_and_records_are_no_inputs(output: Path) -> None:
    for name in (f"fields/part-{RUN}-00000.parquet", f"records/part-{RUN}-00000.parquet", "records.csv"):
        assert is_own_file(f"{output}/{name}", str(output))
    assert not is_own_file(f"{output}/records/mine.parquet", str(output))

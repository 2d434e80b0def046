"""Records: one row a document, with the columns of a specification, and what has to be reviewed."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.fields.document_fields import document_fields
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.record_csv import FORMULA, write_csv
from pipelines.fields.records import DocumentStatus, RecordMaker, RecordOptions, record_schema
from pipelines.fields.value_types import Conventions, ValueReader
from pipelines.schema import Row
from tests.pipelines.fields.field_rows import form_field, page, pair

REPOSITORY = Path(__file__).resolve().parents[3]
READER = ValueReader()
DOCUMENT = DocumentStatus("a" * 32, "/in/a.pdf")


def record(
    wanted: FieldSpec | tuple[FieldSpec, ...],
    *pages: Row,
    min_score: float = 0.5,
    known: Conventions = Conventions(),  # noqa: B008
    document: DocumentStatus = DOCUMENT,
) -> Row:
    """The record of a document, as it is written and read again."""
    spec = RecordSpec(wanted if isinstance(wanted, tuple) else (wanted,), known)
    row = RecordMaker(RecordOptions(spec, min_score), READER).make(document, document_fields(pages, READER, known))
    return pa.Table.from_pylist([row], schema=record_schema(spec)).to_pylist()[0]


TOTAL = FieldSpec("total", ("Total due", "Summe"), "amount", required=True)


def test_a_record_has_the_documents_identity_its_fields_and_whether_it_needs_review() -> None:
    company = FieldSpec("company", ("Company name",))
    assert record((company, TOTAL), page(pair("Company name:", "Halvorsen Castings"), pair("TOTAL DUE", "€12.50"))) == {
        "document_id": "a" * 32,
        "uri": "/in/a.pdf",
        "company": "Halvorsen Castings",
        "total": 12.5,
        "total_currency": "EUR",
        "needs_review": False,
        "review_reasons": [],
    }


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("date", "04/17/1998", date(1998, 4, 17)),
        ("number", "1,000", 1000.0),
        ("percent", "12.5%", 12.5),
        ("phone", "+1 415 555 2671", "+14155552671"),
        ("phone", "555-0140", "555-0140"),
        ("phone", "none", None),
        ("email", "i.halvorsen@halvorsen.example", "i.halvorsen@halvorsen.example"),
        ("check_box", "☒", True),
        ("check_box", "No", False),
        ("text", "Duluth,\nMN", "Duluth, MN"),
        ("date", "soon", None),
    ],
)
def test_a_column_has_the_type_of_its_field(kind: Any, value: str, expected: Any) -> None:
    assert record(FieldSpec("a", ("Key",), kind), page(pair("Key", value)))["a"] == expected


def test_the_key_that_resembles_a_spelling_most_counts_before_the_models_score() -> None:
    wanted = FieldSpec("date", ("Invoice date",))
    pairs = pair("lnvoice date", "a", 0.99), pair("Invoice date", "b", 0.6), pair("Invoice date", "c", 0.7)
    assert record(wanted, page(*pairs))["date"] == "c"


def test_of_equal_keys_one_that_can_be_read_counts_before_one_that_cannot() -> None:
    assert record(TOTAL, page(pair("Total due", "see below", 0.9), pair("Total due", "$5", 0.6)))["total"] == 5


def test_a_field_with_many_values_has_all_of_them_in_order() -> None:
    wanted = FieldSpec("prices", ("Price",), "amount", many=True)
    row = record(wanted, page(pair("Price", "$3"), index=1), page(pair("Price ($)", "1.50"), pair("Price", "none")))
    assert (row["prices"], row["prices_currency"]) == ([1.5, None, 3.0], ["$", None, "$"])
    assert record(wanted, page())["prices"] == []


def test_a_field_of_a_section_counts_only_there() -> None:
    wanted = FieldSpec("contact", ("Name",), section="Contact")
    pairs = pair("Name", "Acme", 0.9), pair("Name", "Ingrid", 0.8, section="B. Contact")
    assert record(wanted, page(*pairs))["contact"] == "Ingrid"


def test_check_boxes_of_an_interactive_form_are_true_or_false() -> None:
    wanted = FieldSpec("agreed", ("I agree",), "check_box", required=True)
    for value, expected in (("Yes", True), ("Off", False), (None, False)):
        boxes = [form_field("box1", value, type="check_box", label="I agree")]
        row = record(wanted, page(form_fields=boxes))
        assert (row["agreed"], row["needs_review"]) == (expected, False)


def test_what_is_known_of_all_documents_counts() -> None:
    wanted = (FieldSpec("day", ("Day",), "date"), FieldSpec("fax", ("Fax",), "phone"), TOTAL)
    known = Conventions(date_order="DMY", region="US", currency="CAD")
    row = record(wanted, page(pair("Day", "03/04/2026"), pair("Fax", "415 555 2671"), pair("Summe", "$5")), known=known)
    assert (row["day"], row["fax"], row["total_currency"]) == (date(2026, 4, 3), "+14155552671", "CAD")


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([], "total: missing"),
        ([pair("Total due", "  ")], "total: missing"),
        ([pair("Total due", "see below")], "total: 'see below' cannot be read as amount"),
        ([pair("Total due", "$5", 0.25)], "total: score 0.25 is below 0.5"),
        ([pair("Total due", "$5", 0.9), pair("Total due", "$6", 0.8)], "total: several values"),
    ],
)
def test_a_required_field_that_is_missing_or_unsure_is_to_be_reviewed(pairs: list[Row], reason: str) -> None:
    row = record(TOTAL, page(*pairs))
    assert (row["needs_review"], row["review_reasons"]) == (True, [reason])


def test_a_date_of_which_the_order_is_not_known_is_to_be_reviewed_for_that() -> None:
    row = record(FieldSpec("day", ("Day",), "date", required=True), page(pair("Day", "03/04/2026")))
    assert row["day"] is None
    assert row["review_reasons"] == ["day: '03/04/2026' may have its day or its month first"]


@pytest.mark.parametrize(
    ("kind", "sure", "ambiguous"),
    [("date", "5 May 2026", "03/04/2026"), ("number", "7", "1.234"), ("amount", "7 EUR", "1.234 EUR")],
)
def test_a_value_that_can_be_read_in_two_ways_contradicts_another(kind: Any, sure: str, ambiguous: str) -> None:
    wanted = FieldSpec("a", ("Key",), kind, required=True)
    row = record(wanted, page(pair("Key", sure, 0.9), pair("Key", ambiguous, 0.8)))
    assert row["review_reasons"] == ["a: several values"]


def test_a_text_beside_a_date_does_not_contradict_it() -> None:
    wanted = FieldSpec("day", ("Day",), "date", required=True)
    assert not record(wanted, page(pair("Day", "5 May 2026"), pair("Day", "of delivery")))["needs_review"]


def test_the_same_value_twice_is_one_value_and_that_of_an_interactive_form_is_exact() -> None:
    assert not record(TOTAL, page(pair("Total due", "$5"), pair("Total due", "$ 5")))["needs_review"]
    form = page(pair("Total due", "$6"), form_fields=[form_field("Total due", "$5")])
    row = record(TOTAL, form)
    assert (row["total"], row["needs_review"]) == (5, False)


def test_a_required_field_on_a_page_that_needs_review_is_to_be_reviewed() -> None:
    row = record(TOTAL, page(pair("Total due", "$5"), index=2, needs_review=True))
    assert row["review_reasons"] == ["total: the field on page 3 needs review"]


def test_fields_that_are_not_required_are_no_reason_for_review() -> None:
    wanted = FieldSpec("total", ("Total due",), "amount")
    for pairs in ([], [pair("Total due", "?", 0.1)]):
        assert record(wanted, page(*pairs))["review_reasons"] == []


def test_a_document_that_was_not_read_as_a_whole_has_a_record_to_review() -> None:
    failed = DocumentStatus("b" * 32, "/in/b.pdf", ("encrypted: it needs a password",))
    row = record(TOTAL, document=failed)
    assert (row["uri"], row["total"], row["needs_review"]) == ("/in/b.pdf", None, True)
    assert row["review_reasons"] == ["encrypted: it needs a password"]
    partly = DocumentStatus("b" * 32, "/in/b.pdf", ("page 2 failed: timeout",))
    row = record(TOTAL, page(pair("Day", "soon")), document=partly)
    assert row["review_reasons"] == ["page 2 failed: timeout", "total: missing"]


def test_csv_has_the_columns_of_the_records_and_holds_no_formulas() -> None:
    wanted = (
        FieldSpec("name", ("Name",)),
        FieldSpec("prices", ("Price",), "amount", many=True),
        FieldSpec("signed", ("Signed",), "check_box"),
        FieldSpec("phone", ("Phone",), "phone"),
        FieldSpec("day", ("Day",), "date"),
    )
    pairs = [pair("Name", '=HYPERLINK("x")'), pair("Price", "$-3"), pair("Price", "$0.10"), pair("Signed", "x")]
    row = record(wanted, page(*pairs, pair("Phone", "+1 415 555 2671"), pair("Day", "2026-11-29")))
    out = io.StringIO()
    write_csv(out, record_schema(RecordSpec(wanted)).names, [row])
    [read] = csv.DictReader(io.StringIO(out.getvalue()))
    assert read == {
        "document_id": "a" * 32,
        "uri": "/in/a.pdf",
        "name": '\'=HYPERLINK("x")',
        "prices": "-3; 0.1",
        "prices_currency": "$; $",
        "signed": "true",
        "phone": "'+14155552671",
        "day": "2026-11-29",
        "needs_review": "false",
        "review_reasons": "",
    }


def as_csv(value: Any) -> str:
    """A value as it is written into CSV and read again."""
    out = io.StringIO()
    write_csv(out, ["a"], [{"a": value}])
    return next(csv.DictReader(io.StringIO(out.getvalue(), newline="")))["a"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "\t=1", "\uff1d1+1", " =1", "\n=1", "|x", "%x", "+1 555"],
)
def test_a_text_that_is_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert as_csv(text) == f"'{text}"
    assert as_csv([text, "b"]) == f"'{text}; b"


def test_numbers_are_no_formulas() -> None:
    assert (as_csv(-3.5), as_csv([-3.5, 1.0])) == ("-3.5", "-3.5; 1")


def test_the_web_page_takes_the_same_texts_for_formulas() -> None:
    assert f"/^{FORMULA.pattern}/" in (REPOSITORY / "pipelines" / "serving" / "web" / "export.js").read_text()


@pytest.mark.parametrize("values", [["a; b", "c"], ["[a]", None], ["é; \n"]])
def test_a_list_whose_values_hold_the_separator_is_json(values: list[str | None]) -> None:
    assert json.loads(as_csv(values)) == values

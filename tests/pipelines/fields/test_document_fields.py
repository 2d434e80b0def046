"""Fields of a document: pairs and form fields of its pages, in order, each with the type of its value."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from pipelines.documents.form_fields import OFF
from pipelines.fields.document_fields import document_fields, pairs_beside_form
from pipelines.fields.value_types import ValueReader
from pipelines.schema import FIELDS, Row
from tests.pipelines.fields.field_rows import form_field, page, pair

READER = ValueReader()


def fields(*pages: Row) -> list[Row]:
    """The fields, as they are written and read again."""
    return pa.Table.from_pylist(document_fields(pages, READER), schema=FIELDS).to_pylist()


def test_a_pair_is_a_field_with_its_type_boxes_section_and_page() -> None:
    [field] = fields(page(pair("Date founded", "04/17/1998", 0.75, section="A. Company"), index=3))
    assert field == {
        "document_id": "a" * 32,
        "uri": "/in/a.pdf",
        "page_index": 3,
        "section": "A. Company",
        "key": "Date founded",
        "value": "04/17/1998",
        "value_type": "date",
        "value_normalized": "1998-04-17",
        "score": 0.75,
        "key_box": [100, 100, 200, 120],
        "value_box": [220, 100, 320, 120],
        "text_source": "layer",
        "needs_review": None,
    }


def test_fields_are_in_the_order_of_the_pages_and_those_of_an_interactive_form_first() -> None:
    second = page(pair("d", "4"), index=1, form_fields=[form_field("c", "3")])
    first = page(pair("a", "1"), pair("b", "2"))
    assert [row["key"] for row in fields(second, first)] == ["a", "b", "c", "d"]


def test_a_form_field_has_its_tooltip_as_key_and_a_score_of_1() -> None:
    named, labelled = form_field("form1.total[0]", "12 EUR"), form_field("form1.date[0]", None, label="Date of birth")
    rows = fields(page(form_fields=[named, labelled]))
    assert [(row["key"], row["value"], row["value_type"], row["value_normalized"]) for row in rows] == [
        ("form1.total[0]", "12 EUR", "amount", "12 EUR"),
        ("Date of birth", None, None, None),
    ]
    assert all(
        (row["score"], row["text_source"], row["value_box"]) == (1, "form", [500, 500, 600, 520]) for row in rows
    )


def test_check_boxes_of_a_form_are_typed_whatever_their_states_are_called() -> None:
    boxes = [form_field("box", value, type="check_box") for value in ("Yes", "Off", None, "/1", "unchecked")]
    rows = fields(page(form_fields=boxes))
    assert {row["value_type"] for row in rows} == {"check_box"}
    expected = ["checked", "unchecked", "unchecked", "checked", "unchecked"]
    assert [row["value_normalized"] for row in rows] == expected


def test_a_pair_that_repeats_a_form_field_is_left_out() -> None:
    field = form_field("company", "Halvorsen Castings", box=[215, 95, 400, 125])
    same, elsewhere = pair("Company", "Halvorsen  castings"), pair("Name", "Halvorsen Castings", value_box=[0, 0, 9, 9])
    other = pair("Town", "Duluth")
    assert [row["key"] for row in fields(page(same, elsewhere, other, form_fields=[field]))] == [
        "company",
        "Name",
        "Town",
    ]


@pytest.mark.parametrize("is_alike", [False, True], ids=["other texts", "one text"])
def test_a_large_form_costs_its_size_and_not_pairs_times_form_fields(is_alike: bool) -> None:
    count = 4000
    texts = ["same" if is_alike else f"text {number}" for number in range(count)]
    pairs = [pair("a", f"{text}{'' if is_alike else ' of a pair'}", value_box=[0, 0, 9, 9]) for text in texts]
    form = [form_field("b", text, box=[500 + n % 90, 100 + n // 90, 700, 200]) for n, text in enumerate(texts)]
    began = time.thread_time()
    assert len(pairs_beside_form(pairs, form)) == count
    assert time.thread_time() - began < 3, "tenths of a second, and not half a minute"


def test_the_whole_document_tells_the_order_of_day_and_month() -> None:
    rows = fields(page(pair("Signed", "03/04/2026")), page(pair("Valid until", "31/12/2026"), index=1))
    assert [row["value_normalized"] for row in rows] == ["2026-04-03", "2026-12-31"]


@pytest.mark.parametrize("value", ["Yes", "No", "0", "false", ""])
def test_a_check_box_of_an_interactive_form_is_ticked_whatever_its_value_is(value: str) -> None:
    rows = fields(page(form_fields=[form_field("a", value, type="check_box"), form_field("b", OFF, type="check_box")]))
    assert [row["value_normalized"] for row in rows] == ["checked", "unchecked"]


def test_fields_of_a_page_to_review_are_to_be_reviewed() -> None:
    rows = fields(page(pair("a", "1"), needs_review=True), page(pair("b", "2"), index=1, needs_review=None))
    assert [row["needs_review"] for row in rows] == [True, None]


def test_fields_of_an_interactive_form_do_not_depend_on_how_well_the_page_was_read() -> None:
    rows = fields(page(pair("a", "1"), form_fields=[form_field("b", "2")], needs_review=True))
    assert [(row["key"], row["needs_review"]) for row in rows] == [("b", None), ("a", True)]


def test_pages_that_failed_or_have_no_pairs_have_no_fields() -> None:
    assert fields(page(status="failed", pairs=None), page(index=1)) == []

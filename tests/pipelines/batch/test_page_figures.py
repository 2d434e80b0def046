from __future__ import annotations

import re
import time

import pytest

from pipelines.batch.page_figures import LISTED_FIELDS, draw_page
from pipelines.runtime.html_report import label_color
from pipelines.schema import Row
from tests.pipelines.batch.output_rows import page_row

PREVIEW = {"status": "ok", "error": None, "preview": b"jpeg"}
NAME = {
    "section": "Company",
    "key": "Name:",
    "value": "Ann",
    "score": 0.9,
    "key_box": [100, 100, 200, 110],
    "value_box": [300, 100, 400, 110],
    "key_words": [0],
    "value_words": [1],
}
DATE = {**NAME, "key": "Date:", "value": "1 May", "section": None, "key_words": [2], "value_words": [3]}
FORM_FIELD = {"name": "form.agreed", "label": None, "value": None, "type": "check_box", "box": [500, 500, 510, 510]}


def page(**columns: object) -> Row:
    row = page_row("a", 0) | {"width": 1000, "height": 1400, "words": ["Name:", "Ann"], "entities": []}
    return row | {"boxes": [NAME["key_box"], NAME["value_box"]]} | columns


def test_a_line_is_drawn_from_key_to_value() -> None:
    assert draw_page(page(pairs=[NAME]), PREVIEW).lines == ("200,105 300,105",)


def test_a_key_that_stands_nowhere_has_no_line() -> None:
    assert draw_page(page(pairs=[NAME | {"key_box": None, "key_words": []}]), PREVIEW).lines == ()


def test_a_pair_that_repeats_a_form_field_is_listed_once() -> None:
    field = {"name": "form.name", "label": "Your name", "value": "Ann", "type": "text", "box": NAME["value_box"]}
    figure = draw_page(page(pairs=[NAME, DATE], form_fields=[field]), PREVIEW)
    assert [field.key for field in figure.fields] == ["Your name", "Date:"]
    assert (figure.field_count, len(figure.lines)) == (2, 1)


def test_only_fields_that_are_listed_have_lines() -> None:
    form_fields = [FORM_FIELD | {"value": f"{number}"} for number in range(10)]
    many = [NAME] * (LISTED_FIELDS + 5)
    assert len(draw_page(page(pairs=many), PREVIEW).lines) == LISTED_FIELDS
    assert len(draw_page(page(pairs=many, form_fields=form_fields), PREVIEW).lines) == LISTED_FIELDS - 10
    assert draw_page(page(pairs=many, form_fields=form_fields * 9), PREVIEW).lines == ()


def test_lines_on_a_page_full_of_words_are_drawn_at_once() -> None:
    words = [[x, y, x + 15, y + 5] for x in range(0, 1000, 20) for y in range(0, 1000, 16)]
    far = NAME | {"key_box": [0, 0, 15, 5], "value_box": [980, 900, 995, 905]}
    began = time.thread_time()
    assert len(draw_page(page(pairs=[far] * 2500, boxes=words), PREVIEW).lines) == LISTED_FIELDS
    assert time.thread_time() - began < 5, "tenths of a second, and not minutes"


def test_fields_are_listed_with_the_section_where_it_changes() -> None:
    figure = draw_page(page(pairs=[NAME, NAME, DATE, NAME], form_fields=[FORM_FIELD]), PREVIEW)
    assert [(field.section, field.key, field.value) for field in figure.fields] == [
        (None, "form.agreed", None),
        ("Company", "Name:", "Ann"),
        (None, "Name:", "Ann"),
        (None, "Date:", "1 May"),
        ("Company", "Name:", "Ann"),
    ]
    assert [(box.x, box.color) for box in figure.boxes] == [(500, label_color("ANSWER"))]


def test_a_long_list_is_cut_and_counted() -> None:
    figure = draw_page(page(pairs=[NAME] * (LISTED_FIELDS + 5)), PREVIEW)
    assert len(figure.fields) == LISTED_FIELDS and figure.field_count == LISTED_FIELDS + 5


@pytest.mark.parametrize("pairs", [None, []])
def test_a_page_without_pairs_has_neither_lines_nor_fields(pairs: list[Row] | None) -> None:
    figure = draw_page(page(pairs=pairs, form_fields=None), PREVIEW)
    assert (figure.lines, figure.fields, figure.field_count) == ((), (), 0)


def test_a_page_that_cannot_be_drawn_says_why() -> None:
    figure = draw_page(page(pairs=[NAME]), {"status": "failed", "error": "it is gone", "preview": None})
    assert (figure.error, figure.jpeg, figure.lines) == ("it is gone", b"", ())
    assert re.fullmatch(r"a\.pdf, page 1 of 9", figure.caption)

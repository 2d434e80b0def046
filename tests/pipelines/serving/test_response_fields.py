"""The fields of a response: found in the JSON of its pages."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from pipelines.fields.document_fields import document_fields
from pipelines.fields.value_types import ValueReader
from pipelines.schema import EMPTY_RESULT, FIELDS, Row, page_schema
from pipelines.serving.probe import probe_page
from pipelines.serving.response_fields import FieldFinder
from pipelines.serving.row_json import row_json, rows_json

SCHEMA = page_schema("token-classification")


def page(index: int, *pairs: tuple[str, str], **columns: Any) -> Row:
    found = [
        {
            **{"section": None, "key": key, "value": value, "score": 0.5, "key_words": [0], "value_words": [1]},
            **{"key_box": [0, number, 90, number + 9], "value_box": [100, number, 190, number + 9]},
        }
        for number, (key, value) in enumerate(pairs)
    ]
    return {**EMPTY_RESULT, **probe_page(), "page_index": index, "pairs": found, "needs_review": None, **columns}


def found_fields(*pages: Row, finder: FieldFinder | None = None, seconds: float = 60.0) -> Any:
    """The JSON of the fields of a document."""
    finder = finder or FieldFinder()

    async def find() -> bytes:
        parsed = [await finder.page(row_json(row, SCHEMA)) for row in pages]
        return await finder.fields([one for one in parsed if one is not None], time.monotonic() + seconds)

    return json.loads(asyncio.run(find()))


def test_fields_are_those_of_the_batch_job_with_what_all_pages_tell_of_their_values() -> None:
    agreed = {"name": "agreed", "label": "I agree", "value": "Yes", "type": "check_box", "box": [1, 2, 3, 4]}
    pages = [page(0, ("Date", "03/04/2026")), page(1, ("Due", "25/04/2026")), page(2, form_fields=[agreed])]
    fields = found_fields(*pages)
    assert fields == json.loads(rows_json(document_fields(pages, ValueReader()), FIELDS))
    assert [(field["page_index"], field["value_type"], field["value_normalized"]) for field in fields] == [
        (0, "date", "2026-04-03"),
        (1, "date", "2026-04-25"),
        (2, "check_box", "checked"),
    ]


def test_a_page_without_pairs_is_not_read() -> None:
    trap = page(0, words=['"pairs":[{', '"form_fields":[{'])

    async def read(row: Row) -> Row | None:
        return await FieldFinder().page(row_json(row, SCHEMA))

    assert asyncio.run(read(trap)) is None
    assert asyncio.run(read(page(0, ("Date", "1")))) is not None
    assert found_fields(trap) == []


def test_values_for_which_no_time_is_left_are_text() -> None:
    values = [(f"Date {number}", f"{1 + number % 28} March {1900 + number}") for number in range(50)]
    fields = found_fields(page(0, *values), finder=FieldFinder(seconds=0))
    assert len(fields) == 50 and {field["value_type"] for field in fields} == {"text"}


def test_a_page_with_too_much_to_compare_has_none() -> None:
    forms = [{"name": "a", "label": None, "value": "1", "type": "text", "box": [0, 0, 9, 9]}] * 1500
    assert found_fields(page(0, *[("Key", "1")] * 1500, form_fields=forms)) is None


def test_when_the_requests_time_is_over_there_are_none() -> None:
    assert found_fields(page(0, ("Date", "1 March 2026")), seconds=-1) is None


def test_pages_that_cannot_be_understood_leave_the_answer_without_fields() -> None:
    async def find() -> bytes:
        return await FieldFinder().fields([{"pairs": [], "form_fields": []}], time.monotonic() + 60)

    assert asyncio.run(find()) == b"null"

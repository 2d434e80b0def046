"""The fields of a response: found in the JSON of its pages."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from pipelines.fields.document_fields import document_fields
from pipelines.fields.value_types import TypedValue, ValueReader
from pipelines.schema import EMPTY_RESULT, FIELDS, Row, page_schema
from pipelines.serving.probe import probe_page
from pipelines.serving.response_fields import FieldFinder, has_fields
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

    answers = [answer for answer in (row_json(row, SCHEMA) for row in pages) if has_fields(answer)]
    return json.loads(asyncio.run(finder.fields(answers, time.monotonic() + seconds)))


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
    assert not has_fields(row_json(trap, SCHEMA))
    assert has_fields(row_json(page(0, ("Date", "1")), SCHEMA))
    assert found_fields(trap) == []


def test_values_for_which_no_time_is_left_have_no_type() -> None:
    values = [(f"Date {number}", f"{1 + number % 28} March {1900 + number}") for number in range(50)]
    fields = found_fields(page(0, *values), finder=FieldFinder(seconds=0))
    assert len(fields) == 50
    assert {(field["value_type"], field["value_normalized"]) for field in fields} == {(None, None)}


def test_types_do_not_depend_on_how_busy_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    infer = ValueReader.infer

    def wait_and_infer(self: ValueReader, *arguments: Any) -> TypedValue:
        time.sleep(0.02)  # as a thread waits for a processor
        return infer(self, *arguments)

    monkeypatch.setattr(ValueReader, "infer", wait_and_infer)
    values = [("Date", f"{1 + number}/12/2026") for number in range(25)]
    fields = found_fields(page(0, *values), finder=FieldFinder(seconds=0.2))
    assert [field["value_type"] for field in fields] == ["date"] * 25


def test_a_finder_that_is_warm_has_loaded_what_reads_values() -> None:
    code = (
        "import asyncio, sys; from pipelines.serving.response_fields import FieldFinder;"
        "before = set(sys.modules); asyncio.run(FieldFinder().warm());"
        "print(*sorted({'dateparser', 'phonenumbers', 'price_parser'} & (set(sys.modules) - before)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == ["dateparser", "phonenumbers", "price_parser"]


def test_a_large_interactive_form_has_fields() -> None:
    forms = [{"name": "a", "label": None, "value": "1", "type": "text", "box": [0, 0, 9, 9]}] * 1500
    fields = found_fields(page(0, *[("Key", "1")] * 1500, form_fields=forms))
    assert len(fields) == 3000 and {field["value_type"] for field in fields} == {"number"}


def test_when_the_requests_time_is_over_there_are_none() -> None:
    assert found_fields(page(0, ("Date", "1 March 2026")), seconds=-1) is None


def test_pages_that_cannot_be_understood_leave_the_answer_without_fields() -> None:
    for answer in (b'{"pairs":[{}],"form_fields":[]}', b'"pairs":[{'):
        assert asyncio.run(FieldFinder().fields([answer], time.monotonic() + 60)) == b"null"

"""The described responses are those that are sent: the same fields in the same order, null where they may be."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from pipelines.errors import ProcessingError
from pipelines.schema import (
    ANSWER,
    DOCUMENTS,
    EMPTY_RESULT,
    ENTITY,
    FIELDS,
    FORM_FIELD,
    PAIR,
    SECONDS,
    TASKS,
    Row,
    Task,
    mark_failed,
)
from pipelines.serving.openapi import DOCUMENT_EXAMPLE, EXTRACT_EXAMPLE, REFUSALS, refusals
from pipelines.serving.probe import probe_page
from pipelines.serving.response_models import (
    Answer,
    DocumentRow,
    Entity,
    ErrorResponse,
    ExtractResponse,
    FieldRow,
    FormField,
    PageRow,
    Pair,
    Seconds,
)
from pipelines.serving.row_json import page_json_schema, row_json

RESULTS: dict[Task, Row] = {
    "token-classification": {
        "labels": ["B-QUESTION", None, "O"],
        "scores": [0.5, None, 0.25],
        "entities": [
            {
                "label": "QUESTION",
                "text": "Date:",
                "box": [0, 0, 9, 1000],
                "score": 1.0,
                "first_word": 0,
                "last_word": 0,
                "words": [0],
            }
        ],
        "pairs": [
            {
                "section": None,
                "key": "Date:",
                "value": "1 March",
                "score": 0.5,
                "key_box": [0, 0, 9, 1000],
                "value_box": [10, 0, 19, 1000],
                "key_words": [0],
                "value_words": [1, 2],
            },
            {
                "section": "Invoice",
                "key": "TOTAL",
                "value": "1",
                "score": 0.5,
                "key_box": None,
                "value_box": [10, 0, 19, 1000],
                "key_words": [],
                "value_words": [1],
            },
        ],
        "form_fields": [
            {"name": "form.date", "label": None, "value": None, "type": "text", "box": [10, 0, 19, 1000]},
            {"name": "form.paid", "label": "Paid?", "value": "Yes", "type": "check_box", "box": [30, 0, 39, 9]},
        ],
    },
    "sequence-classification": {"label": "form", "score": 0.5, "label_scores": [("form", 0.5), ("letter", 0.5)]},
    "question-answering": {
        "answers": [
            {"question": "When?", "text": "1", "score": 0.5, "boxes": [[0, 0, 9, 9]], "first_word": 1, "last_word": 1},
            {"question": "Who?", "text": None, "score": 0.1, "boxes": None, "first_word": None, "last_word": None},
        ]
    },
}


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (DocumentRow, DOCUMENTS),
        (FieldRow, FIELDS),
        (FormField, FORM_FIELD),
        (Entity, ENTITY),
        (Pair, PAIR),
        (Answer, ANSWER),
        (Seconds, SECONDS),
    ],
)
def test_a_model_has_the_fields_of_its_schema(model: type[BaseModel], schema: pa.Schema | pa.StructType) -> None:
    assert list(model.model_fields) == [field.name for field in schema]


@pytest.mark.parametrize("task", TASKS)
def test_a_page_has_the_fields_of_its_task_and_optional_ones_of_the_others(task: Task) -> None:
    names = page_json_schema(task, previews=True).names
    assert [name for name in PageRow.model_fields if name in names] == names
    others = set(PageRow.model_fields) - set(names)
    assert not any(PageRow.model_fields[name].is_required() for name in others)
    always = set.intersection(*(set(page_json_schema(other, previews=False).names) for other in TASKS))
    assert {name for name, field in PageRow.model_fields.items() if field.is_required()} == always


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_each_task_are_as_described_and_so_are_failed_ones(task: Task) -> None:
    row = {**EMPTY_RESULT, **probe_page(), **RESULTS[task], "model": "m@1", "preview": b"\xff\xd8"}
    failed = mark_failed({**row, "seconds": None}, ProcessingError("timeout", "too slow"))
    without_words = {**row, "words": [], "boxes": [], "word_confidences": [], "text_source": "none"}
    for sent in (row, without_words, failed):
        line = json.loads(row_json(sent, page_json_schema(task, previews=True)))
        assert PageRow.model_validate(line, strict=True).model_dump(exclude_unset=True) == line


@pytest.mark.parametrize(
    ("name", "value"), [("status", "fine"), ("words", None), ("boxes", [[0, 0, 1001, 1]]), ("page_index", "0")]
)
def test_a_row_that_differs_is_noticed(name: str, value: Any) -> None:
    line = json.loads(row_json({**EMPTY_RESULT, **probe_page()}, page_json_schema("question-answering", False)))
    if value is None:
        del line[name]
    else:
        line[name] = value
    with pytest.raises(ValueError, match=name):
        PageRow.model_validate(line, strict=True)


def test_examples_are_as_described() -> None:
    assert (
        ExtractResponse.model_validate(EXTRACT_EXAMPLE, strict=True).model_dump(exclude_unset=True) == EXTRACT_EXAMPLE
    )
    assert DocumentRow.model_validate(DOCUMENT_EXAMPLE, strict=True)
    for response in refusals(*REFUSALS).values():
        assert response["model"] is ErrorResponse
        assert ErrorResponse.model_validate(response["content"]["application/json"]["example"], strict=True)

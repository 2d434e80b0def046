from __future__ import annotations

import json

import pyarrow as pa

from pipelines.schema import EMPTY_RESULT, page_schema
from pipelines.serving.probe import probe_page
from pipelines.serving.row_json import page_json_schema, row_json


def test_a_page_has_the_columns_of_its_task() -> None:
    row = {
        **EMPTY_RESULT,
        **probe_page(),
        "label": "form",
        "score": 0.25,
        "label_scores": [("form", 0.25), ("letter", 0.75)],
    }
    line = json.loads(row_json(row, page_json_schema("sequence-classification", previews=False)))
    assert list(line) == page_schema("sequence-classification").names
    assert line["label_scores"] == {"form": 0.25, "letter": 0.75}
    assert line["words"] == ["Date:", "1", "March"] and line["boxes"][0] == [100, 300, 300, 700]


def test_bytes_are_base64_and_nan_is_null() -> None:
    schema = pa.schema([("preview", pa.binary()), ("scores", pa.list_(pa.float32())), ("word", pa.string())])
    row = {"preview": b"\xff\xd8", "scores": [0.5, float("nan"), None], "word": "größe \u2028"}
    line = row_json(row, schema)
    assert b"\n" not in line
    assert json.loads(line) == {"preview": "/9g=", "scores": [0.5, None, None], "word": "größe \u2028"}

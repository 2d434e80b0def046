"""Rows as JSON, with the values that the batch job would have written to Parquet."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.schema import Row, Task, page_schema
from pipelines.stages.base import rows_to_table

DECIMALS = 6
"""Of scores, confidences and seconds: about the precision of a float32. A float64 is written exactly."""

PREVIEW = pa.field("preview", pa.binary())


def row_json(row: Row, schema: pa.Schema) -> bytes:
    """A row as one line of JSON: maps as objects, bytes in base64, dates in ISO 8601, NaN and infinity as null."""
    return rows_json([row], schema)[1:-1]


def rows_json(rows: Sequence[Row], schema: pa.Schema) -> bytes:
    """Rows as one line of JSON, a list; their values are as `row_json` writes them."""
    typed = rows_to_table(rows, schema).to_pylist()
    plain = [{field.name: _plain(row[field.name], field.type) for field in schema} for row in typed]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def page_json_schema(task: Task, previews: bool) -> pa.Schema:
    """The columns of a page of an answer."""
    schema = page_schema(task)
    return schema.append(PREVIEW) if previews else schema


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {name: _plain(item, kind.item_type) for name, item in value}
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        item = kind.value_type
        if pa.types.is_nested(item) or pa.types.is_floating(item) or pa.types.is_date(item):
            return [_plain(part, item) for part in value]
        return value
    if pa.types.is_struct(kind):
        return {field.name: _plain(value[field.name], field.type) for field in kind}
    if pa.types.is_binary(kind):
        return base64.b64encode(value).decode()
    if pa.types.is_floating(kind):
        if not math.isfinite(value):
            return None
        return value if pa.types.is_float64(kind) else round(value, DECIMALS)
    if pa.types.is_date(kind):
        return value.isoformat()
    return value

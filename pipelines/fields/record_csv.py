"""Records as CSV for spreadsheets: the columns of the Parquet files, with lists and formulas made safe."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from typing import IO, Any

from pipelines.schema import Row

LIST_SEPARATOR = "; "

FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]")
"""How a text begins that a spreadsheet would take for a formula, or, as `+1 555 0140`, for a number; export.js of the
web page has the same pattern."""


def write_csv(out: IO[str], columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Write a header and a line a row: values as `plain_value` gives them, texts as `escape_formula` does."""
    columns = list(columns)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def plain_value(value: Any) -> str:
    """A value of a record as text: null is empty, true and false are written so, the values of a list are joined.

    A list that could not be told apart again is JSON: one with a value that holds the separator, or begins with "[".
    """
    if isinstance(value, (list, tuple)):
        texts = [plain_value(each) for each in value]
        if any(LIST_SEPARATOR in text or text.startswith("[") for text in texts):
            return json.dumps(list(value), ensure_ascii=False)
        return LIST_SEPARATOR.join(texts)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def escape_formula(text: str) -> str:
    """A text with an apostrophe before it if a spreadsheet would take it for a formula: documents are untrusted."""
    return f"'{text}" if FORMULA.match(text) else text


def _cell(value: Any) -> str:
    text = plain_value(value)
    values = value if isinstance(value, (list, tuple)) else (value,)
    return escape_formula(text) if any(isinstance(each, str) for each in values) else text

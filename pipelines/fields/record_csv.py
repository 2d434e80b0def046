"""Records as CSV for spreadsheets: the columns of the Parquet files, with lists and formulas made safe."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import IO, Any

from pipelines.schema import Row

LIST_SEPARATOR = "; "

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9 ().,;/-]*$)")
"""How a text begins that a spreadsheet would take for a formula; telephone numbers and negative numbers are none."""


def write_csv(out: IO[str], columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Write a header and a line a row. The values of a list are joined, true and false are written so, null is empty.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: documents are untrusted.
    """
    columns = list(columns)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def plain_value(value: Any) -> str:
    """A value of a record as text: the values of a list are joined, null is empty."""
    if isinstance(value, (list, tuple)):
        return LIST_SEPARATOR.join(map(plain_value, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _cell(value: Any) -> str:
    text = plain_value(value)
    return f"'{text}" if isinstance(value, (str, list, tuple)) and _FORMULA.match(text) else text

"""Rows of pages as tables and JSON for a terminal or another program."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath
from typing import IO, Any, Literal

from pipelines.fields.record_csv import escape_formula
from pipelines.schema import DOCUMENTS, Row, Task, page_schema
from pipelines.serving.row_json import row_json

Format = Literal["table", "json", "csv", "markdown"]

BOX_COLUMNS = ("x0", "y0", "x1", "y1")
"""Of a box, 0-1000 of the page's width and height."""

MAX_TEXT_WIDTH = 60
"""Columns of a text in a table for people; csv and json hold all of it."""


@dataclass(frozen=True)
class Table:
    """Lines with the same columns; numbers stay numbers."""

    columns: tuple[str, ...]
    lines: list[tuple[Any, ...]]


def findings(rows: Sequence[Row], task: Task) -> Table:
    """What the model found: a line an entity, a class, or an answer (also where there is none)."""
    names = file_names(row["uri"] for row in rows)
    if task == "token-classification":
        lines = [
            (
                *page_name(row, names),
                entity["label"],
                entity["text"],
                round_score(entity["score"]),
                *entity["box"],
            )
            for row in rows
            for entity in row["entities"] or ()
        ]
        return Table(("file", "page", "label", "text", "score", *BOX_COLUMNS), lines)
    if task == "sequence-classification":
        lines = [
            (*page_name(row, names), row["label"], round_score(row["score"])) for row in rows if row["status"] == "ok"
        ]
        return Table(("file", "page", "label", "score"), lines)
    lines = [
        (
            *page_name(row, names),
            answer["question"],
            answer["text"] or "",
            round_score(answer["score"]),
        )
        for row in rows
        for answer in row["answers"] or ()
    ]
    return Table(("file", "page", "question", "text", "score"), lines)


def words(rows: Sequence[Row]) -> Table:
    """A line a word; the confidence is empty for words of a text layer."""
    lines, names = [], file_names(row["uri"] for row in rows)
    for row in rows:
        page = page_name(row, names)
        texts = row["words"] or ()
        confidences = row["word_confidences"] or [None] * len(texts)
        for text, box, confidence in zip(texts, row["boxes"] or (), confidences, strict=True):
            lines.append((*page, text, "" if confidence is None else round_score(confidence), *box))
    return Table(("file", "page", "word", "confidence", *BOX_COLUMNS), lines)


def write_table(out: IO[str], style: Format, table: Table) -> None:
    """Write a table as csv, as Markdown, or aligned for people; no text of it is a formula to a spreadsheet."""
    if style == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(
            [escape_formula(value) if isinstance(value, str) else value for value in line] for line in table.lines
        )
    elif style == "markdown":
        out.write(_markdown_line(table.columns) + _markdown_line("---" for _ in table.columns))
        out.writelines(_markdown_line(str(value) for value in line) for line in table.lines)
    else:
        _write_aligned(out, table)


def write_json(
    out: IO[str], documents: Sequence[Row], rows: Sequence[Row], task: Task, others: dict[str, list[Any]]
) -> None:
    """Write `{"documents": [...], "pages": [...], ...}` with the columns of the batch job's tables.

    Args:
        others: more tables by their names, as plain JSON.
    """
    listed = [
        json.loads(row_json({**document, "pages_selected": document["page_count"]}, DOCUMENTS))
        for document in documents
    ]
    pages = [json.loads(row_json(row, page_schema(task))) for row in rows]
    json.dump({"documents": listed, "pages": pages, **others}, out, ensure_ascii=False, indent=1)
    out.write("\n")


def file_names(uris: Iterable[str]) -> dict[str, str]:
    """What each document is called: the name of its file, or its URI where several files have that name."""
    names = {uri: PurePosixPath(uri).name for uri in uris}
    uses = Counter(names.values())
    return {uri: name if uses[name] == 1 else uri for uri, name in names.items()}


def page_name(row: Row, names: Mapping[str, str]) -> tuple[str, int]:
    """What the page's document is called, see `file_names`, and the page's number, from 1."""
    return names[row["uri"]], row["page_index"] + 1


def round_score(value: float) -> float:
    """A score as it is printed."""
    return round(value, 3)


def _markdown_line(values: Any) -> str:
    return "| " + " | ".join(value.replace("|", "\\|").replace("\n", " ") for value in values) + " |\n"


def _write_aligned(out: IO[str], table: Table) -> None:
    lines = [tuple(_for_people(value) for value in line) for line in table.lines]
    widths = [max(_columns(line[index]) for line in [table.columns, *lines]) for index in range(len(table.columns))]
    numeric = [
        bool(lines) and all(isinstance(line[index], (int, float)) for line in table.lines)
        for index in range(len(table.columns))
    ]
    for line in [table.columns, tuple("-" * width for width in widths), *lines]:
        cells = []
        for value, width, right in zip(line, widths, numeric, strict=True):
            space = " " * (width - _columns(value))
            cells.append(space + value if right else value + space)
        out.write("  ".join(cells).rstrip() + "\n")


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and Japanese characters two, marks on others none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)


def _for_people(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if _columns(text) <= MAX_TEXT_WIDTH:
        return text
    ends = accumulate(map(_columns, text))
    return text[: sum(end < MAX_TEXT_WIDTH for end in ends)] + "…"

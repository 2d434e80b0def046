"""Fields and records of documents that were read, as tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa

from jobs.tables import BOX_COLUMNS, Format, Table, file_names, page_name, round_score, write_table
from pipelines.fields.document_fields import document_fields
from pipelines.fields.record_csv import plain_value, write_csv
from pipelines.fields.records import DocumentStatus, RecordMaker, RecordOptions, page_problems, record_schema
from pipelines.fields.value_types import Conventions, ValueReader
from pipelines.schema import FIELDS, Row
from pipelines.serving.row_json import row_json


@dataclass(frozen=True)
class FoundFields:
    """The fields and records of documents.

    Attributes:
        fields: rows of `pipelines.schema.FIELDS`, document by document; None of a task without fields.
        records: rows of `schema`, one a document.
        schema: of the records; None if none are asked for.
    """

    fields: list[Row] | None
    records: list[Row]
    schema: pa.Schema | None = None

    def as_json(self) -> dict[str, list[Any]]:
        """The tables by their names."""
        tables = {}
        if self.fields is not None:
            tables["fields"] = [json.loads(row_json(row, FIELDS)) for row in self.fields]
        if self.schema is not None:
            tables["records"] = [json.loads(row_json(row, self.schema)) for row in self.records]
        return tables


NO_FIELDS = FoundFields(None, [])


def read_fields(
    documents: Sequence[Row],
    rows: Sequence[Row],
    wanted: RecordOptions | None,
    unread: Sequence[DocumentStatus] = (),
) -> FoundFields:
    """The fields of documents, and their records.

    Args:
        documents: that were opened.
        rows: their pages.
        wanted: how records are made; None for none.
        unread: documents that could not be opened; they have records too.
    """
    reader = ValueReader()
    known = Conventions() if wanted is None else wanted.spec.conventions
    maker = None if wanted is None else RecordMaker(wanted, reader)
    all_fields: list[Row] = []
    records: list[Row] = []
    for document in {document["document_id"]: document for document in documents}.values():  # each once
        pages = {row["page_index"]: row for row in rows if row["document_id"] == document["document_id"]}
        fields = document_fields(list(pages.values()), reader, known)
        all_fields += fields
        if maker is not None:
            status = DocumentStatus(document["document_id"], document["uri"], page_problems(list(pages.values())))
            records.append(maker.make(status, fields))
    if maker is not None:
        records += [maker.make(status, ()) for status in dict.fromkeys(unread)]
    return FoundFields(all_fields, records, None if wanted is None else record_schema(wanted.spec))


def field_table(fields: Sequence[Row], is_complete: bool) -> Table:
    """A line a field.

    Args:
        is_complete: with the section, the box of the value and `needs_review`, for which people's lines are too short.
    """
    columns = ["file", "page", "key", "value", "type", "normalized", "score"]
    lines: list[tuple[Any, ...]] = []
    names = file_names(row["uri"] for row in fields)
    for row in fields:
        value, kind, normalized = (row[name] or "" for name in ("value", "value_type", "value_normalized"))
        line = (*page_name(row, names), row["key"], value, kind, normalized, round_score(row["score"]))
        box = row["value_box"] or ("",) * 4
        review = plain_value(bool(row["needs_review"]))
        lines.append((*line, row["section"] or "", row["text_source"], *box, review) if is_complete else line)
    return Table(
        (*columns, "section", "source", *BOX_COLUMNS, "needs_review") if is_complete else tuple(columns), lines
    )


def write_records(out: IO[str], style: Format, found: FoundFields) -> None:
    """Write the records: a line a document as CSV, in the other styles a line a column, which has room for its text."""
    assert found.schema is not None
    if style == "csv":
        write_csv(out, found.schema.names, found.records)
        return
    columns = [name for name in found.schema.names if name not in ("document_id", "uri")]
    files = file_names(record["uri"] for record in found.records)
    lines = [(files[record["uri"]], name, plain_value(record[name])) for record in found.records for name in columns]
    write_table(out, style, Table(("file", "field", "value"), lines))

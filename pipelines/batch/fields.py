"""Fields of whole documents, and records by a specification: made from the pages at the end of a run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.batch.document_tables import DocumentTable
from pipelines.batch.output_files import RECORDS_CSV, list_written
from pipelines.batch.ownership import check_ownership
from pipelines.batch.whole_documents import WholeDocument, fold_documents
from pipelines.fields.acceptance import Acceptance, FieldCounts, acceptance_record, count_fields, needs_review
from pipelines.fields.document_fields import PAGE_COLUMNS, document_fields
from pipelines.fields.record_csv import write_csv
from pipelines.fields.records import DocumentStatus, RecordMaker, RecordOptions, page_problems, record_schema
from pipelines.fields.value_types import Conventions, ValueReader
from pipelines.runtime.progress import Progress
from pipelines.schema import FIELDS, Row
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_row_groups

QUIET_SECONDS = 5.0
"""Most outputs are done by then."""

Document = TypeVar("Document")


@dataclass
class FieldTotals:
    """What was written; the counts of records stay 0 without a specification."""

    fields: int = 0
    fields_to_review: int = 0
    by_value_type: Counter[str] = field(default_factory=Counter)
    accepted: FieldCounts = field(default_factory=FieldCounts)
    records: int = 0
    records_to_review: int = 0

    def as_json(self, options: RecordOptions | None, acceptance: Acceptance | None = None) -> dict[str, Any]:
        """What `run.json` says of it."""
        by_value_type = dict(sorted(self.by_value_type.items()))
        fields = {"rows": self.fields, "needs_review": self.fields_to_review, "by_value_type": by_value_type}
        record: dict[str, Any] = {"fields": fields, "records": None}
        if options is not None:
            asked = {"min_field_score": options.min_score, "spec": options.spec.as_json()}
            record["records"] = {"rows": self.records, "needs_review": self.records_to_review, **asked}
        return record if acceptance is None else record | acceptance_record(self.accepted, acceptance)


def write_fields(
    storage: Storage,
    output: str,
    options: RecordOptions | None,
    run_id: str,
    acceptance: Acceptance | None = None,
    documents: int | None = None,
) -> FieldTotals:
    """Write `fields/`, and with a specification `records/` and `records.csv`, which are removed without one.

    The files of earlier runs are removed when those of this one are written.

    Args:
        options: how records are made; None makes none.
        acceptance: fields that it does not accept are marked `needs_review`; None marks those of pages alone.
        documents: number of documents, for the progress.

    Raises:
        OutputClaimedError: another run owns the output by now.
    """
    totals, reader = FieldTotals(), ValueReader()
    field_table = DocumentTable(storage, output, "fields", FIELDS, run_id)
    record_table = None if options is None else _record_table(storage, output, options, run_id)
    maker = None if options is None else RecordMaker(options, reader)
    conventions = Conventions() if options is None else options.spec.conventions
    folded = fold_documents(storage, output, PAGE_COLUMNS, list[Row], _add_page)
    for document in _with_progress(folded, documents):
        rows = document_fields(document.state, reader, conventions)
        if acceptance is not None:
            rows = [row | {"needs_review": needs_review(row, acceptance)} for row in rows]
            totals.accepted += count_fields(rows, acceptance)
        for row in rows:
            field_table.add(row)
            totals.by_value_type[row["value_type"] or "empty"] += 1
            totals.fields_to_review += bool(row["needs_review"])
        if record_table is not None and maker is not None:
            record = maker.make(_status(document), rows)
            record_table.add(record)
            totals.records_to_review += record["needs_review"]
    field_table.finish()
    totals.fields = field_table.rows
    if record_table is None:
        _remove_records(storage, output, run_id)
    else:
        record_table.finish()
        totals.records = record_table.rows
        _write_csv(storage, output, record_table, run_id)
    return totals


def _with_progress(documents: Iterable[Document], total: int | None) -> Iterator[Document]:
    """The documents; how many are done is shown where that takes longer than `QUIET_SECONDS`."""
    started, done = time.monotonic(), 0
    documents = iter(documents)
    for document in documents:
        yield document
        done += 1
        if time.monotonic() - started >= QUIET_SECONDS:
            break
    else:
        return
    with Progress(total, "documents with fields") as progress:
        progress.add(done)
        for document in documents:
            yield document
            progress.add(1)


def _add_page(pages: list[Row], row: Row) -> None:
    """Keep what the fields and the record of the document are made of; of most pages without fields nothing is."""
    if row["status"] == "failed" or row["pairs"] or row["form_fields"]:
        pages.append(row)


def _status(document: WholeDocument[list[Row]]) -> DocumentStatus:
    problems = list(page_problems(document.state))
    if document.error_kind is not None:
        problems.insert(0, f"{document.error_kind}: {document.error}")
    if document.missing:
        problems.append(f"missing pages: {document.missing}")
    return DocumentStatus(document.document_id, document.uri, tuple(problems))


def _record_table(storage: Storage, output: str, options: RecordOptions, run_id: str) -> DocumentTable:
    return DocumentTable(storage, output, "records", record_schema(options.spec), run_id)


def _write_csv(storage: Storage, output: str, records: DocumentTable, run_id: str) -> None:
    """Write `records.csv` from the files of the table."""

    def rows() -> Iterator[Row]:
        for uri in records.written:
            for group in read_row_groups(storage, uri):
                yield from group.to_pylist()
        check_ownership(storage, output, run_id)

    with (
        storage.written_file(join_uri(output, RECORDS_CSV)) as path,
        path.open("w", encoding="utf-8-sig", newline="") as out,  # without the mark Excel takes it for another encoding
    ):
        write_csv(out, records.schema.names, rows())


def _remove_records(storage: Storage, output: str, run_id: str) -> None:
    """Remove the records of earlier runs, which are of other pages by now."""
    earlier = [stored.uri for stored in list_written(storage, output, "records")]
    if earlier:
        check_ownership(storage, output, run_id)
        storage.delete(join_uri(output, RECORDS_CSV))  # first: without the table none would know whose file it is
        storage.delete_all(earlier)

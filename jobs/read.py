"""Read documents at once, in this process and without Ray, and print what is found on their pages.

The rows are those of the batch job. Exit status: 0 every page was read, 1 a document or a page failed (the others are
printed), 2 the options make no sense, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import tyro

from jobs.cli import DONE, FAILED, describe_failure, parse_options, require_positive, run_job
from jobs.field_options import FieldOptions
from jobs.found_fields import NO_FIELDS, FoundFields, field_table, read_fields, write_records
from jobs.input_options import InputAccessOptions
from jobs.reading_options import ReadingOptions
from jobs.tables import Format, Table, findings, words, write_json, write_table
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.errors import ProcessingError
from pipelines.fields.records import DocumentStatus, RecordOptions
from pipelines.options import ExtractOptions, check_options
from pipelines.schema import Row, Task
from pipelines.storage.files import normalise_uri


@dataclass(frozen=True)
class ReadOptions:
    """What is read and how it is printed: a class of its own, because `--help` begins with it."""

    files: tyro.conf.Positional[tuple[str, ...]]
    """PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000 or HEIC files, or s3://bucket/key."""
    format: Format = "table"
    """table for people, csv, markdown, or json: whole rows as the batch job writes them."""
    show: Literal["findings", "fields", "entities", "words"] = "findings"
    """findings: the record of each document with --fields, else what the model found: fields where there are any,
    entities where there are none, classes, answers. fields: keys with their values; entities: also what belongs to no
    field; words: every word with its box. JSON holds all of it."""
    pages: str | None = None
    """Pages to read, such as 1-3,7, counted from 1; by default all."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of a LayoutLMv2 checkpoint that was fine-tuned for the task. The default comes with
    this package and finds entities of forms; "untrained" is a small one with random weights for any task."""
    task: Task = "token-classification"
    """What the model is asked of each page."""
    questions: tuple[str, ...] = ()
    """Questions for question-answering, asked of every document."""


@dataclass(frozen=True)
class Options(ReadingOptions, InputAccessOptions, FieldOptions, ReadOptions):
    """Options of `python -m jobs.read`."""

    def checked(self) -> tuple[ExtractOptions, RecordOptions | None]:
        """The options of the pipeline, and of the records that are asked for.

        Raises:
            ValueError: they make no sense.
            CheckpointError: the model cannot be read.
            OcrUnavailableError: Tesseract, or the data of a language, is not installed.
        """
        if not self.files:
            raise ValueError("name a file to read: python -m jobs.read invoice.png")
        require_positive(self, ("dpi", "max_page_megapixels", "page_time_limit_seconds", "batch_tokens"))
        extract = replace(self.extract_options(self.model, self.task, self.questions), access=self.input_access())
        if self.show in ("fields", "entities") and self.task != "token-classification":
            raise ValueError(f"--show {self.show} is for --task token-classification, and the task is {self.task}")
        wanted = self.record_options(self.task)
        check_options(extract)
        return extract, wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(options.checked, partial(read, options), interrupted="interrupted")


def read(options: Options, checked: tuple[ExtractOptions, RecordOptions | None]) -> int:
    """Read the files and print what is on their pages; returns the exit status."""
    from pipelines.read import read_pages
    from pipelines.runtime.progress import Progress

    extract, wanted = checked
    documents, chosen, unread = choose_pages(options, extract)
    rows: list[Row] = []
    with Progress(len(chosen), "pages") as progress:
        for row in read_pages(chosen, extract):
            rows.append(row)
            progress.add(1, int(row["status"] == "failed"))
    failed = [row for row in rows if row["status"] == "failed"]
    for row in failed:
        reason = f"{row['error_kind']}: {row['error']}"
        print(f"error: {row['uri']}, page {row['page_index'] + 1}: {reason}", file=sys.stderr)
    found = read_fields(documents, rows, wanted, unread) if extract.task == "token-classification" else NO_FIELDS
    if options.format == "json":
        write_json(sys.stdout, documents, rows, extract.task, found.as_json())
    elif wanted is not None and options.show == "findings":
        write_records(sys.stdout, options.format, found)
    else:
        write_table(sys.stdout, options.format, chosen_table(options, rows, found, extract.task))
    return FAILED if failed or unread else DONE


def chosen_table(options: Options, rows: Sequence[Row], found: FoundFields, task: Task) -> Table:
    """What `--show` asks for. For programs the findings of one task have the same columns whatever is found."""
    if options.show == "words":
        return words(rows)
    for_people = options.format == "table"
    has_fields = bool(found.fields) if for_people else found.fields is not None
    if options.show == "fields" or (options.show == "findings" and has_fields):
        return field_table(found.fields or [], is_complete=not for_people)
    return findings(rows, task)


def choose_pages(
    options: Options, extract: ExtractOptions
) -> tuple[list[Row], list[tuple[Row, int]], list[DocumentStatus]]:
    """The documents that can be opened, (document, page index) of each page to read, and the other documents, which
    are said.
    """
    from pipelines.read import open_document
    from pipelines.serving.page_ranges import parse_page_ranges

    documents: list[Row] = []
    chosen: list[tuple[Row, int]] = []
    unread: list[DocumentStatus] = []
    for path in options.files:
        try:
            document = open_document(path, extract)
            count = document["page_count"]
            ranges = [range(count)] if options.pages is None else parse_page_ranges(options.pages, count)
        except (ProcessingError, ValueError) as error:
            reason = describe_failure(error)
            print(f"error: {path}: {reason}", file=sys.stderr)
            unread.append(_unread(path, reason))
            continue
        documents.append(document)
        chosen += [(document, index) for indices in ranges for index in indices]
    return documents, chosen, unread


def _unread(path: str, reason: str) -> DocumentStatus:
    from pipelines.batch.identities import document_id

    try:
        uri = normalise_uri(path)
    except ValueError:  # a scheme that is not read
        uri = path
    return DocumentStatus(document_id(uri), uri, (reason,))


if __name__ == "__main__":
    sys.exit(main())

"""Read PDFs and images from folders or S3 and write words, boxes and what the model says of them as Parquet.

The same command again goes on where an interrupted run stopped. Exit status: 0 done (failed pages are rows of the
result), 1 failed, 2 the options make no sense, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jobs.cli import DONE, FAILED, connect_to_ray, parse_options, require_positive, run_job
from jobs.field_options import FieldOptions
from jobs.input_options import InputAccessOptions
from jobs.reading_options import MEGA, ReadingOptions
from model.checkpoint_source import BUNDLED_FORMS
from model.decoding import DecodeChoice
from model.untrained import UNTRAINED
from pipelines.batch.inputs import normalise_input
from pipelines.batch.options import RunOptions
from pipelines.batch.output_files import RECORDS_CSV
from pipelines.fields.acceptance import Acceptance, find_acceptance
from pipelines.options import check_options
from pipelines.schema import Task
from pipelines.stages.count_pages import ListingOptions
from pipelines.stages.model_loader import load_model_decoding
from pipelines.storage.files import join_uri, normalise_uri


@dataclass(frozen=True)
class ExtractedOptions:
    """What is extracted from which documents: a class of its own, because `--help` begins with it."""

    input: tuple[str, ...]
    """Folders, files or s3://bucket/prefix with PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000 and HEIC files; the
    type is detected by content. Also patterns such as s3://bucket/2026/*.pdf, @FILE with an input a line, and the
    manifest.json of an S3 Inventory."""
    output: str
    """Folder or s3://bucket/prefix for documents/, pages/, fields/, records/, answers/, run.json and
    report.html."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of a LayoutLMv2 checkpoint that was fine-tuned for the task. The default comes with
    this package and finds entities of forms; "untrained" is a small one with random weights for any task."""
    task: Task = "token-classification"
    """What the model is asked of each page."""
    questions: tuple[str, ...] = ()
    """Questions for question-answering, asked of every document."""


@dataclass(frozen=True)
class Options(ReadingOptions, InputAccessOptions, FieldOptions, ExtractedOptions):
    """Options of `python -m jobs.extract`."""

    device: str = "auto"
    """cpu, cuda, or auto: a GPU if there is one; on an autoscaling cluster, auto requests a GPU node."""
    max_pages_per_document: int | None = None
    """Take only the first pages of longer documents."""
    limit: int | None = None
    """Take no more than this many pages in all."""
    accept_precision: float | None = None
    """Accept fields whose scores are right this often, such as 0.95, by the curve that jobs.calibrate stored in the
    checkpoint; the others are marked needs_review. By default no field is marked."""
    keep_pictures: bool = False
    """Keep the model's view of each page, 224 x 224 pixels, in the column picture of pages/, about 30 kB a page, for
    pre-training."""
    max_document_megabytes: float = 1000.0
    """Larger files are not opened, in millions of bytes."""
    read_workers: int | None = None
    """Workers that render and read pages, and run the model too where there is no GPU; by default one a CPU. On an
    autoscaling cluster (see cluster.yaml), the maximum, by default 320."""
    model_workers: int | None = None
    """Workers that run the model and do nothing else; by default one a GPU. Without a GPU there are none by default,
    unless memory does not allow a model in each reading worker: then one for 16 CPUs. On an autoscaling cluster, the
    maximum, by default 4."""
    overwrite: bool = False
    """Remove what an earlier run wrote to --output and begin anew."""
    retry_failed: bool = False
    """Read the failed documents and pages of the earlier run in --output again, for instance with higher limits or
    --text ocr; the others stay as they are."""
    keep_going: bool = False
    """Do not stop when page after page, of many documents, fails in the same way."""
    deduplicate: bool = True
    """Read documents in S3 with the same bytes (etag and size) once, and write each of them."""
    report_pages: int = 8
    """Pages that are drawn in report.html."""
    address: str | None = None
    """Address of a Ray cluster; "local" starts one on this machine. By default the cluster that this runs in; outside
    of one, up to 200 pages are done in this process, and more start a local Ray."""

    def run_options(self, command: Sequence[str] = ()) -> RunOptions:
        """The options of the pipeline's run; `command` is the command line that these came from.

        Raises:
            ValueError: they make no sense.
        """
        positive = (
            "dpi",
            "max_pages_per_document",
            "limit",
            "max_page_megapixels",
            "max_document_megabytes",
            "page_time_limit_seconds",
            "batch_tokens",
            "read_workers",
            "model_workers",
        )
        require_positive(self, positive)
        if self.retry_failed and self.overwrite:
            raise ValueError("--retry-failed keeps what --overwrite removes; give one of them")
        extract = self.extract_options(self.model, self.task, self.questions)
        extract = replace(extract, keep_pictures=self.keep_pictures, access=self.input_access())
        check_options(extract)
        acceptance = accept_fields(self.model, self.task, self.accept_precision, self.decode)
        return RunOptions(
            inputs=tuple(normalise_input(uri) for uri in self.input),
            output=normalise_uri(self.output),
            extract=extract,
            listing=ListingOptions(int(self.max_document_megabytes * MEGA), self.max_pages_per_document),
            limit=self.limit,
            acceptance=acceptance,
            overwrite=self.overwrite,
            retry_failed=self.retry_failed,
            keep_going=self.keep_going,
            report_pages=self.report_pages,
            records=self.record_options(self.task),
            deduplicate=self.deduplicate,
            command=tuple(command),
            read_workers=self.read_workers,
            model_workers=self.model_workers,
        )


def accept_fields(model: str, task: Task, precision: float | None, decode: DecodeChoice) -> Acceptance | None:
    """The score at which fields are accepted; None if no precision is asked for.

    Raises:
        ValueError: the model finds no fields, was not calibrated, was so for another `decode`, or has no score with the
            precision.
        CheckpointError: the model cannot be read.
    """
    if precision is None:
        return None
    if task != "token-classification":
        raise ValueError(
            f"--accept-precision is for fields, which --task token-classification finds; the task is {task}"
        )
    decoding = load_model_decoding(model)
    if decode not in ("auto", decoding.method):
        raise ValueError(
            f"--accept-precision holds for fields that are decoded by {decoding.method}, as {model} was calibrated, "
            f"and --decode is {decode}: leave it out, or repeat jobs.calibrate with it"
        )
    return find_acceptance(decoding, precision, model)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    command = ("python", "-m", "jobs.extract", *(sys.argv[1:] if arguments is None else arguments))
    again = "the same command without --overwrite" if options.overwrite else "the same command"
    return run_job(
        partial(options.run_options, command),
        partial(extract, address=options.address),
        interrupted=f"interrupted; what is written stays, and {again} goes on from there",
    )


def extract(options: RunOptions, address: str | None) -> int:
    """Run the pipeline and print the totals; returns the exit status.

    A cluster that is named is used; otherwise Ray is started only if there is enough to do.
    """
    from pipelines.batch.run import run

    connect = partial(connect_to_ray, address)
    if address is None and "RAY_ADDRESS" not in os.environ:
        record = run(options, connect)
    else:
        connect()
        record = run(options)
    print(summary(record, options.output))
    return DONE if record["status"] == "done" else FAILED


def summary(record: dict[str, Any], output: str) -> str:
    """A few lines for the terminal."""
    documents, pages = record["documents"], record["pages"]
    kinds = {**documents["by_error_kind"]}
    for kind, count in pages["by_error_kind"].items():
        kinds[kind] = kinds.get(kind, 0) + count
    lines = [
        f"{documents['listed']} documents: {documents['ok']} ok, {documents['failed']} failed",
        f"{pages['promised']} pages: {pages['ok']} ok, {pages['failed']} failed, {pages['missing']} missing; "
        f"{record['pages_this_run']} in this run at {record['pages_per_second']} pages/s",
    ]
    if kinds:
        lines.append("failures: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    fields, records = record.get("fields"), record.get("records")
    if fields and fields["rows"]:
        lines.append(f"{fields['rows']} fields{accepted(record)}")
    if records:
        lines.append(f"{records['rows']} records, {records['needs_review']} to review: {join_uri(output, RECORDS_CSV)}")
    if record["model"] == UNTRAINED:
        lines.append("the model is small and untrained: words and boxes are real, labels and scores are random")
    lines.append(f"report: {join_uri(output, 'report.html')}")
    return "\n".join(lines)


def accepted(record: dict[str, Any]) -> str:
    """What became of the fields with --accept-precision: ": 210 accepted, of which 4 to 10 are wrong, 30 to review"."""
    if "fields_accepted" not in record:
        return ""
    wrong = record["fields_errors_left"]
    left = f", of which {wrong['low']:g} to {wrong['high']:g} are wrong" if wrong["high"] else ""
    return f": {record['fields_accepted']} accepted{left}, {record['fields_needs_review']} to review"


if __name__ == "__main__":
    sys.exit(main())

"""A run: promise the documents, extract the pages, choose the answers, account for every page, report."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import ray
import ray.data

from pipelines.batch.answers import best_answers
from pipelines.batch.audit import audit_output
from pipelines.batch.discovery import discover_documents
from pipelines.batch.manifest import keep_newest, pages_to_do, read_document_index, read_pages_done
from pipelines.batch.options import RunOptions
from pipelines.batch.record import OutputClaimedError, check_ownership, claim_output, new_record, write_record
from pipelines.batch.report import write_report
from pipelines.batch.telemetry import count_pages, set_pending_pages
from pipelines.errors import ProcessingError, describe_error
from pipelines.extract import extract_pages
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.runtime.output_record import now
from pipelines.runtime.pools import Pools, cap_pools, pages_per_block, pages_per_later_block, pages_per_round
from pipelines.runtime.progress import Progress
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import PAGE_TO_DO, PageKey, Row
from pipelines.stages.model_loader import model_name
from pipelines.stages.ray_data import map_blocks
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table

logger = logging.getLogger(__name__)

FIRST_PATIENCE_SECONDS = 15.0
"""How long S3 may be out of reach when a run begins; later on, it is given longer to come back."""

OWNERSHIP_CHECK_SECONDS = 10.0
"""How often a run looks whether another one has taken its output over."""


def run(options: RunOptions) -> dict[str, Any]:
    """Do the job on the Ray cluster that is connected; returns what `run.json` holds.

    Raises:
        ProcessingError: an input or the output cannot be accessed.
        OutputConflictError: the output was made with other options, or another run has taken it over.
    """
    started = time.monotonic()
    storage = Storage(FIRST_PATIENCE_SECONDS)
    record = new_record(model_name(options.extract.model), options.inputs, options.result_options())
    claim_output(storage, options.output, record, options.overwrite, options.retry_failed)
    try:
        _run_phases(storage, options, record, started)
    except OutputClaimedError:
        raise  # the record is another run's now
    except KeyboardInterrupt:
        _write_end(storage, options.output, record, "interrupted", "interrupted; the same command goes on from here")
        raise
    except BaseException as error:
        _write_end(storage, options.output, record, "failed", describe_error(error)[1])
        raise
    return record


def _write_end(storage: Storage, output: str, record: dict[str, Any], status: str, error: str) -> None:
    record |= {"status": status, "finished": now(), "error": error}
    # The output may be what failed, or be another run's by now; the error itself goes on.
    with contextlib.suppress(ProcessingError, OutputClaimedError):
        check_ownership(storage, output, record["run_id"])
        write_record(storage, output, record)


def _run_phases(storage: Storage, options: RunOptions, record: dict[str, Any], started: float) -> None:
    """The phases of `run`, one after the other; what they tell goes into `record`."""
    pools = pools_for_cluster(options.read_workers, options.model_workers, options.extract.infer.device)
    record["pools"] = asdict(pools)
    set_data_context()
    again = discover_documents(storage, options, pools, record["run_id"])
    listed = time.monotonic()
    pages_now = write_pages(storage, options, pools, record["run_id"], again.pages)
    extracted = time.monotonic()
    check_ownership(storage, options.output, record["run_id"])
    audit = audit_output(storage, options.output)
    if audit.duplicate or audit.unexpected:
        dropped = keep_newest(storage, options.output, "pages")
        if dropped > len(again.pages):
            logger.warning("%d rows were there twice, or of pages that are no more; the newest are kept", dropped)
        audit = audit_output(storage, options.output)
    if options.extract.task == "question-answering":
        table = best_answers(storage, options.output, options.extract.questions)
        write_table(storage, join_uri(options.output, "answers", "answers.parquet"), table)
    if options.retry_failed:
        record["retries"][-1] |= {"documents": again.documents, "pages": len(again.pages)}
    record |= {
        "status": "done" if audit.is_complete else "incomplete",
        "finished": now(),
        **audit.as_json(),
        "failures": audit.failures(options.command, options.extract.limits, options.listing.max_document_bytes),
        "limits": {
            "page_time_limit_seconds": options.extract.limits.seconds,
            "page_memory_limit_megabytes": options.extract.limits.megabytes,
            "pages_ended": audit.ended,
            "seconds_lost": round(audit.ended_seconds, 3),
        },
        "pages_this_run": pages_now,
        "pages_per_second": round(pages_now / max(extracted - listed, 1e-9), 3),
        "seconds": {
            "listing": round(listed - started, 3),
            "extracting": round(extracted - listed, 3),
            "total": round(time.monotonic() - started, 3),
            "by_stage": audit.seconds_by_stage(),
        },
    }
    write_record(storage, options.output, record)
    write_report(storage, options.output, record, options.report_pages, options.extract.limits)


def write_pages(
    storage: Storage, options: RunOptions, pools: Pools, run_id: str, again: frozenset[PageKey] = frozenset()
) -> int:
    """Extract the pages that are promised and not yet written, and those to be done `again`; returns how many.

    It is done in rounds of blocks, each an execution of Ray Data of its own, for that keeps something of every block
    until it has done all it was given: without rounds, the driver's memory would grow with the corpus.
    """
    documents = read_document_index(storage, options.output)
    if documents.superseded:  # a run that this one took over from may have added some meanwhile
        keep_newest(storage, options.output, "documents")
    done = read_pages_done(storage, options.output, documents)
    done.unmark(again)
    to_do = done.expected - done.marked
    if not to_do:
        logger.info("nothing to do: all %d pages are in %s", done.expected, options.output)
        return 0
    if done.marked:
        logger.info("%d pages are there already, %d to do", done.marked, to_do)
    rows = pages_to_do(storage, options.output, done)
    block_pages, round_pages = pages_per_block(to_do, pools), pages_per_round(to_do, pools, options.pages_per_round)
    seconds, looked = 0.0, time.monotonic()
    with Progress(to_do, "pages") as progress:
        set_pending_pages(to_do)
        while blocks := list(_blocks(islice(rows, round_pages), block_pages)):
            check_ownership(storage, options.output, run_id)
            for summary in _write_round(blocks, storage, options, pools, run_id):
                progress.add(summary["pages"], summary["failed"])
                seconds += summary["seconds"]
                set_pending_pages(to_do - progress.done)
                if time.monotonic() - looked > OWNERSHIP_CHECK_SECONDS:
                    check_ownership(storage, options.output, run_id)
                    looked = time.monotonic()
            block_pages = pages_per_later_block(block_pages, seconds / progress.done)
    return to_do


def _blocks(rows: Iterator[Row], size: int) -> Iterator[pa.Table]:
    while block := list(islice(rows, size)):
        yield pa.Table.from_pylist(block, schema=PAGE_TO_DO)


def _write_round(
    blocks: list[pa.Table], storage: Storage, options: RunOptions, pools: Pools, run_id: str
) -> Iterator[dict[str, Any]]:
    """Extract and write blocks of pages to do; a summary of each block as it is written."""
    rows = extract_pages(ray.data.from_blocks(blocks), options.extract, cap_pools(pools, len(blocks)))
    write = partial(write_block, storage=storage, folder=join_uri(options.output, "pages"), run_id=run_id)
    summaries = map_blocks(rows, write, pools)
    yield from summaries.iter_rows()


def write_block(block: pa.Table, storage: Storage, folder: str, run_id: str) -> pa.Table:
    """Write a block as one file named by its first page, so that a task that is tried again writes the same file.

    Returns:
        One row: `pages` and `failed`, counts, and `seconds`, what the stages took for them together.
    """
    first = f"{block['document_id'][0]}-{block['page_index'][0].as_py():06d}"
    write_table(storage, join_uri(folder, f"part-{run_id}-{first}.parquet"), block)
    count_pages(block)
    failed = sum(status == "failed" for status in block["status"].to_pylist())
    seconds = sum(took or 0.0 for stages in block["seconds"].to_pylist() for took in (stages or {}).values())
    return pa.table({"pages": [block.num_rows], "failed": [failed], "seconds": [seconds]})

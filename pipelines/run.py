"""A run: promise the documents, extract the pages, choose the answers, account for every page, report."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import ray
import ray.data

from pipelines.account import take_account
from pipelines.answers import best_answers
from pipelines.blocks import StageOnBlocks
from pipelines.extract import ExtractOptions, extract_pages
from pipelines.ledger import (
    forget_documents,
    page_key,
    pages_promised,
    pages_to_do,
    read_documents,
    read_pages_done,
    write_table,
)
from pipelines.listing import ListingOptions, count_steps, document_id, list_documents
from pipelines.load import model_name
from pipelines.page import DOCUMENTS, LISTED, PageError, describe_error
from pipelines.pools import Pools, fit_pools, pages_per_block, plan_pools
from pipelines.progress import Progress
from pipelines.report import write_report
from pipelines.run_record import begin_output, new_record, now, write_record
from pipelines.storage import Storage, StoredObject, join_uri
from pipelines.telemetry import count_pages, tell_waiting

logger = logging.getLogger(__name__)

DOCUMENTS_PER_BLOCK = 16
DOCUMENTS_PER_FILE = 10_000
FIRST_PATIENCE_SECONDS = 15.0
"""How long S3 may be out of reach when a run begins; later on, it is given longer to come back."""


@dataclass(frozen=True)
class RunOptions:
    """A whole job.

    Attributes:
        inputs: folders, files, `s3://bucket/prefix`.
        output: folder or prefix; an earlier run's output of the same options is completed.
        limit: take no more than this many pages in all; None takes all.
        overwrite: remove what an earlier run wrote, whatever its options.
        retry_failed: do the failed documents and pages of an earlier run again, whatever its options but for what is
            asked of the model; pages that it read stay as they are.
        report_pages: pages drawn in the report.
        command: the command line that asked for the run, for advice on how to ask again.
        read_workers, model_workers: see `plan_pools`.
    """

    inputs: tuple[str, ...]
    output: str
    extract: ExtractOptions
    listing: ListingOptions = field(default_factory=ListingOptions)
    limit: int | None = None
    overwrite: bool = False
    retry_failed: bool = False
    report_pages: int = 8
    command: tuple[str, ...] = ()
    read_workers: int | None = None
    model_workers: int | None = None

    def shaping(self) -> dict[str, Any]:
        """The options that shape the rows, as plain JSON: a run goes on with an output only if they are equal."""
        extract = asdict(self.extract)
        for name in ("device", "threads", "batch_tokens"):
            del extract["infer"][name]
        del extract["limits"]
        return json.loads(json.dumps({"extract": extract, "listing": asdict(self.listing), "limit": self.limit}))


def run(options: RunOptions) -> dict[str, Any]:
    """Do the job on the Ray cluster that is connected; returns what `run.json` holds.

    Raises:
        PageError: an input or the output cannot be accessed.
        OutputConflictError: the output was made with other options.
    """
    started = time.monotonic()
    storage = Storage(FIRST_PATIENCE_SECONDS)
    record = new_record(model_name(options.extract.model), options.inputs, options.shaping())
    begin_output(storage, options.output, record, options.overwrite, options.retry_failed)
    try:
        _run_phases(storage, options, record, started)
    except BaseException as error:
        record |= {"status": "failed", "finished": now(), "error": describe_error(error)[1]}
        with contextlib.suppress(PageError):  # the output may be what failed; the error itself goes on
            write_record(storage, options.output, record)
        raise
    return record


def _run_phases(storage: Storage, options: RunOptions, record: dict[str, Any], started: float) -> None:
    """The phases of `run`, one after the other; what they tell goes into `record`."""
    pools = plan_pools(
        ray.cluster_resources().get("CPU", 0),
        ray.cluster_resources().get("GPU", 0),
        node_cpus=max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]),
        read_workers=options.read_workers,
        model_workers=options.model_workers,
    )
    record["pools"] = asdict(pools)
    set_data_context()
    promise_documents(storage, options, pools, record["run_id"])
    listed = time.monotonic()
    pages_now = write_pages(storage, options, pools, record["run_id"])
    extracted = time.monotonic()
    if options.extract.task == "question-answering":
        table = best_answers(storage, options.output, options.extract.questions)
        write_table(storage, join_uri(options.output, "answers", "answers.parquet"), table)
    account = take_account(storage, options.output)
    record |= {
        "status": "done" if account.is_complete else "incomplete",
        "finished": now(),
        **account.as_json(),
        "failures": account.failures(options.command, options.extract.limits, options.listing.max_document_bytes),
        "limits": {
            "page_time_limit_seconds": options.extract.limits.seconds,
            "page_memory_limit_megabytes": options.extract.limits.megabytes,
            "pages_ended": account.ended,
            "seconds_lost": round(account.ended_seconds, 3),
        },
        "pages_this_run": pages_now,
        "pages_per_second": round(pages_now / max(extracted - listed, 1e-9), 3),
        "seconds": {
            "listing": round(listed - started, 3),
            "extracting": round(extracted - listed, 3),
            "total": round(time.monotonic() - started, 3),
            "by_stage": account.seconds_by_stage(),
        },
    }
    write_record(storage, options.output, record)
    write_report(storage, options.output, record, options.report_pages, options.extract.limits)


def promise_documents(storage: Storage, options: RunOptions, pools: Pools, run_id: str) -> None:
    """List the inputs, open what is new or changed and write it to `documents/`."""
    known = read_documents(storage, options.output)
    marks = {row["document_id"]: (row["size_bytes"], row["etag"]) for row in known.to_pylist()}
    changed: set[str] = set()

    def unfinished() -> Iterator[dict[str, Any]]:
        for stored in list_documents(options.inputs, storage, output=options.output):
            row = _document_row(stored)
            mark = marks.get(row["document_id"])
            if mark == (stored.size_bytes, stored.etag):
                continue
            if mark is not None:
                changed.add(row["document_id"])
            yield row

    blocks = list(_tables(unfinished(), LISTED, DOCUMENTS_PER_BLOCK))
    if changed:
        logger.info("%d documents have changed and are done anew", len(changed))
        forget_documents(storage, options.output, changed)
    if not blocks and not marks:
        raise PageError("not_found", f"no documents under {', '.join(options.inputs)}")
    pages_left = None
    if options.limit is not None:
        pages_left = options.limit - sum(read_documents(storage, options.output)["pages_selected"].to_pylist())
    if not blocks or (pages_left is not None and pages_left <= 0):
        return
    counted = ray.data.from_blocks(blocks).map_batches(
        StageOnBlocks,
        fn_constructor_args=(count_steps(options.listing, options.extract.limits), DOCUMENTS),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.read_cpus,
        compute=ray.data.ActorPoolStrategy(size=min(pools.read_actors, len(blocks)), max_tasks_in_flight_per_actor=2),
    )
    counted.context.execution_options.preserve_order = True
    written: list[dict[str, Any]] = []
    files = 0
    with Progress(sum(len(block) for block in blocks), "documents") as progress:
        for row in counted.iter_rows():
            if pages_left is not None:
                if pages_left <= 0:
                    break
                row["pages_selected"] = min(row["pages_selected"], pages_left)
                pages_left -= row["pages_selected"]
            written.append(row)
            progress.add(1, int(row["status"] == "failed"))
            if len(written) == DOCUMENTS_PER_FILE:
                _write_documents(storage, options.output, run_id, files, written)
                written, files = [], files + 1
    if written:
        _write_documents(storage, options.output, run_id, files, written)


def write_pages(storage: Storage, options: RunOptions, pools: Pools, run_id: str) -> int:
    """Extract the pages that are promised and not yet written; returns how many there were."""
    documents = read_documents(storage, options.output)
    done = read_pages_done(storage, options.output)
    to_do = sum(page_key(page) not in done for page in pages_promised(documents))
    if not to_do:
        logger.info("nothing to do: all %d pages are in %s", len(done), options.output)
        return 0
    if done:
        logger.info("%d pages are there already, %d to do", len(done), to_do)
    blocks = list(pages_to_do(documents, done, pages_per_block(to_do, pools)))
    rows = extract_pages(ray.data.from_blocks(blocks), options.extract, fit_pools(pools, len(blocks)))
    summaries = rows.map_batches(
        partial(write_block, storage=storage, folder=join_uri(options.output, "pages"), run_id=run_id),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.task_cpus,
    )
    with Progress(to_do, "pages") as progress:
        tell_waiting(to_do)
        for summary in summaries.iter_rows():
            progress.add(summary["pages"], summary["failed"])
            tell_waiting(to_do - progress.done)
    return to_do


def write_block(block: pa.Table, storage: Storage, folder: str, run_id: str) -> pa.Table:
    """Write a block as one file named by its first page, so that a task that is tried again writes the same file."""
    first = f"{block['document_id'][0]}-{block['page_index'][0].as_py():06d}"
    write_table(storage, join_uri(folder, f"part-{run_id}-{first}.parquet"), block)
    count_pages(block)
    failed = sum(status == "failed" for status in block["status"].to_pylist())
    return pa.table({"pages": [block.num_rows], "failed": [failed]})


def set_data_context() -> None:
    """Ray Data as the pipeline needs it: one block a task, and the pipeline's own progress only."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = None
    context.enable_progress_bars = False
    context.issue_detectors_config.detectors = []  # their advice is for the writer of a pipeline, not for its user


def _document_row(stored: StoredObject) -> dict[str, Any]:
    return {
        "document_id": document_id(stored.uri),
        "uri": stored.uri,
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
    }


def _write_documents(storage: Storage, output: str, run_id: str, index: int, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    write_table(storage, join_uri(output, "documents", f"part-{run_id}-{index:05d}.parquet"), table)


def _tables(rows: Iterable[dict[str, Any]], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield pa.Table.from_pylist(chunk, schema=schema)
            chunk = []
    if chunk:
        yield pa.Table.from_pylist(chunk, schema=schema)

"""Extracts the pages of an output that are not written yet, and writes them: one file for each block of pages."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.batch.compaction import Compaction, Compactor, compact
from pipelines.batch.deduplication import copy_pages, find_originals
from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.fault_burst import FaultBurst, block_outcome
from pipelines.batch.manifest import WrittenPages
from pipelines.batch.options import RunOptions
from pipelines.batch.output_files import read_first_run, run_number
from pipelines.batch.ownership import Claim, owner_of, row_options
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.repair import keep_newest_documents
from pipelines.batch.round_retries import write_with_retries
from pipelines.batch.telemetry import count_pages, is_connected, set_pending_pages
from pipelines.batch.written_pages import (
    Findings,
    find_damaged,
    page_uri,
    pages_to_do,
    read_document_index,
    read_pages_done,
)
from pipelines.extract import extract_pages
from pipelines.in_process import RETRY_PAUSES_SECONDS, extract_blocks
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.machine import available_cores
from pipelines.runtime.pools import (
    TASK_CPUS,
    Pools,
    cap_pools,
    pages_per_block,
    pages_per_later_block,
    pages_per_round,
    plan_pools,
)
from pipelines.runtime.progress import Progress
from pipelines.schema import PAGE_TO_DO, PageKey, Row, page_schema
from pipelines.stages.base import with_retries
from pipelines.storage.files import Storage
from pipelines.storage.tables import write_table

logger = logging.getLogger(__name__)

MAX_PAGES_IN_PROCESS = 200
"""Up to this many pages are extracted in this process, with the same parallelism on one machine: a Ray that a job
starts for itself costs some 15 s of CPU before the first page, in its own processes and in its workers' imports."""

OWNERSHIP_CHECK_SECONDS = 10.0
"""How often a run checks whether another one has claimed its output."""


def write_pages(
    storage: Storage,
    options: RunOptions,
    cluster: Cluster,
    record: dict[str, Any],
    claim: Claim,
    compactor: Compactor,
    retried: frozenset[PageKey] = frozenset(),
) -> int:
    """Extract the pages that are expected and not yet written, and those that are `retried`; returns their number.

    A few pages are extracted in this process where the cluster is optional. More are extracted in rounds, each an
    execution of Ray Data of its own: the driver keeps a little of every block until its execution ends, so with a
    single one its memory would grow with the corpus. Blocks that are written are compacted meanwhile.

    Args:
        record: of the run; `pools` is added to it.

    Raises:
        OutputClaimedError: another run has claimed the output.
        InfrastructureError: a machine or the storage is at fault. What is written stays.
        FaultBurstError: too many pages in a row fail in the same way. What is written stays.
    """
    output, burst = options.output, FaultBurst()
    documents = read_document_index(storage, output)
    if documents.superseded:  # the run that owned the output before may have added rows meanwhile
        keep_newest_documents(storage, output, claim.run_id)
    for uri in find_damaged(storage, output):
        claim.set_aside(uri)
    findings = Findings(claim.set_aside)
    done = read_pages_done(storage, output, documents, findings)
    done.unmark(retried)
    to_do = done.expected - done.marked
    in_process = cluster.is_optional and to_do <= MAX_PAGES_IN_PROCESS
    pools = plan_pools(available_cores(), 0, read_workers=options.read_workers) if in_process else cluster.pools
    record["pools"] = asdict(pools)
    if not to_do:
        logger.info("nothing to do: all %d pages are in %s", done.expected, output)
    elif done.marked:
        logger.info("%d pages are there already, %d to do", done.marked, to_do)
    checked = time.monotonic()
    claim.check()
    storage.delete_all(findings.outdated)
    for block in findings.blocks:
        compactor.add(block)
    with Progress(to_do, "pages") if to_do else contextlib.nullcontext() as progress:
        set_pending_pages(to_do)
        for block in _write_all(storage, options, documents, done, pools, claim, compactor, in_process):
            compactor.add(block)
            if not options.keep_going:
                burst.add(block_outcome(block))
            assert progress is not None
            count_pages(block.counts)
            progress.add(len(block), block.counts.pages["failed"])
            set_pending_pages(to_do - progress.done)
            if time.monotonic() - checked > OWNERSHIP_CHECK_SECONDS:
                claim.check()
                checked = time.monotonic()
    compactor.finish()
    return to_do


def make_compactor(storage: Storage, options: RunOptions, record: dict[str, Any]) -> Compactor:
    """The compactor of a run. It works in tasks of Ray where this process is connected to it, and else in a thread."""

    one_at_a_time = threading.Lock()

    def run(compaction: Compaction) -> None:
        if is_connected():
            with_retries(partial(compact_on_cluster, storage, options.output, compaction), RETRY_PAUSES_SECONDS)
        else:
            with one_at_a_time:
                with_retries(partial(compact, storage, options.output, compaction), RETRY_PAUSES_SECONDS)

    schema = page_schema(options.extract.task, options.extract.keep_pictures)
    return Compactor(record["run_id"], schema, row_options(record), run)


def compact_on_cluster(storage: Storage, output: str, compaction: Compaction) -> None:
    """`compact` in a task of Ray."""
    import ray
    from ray.exceptions import RayTaskError

    task = ray.remote(num_cpus=TASK_CPUS, max_retries=3)(compact)
    try:
        ray.get(task.remote(storage, output, compaction))
    except RayTaskError as error:
        raise error.cause or error from None


def _write_all(
    storage: Storage,
    options: RunOptions,
    documents: DocumentIndex,
    done: PageBitmap,
    pools: Pools,
    claim: Claim,
    compactor: Compactor,
    in_process: bool,
) -> Iterator[WrittenPages]:
    """Write the pages that are not done; those of the same bytes are read once. Yields what each block holds."""

    def read(marked: PageBitmap) -> Iterator[WrittenPages]:
        rows = pages_to_do(storage, options.output, marked)
        return _write_read(rows, marked.expected - marked.marked, storage, options, pools, claim, in_process)

    originals = find_originals(documents, done) if options.deduplicate else np.arange(len(documents))
    is_copy = originals != np.arange(len(documents))
    if is_copy.any():
        to_read = done.copy()
        to_read.mark_documents(is_copy)
        yield from read(to_read)
        done.mark_documents(~is_copy)
        claim.check()
        left = done.expected - done.marked
        with compactor.held():
            for table in copy_pages(storage, options.output, documents, originals, done):
                yield from _written(write_block(table, storage, options.output, claim.run_id), claim)
        copied = left - (done.expected - done.marked)
        logger.info("%d pages are of documents with the same bytes as others, and were not read again", copied)
    yield from read(done)


def _write_read(
    rows: Iterator[Row],
    to_do: int,
    storage: Storage,
    options: RunOptions,
    pools: Pools,
    claim: Claim,
    in_process: bool,
) -> Iterator[WrittenPages]:
    """Read pages and write them, in rounds; yields what each block holds when it is written."""
    if not to_do:
        return
    block_pages, round_pages = pages_per_block(to_do, pools), pages_per_round(to_do, pools, options.pages_per_round)
    seconds, pages = 0.0, 0
    while blocks := list(_blocks(islice(rows, round_pages), block_pages)):
        claim.check()
        for written in write_round(blocks, storage, options, pools, claim, in_process):
            seconds += sum(written.counts.seconds.values())
            pages += len(written)
            yield written
        block_pages = pages_per_later_block(block_pages, seconds / max(1, pages))


def _blocks(rows: Iterator[Row], size: int) -> Iterator[pa.Table]:
    while block := list(islice(rows, size)):
        yield pa.Table.from_pylist(block, schema=PAGE_TO_DO)


def _written(summary: pa.Table, claim: Claim) -> Iterator[WrittenPages]:
    """What `write_block` has written; if it has written nothing, the output belongs to another run."""
    if not summary.num_rows:
        claim.check()
    yield from map(WrittenPages.from_row, summary.to_pylist())


def write_round(
    blocks: list[pa.Table], storage: Storage, options: RunOptions, pools: Pools, claim: Claim, in_process: bool
) -> Iterator[WrittenPages]:
    """Extract and write blocks of pages to do; yields what each holds when it is written.

    Raises:
        InfrastructureError: a machine or the storage is at fault, and repetitions did not help.
        OutputClaimedError: another run has claimed the output.
    """
    write = partial(write_block, storage=storage, output=options.output, run_id=claim.run_id)
    if in_process:
        for rows in extract_blocks(blocks, options.extract, pools.read_actors):
            yield from _written(with_retries(partial(write, rows), RETRY_PAUSES_SECONDS), claim)
        return
    import ray.data

    def extract_and_write(left: list[pa.Table], may_fail: int) -> Iterator[WrittenPages]:
        written = extract_pages(ray.data.from_blocks(left), options.extract, cap_pools(pools, len(left)), write)
        written.context.max_errored_blocks = may_fail
        for summary in written.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from _written(summary, claim)

    yield from write_with_retries(blocks, extract_and_write)


def write_block(block: pa.Table, storage: Storage, output: str, run_id: str) -> pa.Table:
    """Write a block as one file named by its first page, so that a task that is retried writes the same file.

    A run that was overtaken writes no more: the other one has these pages to do. What it wrote while the other one
    cleared the output is removed.

    Returns:
        One row of `WrittenPages.to_table`; none if the block was not written.
    """
    nothing = WrittenPages.of(block.slice(0, 0), "", 0).to_table().slice(0, 0)
    if owner_of(storage, output) != run_id:
        return nothing
    name = f"part-{run_id}-{block['document_id'][0]}-{block['page_index'][0].as_py():06d}.parquet"
    uri = page_uri(output, name)
    size_bytes = write_table(storage, uri, block)
    if read_first_run(storage, output) > run_number(run_id):
        storage.delete(uri)
        return nothing
    return WrittenPages.of(block, name, size_bytes).to_table()

"""Extracts the pages of an output that are not written yet, and writes them: one file for each block of pages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.batch.deduplication import copy_pages, find_originals
from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.manifest import keep_newest, pages_to_do, read_document_index, read_pages_done
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import check_ownership
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.telemetry import count_pages, set_pending_pages
from pipelines.extract import extract_pages
from pipelines.in_process import available_cores, extract_blocks
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.pools import (
    Pools,
    cap_pools,
    pages_per_block,
    pages_per_later_block,
    pages_per_round,
    plan_pools,
)
from pipelines.runtime.progress import Progress
from pipelines.schema import PAGE_TO_DO, PageKey, Row
from pipelines.storage.files import Storage, join_uri
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
    retried: frozenset[PageKey] = frozenset(),
) -> int:
    """Extract the pages that are expected and not yet written, and those that are `retried`; returns their number.

    A few pages are extracted in this process where the cluster is optional. More are extracted in rounds, each an
    execution of Ray Data of its own: the driver keeps a little of every block until its execution ends, so with a
    single one its memory would grow with the corpus.

    Args:
        record: of the run; `pools` is added to it.

    Raises:
        OutputClaimedError: another run has claimed the output.
    """
    run_id = record["run_id"]
    documents = read_document_index(storage, options.output)
    if documents.superseded:  # the run that owned the output before may have added rows meanwhile
        keep_newest(storage, options.output, "documents")
    done = read_pages_done(storage, options.output, documents)
    done.unmark(retried)
    to_do = done.expected - done.marked
    in_process = cluster.is_optional and to_do <= MAX_PAGES_IN_PROCESS
    pools = plan_pools(available_cores(), 0, read_workers=options.read_workers) if in_process else cluster.pools
    record["pools"] = asdict(pools)
    if not to_do:
        logger.info("nothing to do: all %d pages are in %s", done.expected, options.output)
        return 0
    if done.marked:
        logger.info("%d pages are there already, %d to do", done.marked, to_do)
    checked = time.monotonic()
    with Progress(to_do, "pages") as progress:
        set_pending_pages(to_do)
        for summary in _write_all(storage, options, documents, done, pools, run_id, in_process):
            progress.add(summary["pages"], summary["failed"])
            set_pending_pages(to_do - progress.done)
            if time.monotonic() - checked > OWNERSHIP_CHECK_SECONDS:
                check_ownership(storage, options.output, run_id)
                checked = time.monotonic()
    return to_do


def _write_all(
    storage: Storage,
    options: RunOptions,
    documents: DocumentIndex,
    done: PageBitmap,
    pools: Pools,
    run_id: str,
    in_process: bool,
) -> Iterator[dict[str, Any]]:
    """Write the pages that are not done, each with a summary of its block; those of the same bytes are read once."""

    def read(marked: PageBitmap) -> Iterator[dict[str, Any]]:
        rows = pages_to_do(storage, options.output, marked)
        return _write_read(rows, marked.expected - marked.marked, storage, options, pools, run_id, in_process)

    originals = find_originals(documents, done) if options.deduplicate else np.arange(len(documents))
    is_copy = originals != np.arange(len(documents))
    if is_copy.any():
        to_read = done.copy()
        to_read.mark_documents(is_copy)
        yield from read(to_read)
        done.mark_documents(~is_copy)
        check_ownership(storage, options.output, run_id)
        left = done.expected - done.marked
        for table in copy_pages(storage, options.output, documents, originals, done):
            yield from write_block(table, storage, join_uri(options.output, "pages"), run_id).to_pylist()
        copied = left - (done.expected - done.marked)
        logger.info("%d pages are of documents with the same bytes as others, and were not read again", copied)
    yield from read(done)


def _write_read(
    rows: Iterator[Row],
    to_do: int,
    storage: Storage,
    options: RunOptions,
    pools: Pools,
    run_id: str,
    in_process: bool,
) -> Iterator[dict[str, Any]]:
    """Read pages and write them, in rounds; yields a summary of each block when it is written."""
    if not to_do:
        return
    block_pages, round_pages = pages_per_block(to_do, pools), pages_per_round(to_do, pools, options.pages_per_round)
    seconds, pages = 0.0, 0
    while blocks := list(_blocks(islice(rows, round_pages), block_pages)):
        check_ownership(storage, options.output, run_id)
        for summary in write_round(blocks, storage, options, pools, run_id, in_process):
            seconds += summary["seconds"]
            pages += summary["pages"]
            yield summary
        block_pages = pages_per_later_block(block_pages, seconds / pages)


def _blocks(rows: Iterator[Row], size: int) -> Iterator[pa.Table]:
    while block := list(islice(rows, size)):
        yield pa.Table.from_pylist(block, schema=PAGE_TO_DO)


def write_round(
    blocks: list[pa.Table], storage: Storage, options: RunOptions, pools: Pools, run_id: str, in_process: bool
) -> Iterator[dict[str, Any]]:
    """Extract and write blocks of pages to do; yields a summary of each block when it is written."""
    write = partial(write_block, storage=storage, folder=join_uri(options.output, "pages"), run_id=run_id)
    if in_process:
        for rows in extract_blocks(blocks, options.extract, pools.read_actors):
            yield from write(rows).to_pylist()
        return
    import ray.data

    from pipelines.stages.ray_data import map_blocks

    extracted = extract_pages(ray.data.from_blocks(blocks), options.extract, cap_pools(pools, len(blocks)))
    yield from map_blocks(extracted, write, pools).iter_rows()


def write_block(block: pa.Table, storage: Storage, folder: str, run_id: str) -> pa.Table:
    """Write a block as one file named by its first page, so that a task that is retried writes the same file.

    Returns:
        One row: `pages` and `failed`, counts, and `seconds`, the sum over pages and stages.
    """
    first = f"{block['document_id'][0]}-{block['page_index'][0].as_py():06d}"
    write_table(storage, join_uri(folder, f"part-{run_id}-{first}.parquet"), block)
    count_pages(block)
    failed = sum(status == "failed" for status in block["status"].to_pylist())
    seconds = sum(took or 0.0 for stages in block["seconds"].to_pylist() for took in (stages or {}).values())
    return pa.table({"pages": [block.num_rows], "failed": [failed], "seconds": [seconds]})

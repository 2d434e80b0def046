"""The promise of a run: the inputs are listed, and each document that is new or changed is opened to count its pages.

`documents/` holds the promise. The listing is gone through once, in rounds, and what a round has opened is written
before the next one begins: the driver holds no more of a corpus than a round and its `DocumentIndex`. Of a document
that has changed the old pages go when it has been opened, then it gets its new row, and only then the old one goes: a
run which dies in between has lost nothing that still held.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
import ray.data

from pipelines.batch.document_index import DocumentIndex, version
from pipelines.batch.listing import document_id, list_documents
from pipelines.batch.manifest import forget_documents, keep_newest, read_document_index, read_failed_pages
from pipelines.batch.options import RunOptions
from pipelines.batch.record import check_ownership
from pipelines.errors import ProcessingError
from pipelines.extract import count_steps
from pipelines.runtime.pools import Pools, cap_pools
from pipelines.runtime.progress import Progress
from pipelines.schema import DOCUMENTS, LISTED, PageKey, Row
from pipelines.stages.ray_data import map_stages
from pipelines.storage.files import Storage, StoredObject, join_uri
from pipelines.storage.tables import write_table

logger = logging.getLogger(__name__)

DOCUMENTS_PER_BLOCK = 16
DOCUMENTS_PER_ROUND = 20_000
"""Opened, and written as one file, before more are listed."""

LISTED_TOGETHER = 1_000
"""Documents that are looked up at once, as many as S3 lists at once; and the shortest round where pages are limited."""


@dataclass(frozen=True)
class RetrySummary:
    """What a retry does again: of what the listing gives, and nothing that it leaves out.

    Attributes:
        documents: how many failed documents are opened again.
        pages: failed pages that are read again.
    """

    documents: int = 0
    pages: frozenset[PageKey] = frozenset()


@dataclass(frozen=True)
class _Candidate:
    """A listed document to be opened.

    Attributes:
        row: of `LISTED`.
        has_failed: when it was opened before.
        old_pages: promised of it before it changed; None where it has not.
    """

    row: Row
    has_failed: bool = False
    old_pages: int | None = None

    @property
    def has_changed(self) -> bool:
        """Whether it is not as it was when it was opened before."""
        return self.old_pages is not None


@dataclass
class _Listed:
    """What else a listing has given.

    Attributes:
        new: documents that a retry leaves out.
        retried: pages that failed, of documents that have not changed since.
    """

    new: int = 0
    retried: set[PageKey] = field(default_factory=set)


@dataclass
class _PageBudget:
    """How far the opening of documents is.

    Attributes:
        pages_left: that may still be promised; None is without end.
        files: written.
        again: documents that had failed and were opened again.
        is_newer: whether there are rows of documents that have older ones.
    """

    pages_left: int | None
    files: int = 0
    again: int = 0
    is_newer: bool = False

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be promised."""
        return self.pages_left is not None and self.pages_left <= 0

    def make_room(self, pages: int) -> None:
        """So many that were promised are not promised any more."""
        if self.pages_left is not None:
            self.pages_left += pages

    def take(self, pages: int) -> int:
        """Promise so many pages, or those that are left; returns how many."""
        if self.pages_left is None:
            return pages
        taken = min(pages, self.pages_left)
        self.pages_left -= taken
        return taken

    @property
    def round_size(self) -> int:
        """How many documents are opened before more are listed."""
        if self.pages_left is None:
            return DOCUMENTS_PER_ROUND
        return min(DOCUMENTS_PER_ROUND, max(LISTED_TOGETHER, self.pages_left))


def discover_documents(storage: Storage, options: RunOptions, pools: Pools, run_id: str) -> RetrySummary:
    """Bring `documents/` up to what the inputs hold now.

    A run takes what is new or changed; a retry what failed, and what has changed since its pages failed.

    Raises:
        ProcessingError: an input cannot be listed, or there is nothing in it.
    """
    known = read_document_index(storage, options.output)
    if known.superseded:
        keep_newest(storage, options.output, "documents")
    failed_pages = read_failed_pages(storage, options.output) if options.retry_failed else frozenset()
    listed = _Listed()
    wanted = _wanted(storage, options, known, failed_pages, listed)
    opening = _PageBudget(None if options.limit is None else options.limit - int(known.pages.sum()))
    with Progress(None, "documents") as progress:
        # Where nothing was promised before, nothing can have changed, and the rest need not be listed.
        while not (opening.is_full and not len(known)):
            size = opening.round_size
            documents = list(islice(wanted, size))
            if len(documents) < size:
                progress.expect(progress.done + len(documents))
            _promise_round(documents, opening, storage, options, pools, run_id, progress)
            if len(documents) < size:
                break
    if not progress.done and not len(known):
        raise ProcessingError("not_found", f"no documents under {', '.join(options.inputs)}")
    if listed.new:
        logger.info("%d new documents are left to a run without --retry-failed", listed.new)
    if opening.is_newer:
        keep_newest(storage, options.output, "documents")
    return RetrySummary(opening.again, frozenset(listed.retried))


def _wanted(
    storage: Storage, options: RunOptions, known: DocumentIndex, failed_pages: frozenset[PageKey], listed: _Listed
) -> Iterator[_Candidate]:
    """The listed documents that are to be opened; what else is seen goes into `listed`."""
    failed_of: dict[str, list[PageKey]] = {}
    for key in failed_pages:
        failed_of.setdefault(key[0], []).append(key)
    documents = list_documents(options.inputs, storage, output=options.output)
    while together := list(islice(documents, LISTED_TOGETHER)):
        rows = [_document_row(stored) for stored in together]
        for row, position in zip(rows, known.positions([row["document_id"] for row in rows]).tolist(), strict=True):
            is_known = position >= 0
            is_changed = is_known and version(row["size_bytes"], row["etag"]) != known.versions[position]
            has_failed = is_known and bool(known.failed[position])
            old_pages = int(known.pages[position]) if is_changed else None
            if not options.retry_failed:
                if is_changed or not is_known:
                    yield _Candidate(row, old_pages=old_pages)
                continue
            listed.new += not is_known
            pages_again = failed_of.get(row["document_id"], [])
            if has_failed or (is_changed and pages_again):
                yield _Candidate(row, has_failed, old_pages)
            if not is_changed:
                listed.retried.update(pages_again)


def _promise_round(
    documents: list[_Candidate],
    opening: _PageBudget,
    storage: Storage,
    options: RunOptions,
    pools: Pools,
    run_id: str,
    progress: Progress,
) -> None:
    """Open documents and write their rows. Of those that have changed, what was there before goes.

    Where there is no room for one any more, a run drops what was there of it, and a retry leaves it as it was.
    """
    check_ownership(storage, options.output, run_id)
    old_pages = {wanted.row["document_id"]: wanted.old_pages or 0 for wanted in documents if wanted.has_changed}
    if not options.retry_failed:
        opening.make_room(sum(old_pages.values()))
    rows: list[Row] = []
    is_of_use = documents and (options.retry_failed or not opening.is_full)
    for row in _opened(documents, options, pools) if is_of_use else ():
        own = old_pages.get(row["document_id"], 0) if options.retry_failed else 0
        opening.make_room(own)
        if opening.is_full:
            opening.make_room(-own)
            if not options.retry_failed:
                break
            continue
        row["pages_selected"] = opening.take(row["pages_selected"])
        rows.append(row)
        progress.add(1, int(row["status"] == "failed"))
    counted = {row["document_id"] for row in rows}
    gone = set() if options.retry_failed else old_pages.keys() - counted
    if old_pages.keys() & counted or gone:
        logger.info("%d documents have changed and are done anew", len(old_pages.keys() & counted))
        forget_documents(storage, options.output, (old_pages.keys() & counted) | gone, tables=("pages",))
    if rows:
        check_ownership(storage, options.output, run_id)
        table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
        file = f"part-{run_id}-{opening.files:05d}.parquet"
        write_table(storage, join_uri(options.output, "documents", file), table)
        opening.files += 1
    forget_documents(storage, options.output, gone, tables=("documents",))
    opening.again += sum(wanted.has_failed and wanted.row["document_id"] in counted for wanted in documents)
    opening.is_newer |= not counted.isdisjoint(old_pages) or opening.again > 0


def _opened(documents: list[_Candidate], options: RunOptions, pools: Pools) -> Iterator[Row]:
    """Rows of `DOCUMENTS`, in the order of the listing."""
    starts = range(0, len(documents), DOCUMENTS_PER_BLOCK)
    rows = [[wanted.row for wanted in documents[start : start + DOCUMENTS_PER_BLOCK]] for start in starts]
    blocks = [pa.Table.from_pylist(block, schema=LISTED) for block in rows]
    documents_to_open = ray.data.from_blocks(blocks)
    counting = count_steps(options.listing, options.extract.limits)
    opened = map_stages(documents_to_open, counting, DOCUMENTS, cap_pools(pools, len(blocks)), "read")
    opened.context.execution_options.preserve_order = True
    yield from opened.iter_rows()


def _document_row(stored: StoredObject) -> Row:
    return {
        "document_id": document_id(stored.uri),
        "uri": stored.uri,
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
    }

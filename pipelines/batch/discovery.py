"""Discovery: the inputs are listed, and each new or changed document is opened to count its pages.

The table `documents/` records the pages that the output must hold. The listing is read once, in rounds, and the rows
of a round are written before the next one begins, so that the driver holds no more of a corpus than a round and its
`DocumentIndex`. When a document has changed, its new row is written, and from then on neither its old row nor the pages
that earlier runs read of it count; they are removed later.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

import pyarrow as pa

from pipelines.batch.candidates import Candidate, RetrySelection, compare_with_index, select_new_or_changed
from pipelines.batch.deduplication import open_once
from pipelines.batch.document_index import shared_identity
from pipelines.batch.listing import list_documents
from pipelines.batch.opening import open_documents
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import Claim
from pipelines.batch.repair import forget_documents, keep_newest_documents
from pipelines.batch.written_pages import read_document_index, read_failed_pages
from pipelines.errors import ProcessingError
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.output_record import OutputConflictError
from pipelines.runtime.progress import Progress
from pipelines.schema import DOCUMENTS, PageKey, Row
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table

logger = logging.getLogger(__name__)

FIRST_PATIENCE_SECONDS = 15.0
"""How long S3 may be out of reach when a run begins; later requests have more patience."""

MAX_DOCUMENTS_PER_ROUND, MIN_DOCUMENTS_PER_ROUND = 20_000, 1_000
"""Documents of a round: what is opened and written as one file before more is listed. With a limit on pages a round has
no more documents than pages that are left, but not fewer than the minimum."""


@dataclass(frozen=True)
class RetrySummary:
    """What a retry does again, of the documents that the listing contains.

    Attributes:
        documents: number of failed documents that are opened again.
        pages: failed pages that are read again.
    """

    documents: int = 0
    pages: frozenset[PageKey] = frozenset()


@dataclass(frozen=True)
class _PageBudget:
    """The limit on pages.

    Attributes:
        limit: on the pages of the whole output; None is no limit.
        expected: pages that the documents of the output expect.
    """

    limit: int | None
    expected: int

    @property
    def remaining(self) -> float:
        """Pages that more documents may add; infinite without a limit."""
        return math.inf if self.limit is None else self.limit - self.expected

    @property
    def round_size(self) -> int:
        """Documents of the next round."""
        return int(min(MAX_DOCUMENTS_PER_ROUND, max(MIN_DOCUMENTS_PER_ROUND, self.remaining)))


@dataclass(frozen=True)
class _Round:
    """What a round of opened documents changes in the output.

    Attributes:
        rows: of `DOCUMENTS`, to be written.
        replaced: changed documents among them.
        dropped: changed documents for which no page is left under the limit; their rows are removed.
        added_pages: how many more pages the output expects than before; may be negative.
        retried: documents among `rows` that had failed before.
        supersedes: some of `rows` have an older row of the same document.
    """

    rows: list[Row]
    replaced: frozenset[str]
    dropped: frozenset[str]
    added_pages: int
    retried: int
    supersedes: bool


def discover_documents(storage: Storage, options: RunOptions, cluster: Cluster, claim: Claim) -> RetrySummary:
    """Bring `documents/` up to date with the inputs.

    A run opens documents that are new or have changed; a retry opens those that failed, and those that have changed
    since some of their pages failed.

    Raises:
        ProcessingError: an input cannot be listed, or there is no document in it.
        OutputConflictError: documents of a retry are not known any more, because their file was damaged.
        OutputClaimedError: another run has claimed the output.
    """
    set_aside = len(claim.set_aside.names)
    index = read_document_index(storage, options.output, claim.set_aside)
    if options.retry_failed and len(claim.set_aside.names) > set_aside:
        raise OutputConflictError(
            f"{', '.join(claim.set_aside.names[set_aside:])} was damaged and is set aside: let the same command "
            "without --retry-failed open its documents again first"
        )
    if index.superseded:
        keep_newest_documents(storage, options.output, claim.run_id)
    inputs = Storage(FIRST_PATIENCE_SECONDS, options.extract.access.s3)
    listed = compare_with_index(list_documents(options.inputs, inputs, output=options.output), index)
    retry = RetrySelection(read_failed_pages(storage, options.output, index) if options.retry_failed else ())
    candidates = retry.select(listed) if options.retry_failed else select_new_or_changed(listed)
    budget = _PageBudget(options.limit, expected=int(index.pages.sum()))
    retried, supersedes, round_number, is_last = 0, False, 0, False
    dropped = set[str]()
    with Progress(None, "documents") as progress:
        # In a new output no document can have changed: once the limit is reached, the rest need not be listed.
        while not is_last and (len(index) or budget.remaining > 0):
            size = budget.round_size
            batch = list(islice(candidates, size))
            is_last = len(batch) < size
            if is_last:
                progress.expect(progress.done + len(batch))
            claim.check()
            opened = _open_round(batch, budget, options, cluster, progress)
            if opened.rows:
                claim.check()
                table = pa.Table.from_pylist(opened.rows, schema=DOCUMENTS)
                name = f"part-{claim.run_id}-{round_number:05d}.parquet"
                write_table(storage, join_uri(options.output, "documents", name), table)
            if opened.replaced:
                logger.info("%d documents have changed and are read again", len(opened.replaced))
            dropped |= opened.dropped
            budget = replace(budget, expected=budget.expected + opened.added_pages)
            retried += opened.retried
            supersedes |= opened.supersedes
            round_number += 1
    if not progress.done and not len(index):
        raise ProcessingError("not_found", f"no documents under {', '.join(options.inputs)}")
    if retry.new_documents:
        logger.info("%d new documents are left to a run without --retry-failed", retry.new_documents)
    if supersedes:
        keep_newest_documents(storage, options.output, claim.run_id)
    forget_documents(storage, options.output, claim.run_id, dropped)
    return RetrySummary(retried, frozenset(retry.pages))


def _open_round(
    batch: Sequence[Candidate], budget: _PageBudget, options: RunOptions, cluster: Cluster, progress: Progress
) -> _Round:
    """Open documents and select their pages under the limit."""
    candidates: dict[str, Candidate] = {}
    for candidate in batch:
        same = candidates.setdefault(candidate.document_id, candidate)
        if same is not candidate:
            raise shared_identity(candidate.document_id, f"{candidate.row['uri']} and {same.row['uri']}")
    old_pages = {name: candidate.old_pages for name, candidate in candidates.items() if candidate.has_changed}
    rows: list[Row] = []
    listed = [candidate.row for candidate in batch]

    def open_all(chosen: Sequence[Row]) -> Generator[Row, None, None]:
        return open_documents(chosen, options, cluster)

    with closing(open_once(listed, open_all) if options.deduplicate else open_all(listed)) as opened:
        if options.retry_failed:
            selected = _select_pages_of_retry(opened, budget.remaining, old_pages)
        else:
            selected = _select_pages(opened, budget.remaining + sum(old_pages.values()))
        for row in selected:
            rows.append(row)
            progress.add(1, int(row["status"] == "failed"))
    written = {row["document_id"] for row in rows}
    replaced = old_pages.keys() & written
    dropped = set() if options.retry_failed else old_pages.keys() - written
    return _Round(
        rows,
        frozenset(replaced),
        frozenset(dropped),
        added_pages=sum(row["pages_selected"] for row in rows) - sum(old_pages[name] for name in replaced | dropped),
        retried=sum(candidates[name].had_failed for name in written) if options.retry_failed else 0,
        supersedes=any(candidates[name].is_known for name in written),
    )


def _select_pages(opened: Iterable[Row], remaining: float) -> Iterator[Row]:
    """Documents in order until no page is left under the limit."""
    for row in opened if remaining > 0 else ():
        count = int(min(row["pages_selected"], remaining))
        remaining -= count
        yield {**row, "pages_selected": count}
        if remaining <= 0:
            return


def _select_pages_of_retry(opened: Iterable[Row], remaining: float, old_pages: Mapping[str, int]) -> Iterator[Row]:
    """All documents except those for which no page is left; these keep the rows that they have."""
    for row in opened:
        available = remaining + old_pages.get(row["document_id"], 0)
        if available > 0:
            count = int(min(row["pages_selected"], available))
            remaining = available - count
            yield {**row, "pages_selected": count}

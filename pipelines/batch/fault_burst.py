"""Stops a run in which page after page fails in the same way, which documents seldom do by themselves.

Faults that are known as such are `InfrastructureError`s and never become rows. This is for the others: a bucket policy
that changes, a folder that is moved away, a worker whose OCR data is gone. Pages that are encrypted, damaged, empty, of
another format or too slow are their documents' own, however many come in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from pipelines.batch.manifest import WrittenPages
from pipelines.errors import ErrorKind, JobError


@dataclass(frozen=True)
class BurstLimit:
    """When failures of a kind are too many in a row: at least `pages`, of at least `documents`."""

    pages: int
    documents: int


_SOON, _LATE = BurstLimit(64, 8), BurstLimit(512, 64)

BURST_LIMITS: Mapping[str, BurstLimit] = {
    "access_denied": _SOON,
    "not_found": _SOON,
    "internal": _SOON,
    "ocr_failed": _SOON,
    "crashed": _LATE,
    "out_of_memory": _LATE,
}
"""The kinds that a place can cause. A page is read after its document has been opened, so that one which may not be
read, or is not there, has become so since. Documents of one origin may all crash a parser, or all be too large for the
memory of a page: these kinds stop a run late."""

_CAUSES: Mapping[str, str] = {
    "access_denied": "see whether these documents may still be read",
    "not_found": "see whether the inputs are still there, or were moved",
    "internal": "this is a defect of this program or of a machine; see the message",
    "ocr_failed": "see whether OCR works on the workers",
    "crashed": "see whether the workers are sound, or whether another --rasterizer reads these documents",
    "out_of_memory": "see whether the workers have memory left, or raise --page-memory-limit-megabytes",
}


class FaultBurstError(JobError):
    """Too many pages in a row failed in the same way."""


@dataclass(frozen=True)
class BlockOutcome:
    """What became of a block.

    Attributes:
        pages: number of its rows.
        error_kind: with which all of them failed; None if one is ok, or they failed in several ways.
        document_ids: of the pages, each once; empty without an `error_kind`.
        example: URI and error of one page; empty without an `error_kind`.
    """

    pages: int
    error_kind: ErrorKind | None = None
    document_ids: tuple[str, ...] = ()
    example: str = ""


def block_outcome(block: WrittenPages) -> BlockOutcome:
    """The outcome of a block that has been written."""
    errors = block.counts.errors
    if block.counts.pages["ok"] or len(errors) != 1:
        return BlockOutcome(len(block))
    (kind,) = errors
    uri, _, error = block.counts.examples[kind][0]
    return BlockOutcome(
        len(block), cast(ErrorKind, kind), tuple(dict.fromkeys(block.documents.names())), f"{uri}: {error}"
    )


@dataclass
class FaultBurst:
    """The failures in a row at the end of what has been written so far, in the order in which blocks were completed.

    A block with a page that is ok, or failed in another way, ends a burst: there the place was sound.
    """

    error_kind: ErrorKind | None = None
    pages: int = 0
    document_ids: set[str] = field(default_factory=set)
    example: str = ""

    def add(self, outcome: BlockOutcome) -> None:
        """Note a block that has been written.

        Raises:
            FaultBurstError: with it, too many pages in a row have failed in the same way.
        """
        kind = outcome.error_kind
        if kind is None or kind != self.error_kind:
            self.error_kind, self.pages, self.document_ids, self.example = kind, 0, set(), outcome.example
        limit = BURST_LIMITS.get(kind or "")
        if kind is None or limit is None:
            return
        self.pages += outcome.pages
        self.document_ids.update(outcome.document_ids)
        if self.pages >= limit.pages and len(self.document_ids) >= limit.documents:
            raise FaultBurstError(
                f"the last {self.pages} pages, of {len(self.document_ids)} documents, all failed as {kind}, such as "
                f"{self.example}. So many in a row are seldom the documents' own fault: {_CAUSES[kind]}. What is "
                "written stays: the same command goes on from there, and with --retry-failed it reads the failed "
                "pages again"
            )

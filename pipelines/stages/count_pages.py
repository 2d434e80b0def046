"""Listing: from folders and buckets to documents, each opened once to count its pages.

What comes out is the run's promise: every listed document has a row, and every page up to `pages_selected` will.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.documents.document import Document
from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed


@dataclass(frozen=True)
class ListingOptions:
    """What is taken from the inputs.

    Attributes:
        max_document_bytes: a larger document is not opened (`too_large`).
        max_pages_per_document: only the first pages of a longer document are taken; None takes all.
    """

    max_document_bytes: int = 1 << 30
    max_pages_per_document: int | None = None


def pending_document(row: Row) -> Row:
    """A row of `LISTED` as one of `DOCUMENTS`: nothing is known of its content yet, and nothing is wrong with it."""
    listed = {**row, "media_type": None, "page_count": None, "pages_selected": 0}
    return listed | {"status": "ok", "error_kind": None, "error": None}


class RejectOversized:
    """Fails documents that are too large to open, before anything of them is read; gives all a row of `DOCUMENTS`."""

    def __init__(self, options: ListingOptions) -> None:
        self.options = options

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        """`rows`: document_id, uri, size_bytes, etag."""
        limit = self.options.max_document_bytes
        for row in rows:
            listed = pending_document(row)
            if row["size_bytes"] > limit:
                message = f"{row['size_bytes']} bytes, over the limit of {limit} bytes a document"
                yield mark_failed(listed, ProcessingError("too_large", message))
            else:
                yield listed


class CountPages:
    """Opens each document (at `path`, see `Fetch`) and counts its pages; what fails is a failed row."""

    def __init__(self, options: ListingOptions) -> None:
        self.options = options

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            try:
                with Document(Path(row["path"])) as document:
                    counted = {**row, "media_type": document.media_type, "page_count": document.page_count}
            except Exception as error:  # whatever a file does, it costs that file alone
                yield mark_failed(row, error)
                continue
            cap = self.options.max_pages_per_document
            count = counted["page_count"]
            yield {**counted, "pages_selected": count if cap is None else min(cap, count)}

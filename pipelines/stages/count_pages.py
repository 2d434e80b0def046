"""Page counting: from listed files to documents, each opened once to count its pages.

The output defines what a run has to deliver: a row for every listed document and for every page up to `pages_selected`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.documents.document import Document
from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed
from pipelines.stages.base import mark_unread


@dataclass(frozen=True)
class ListingOptions:
    """Which documents and pages of the inputs are processed.

    Attributes:
        max_document_bytes: larger documents are not opened (`too_large`).
        max_pages_per_document: only the first pages of a longer document are processed; None processes all.
    """

    max_document_bytes: int = 1 << 30
    max_pages_per_document: int | None = None


def pending_document(row: Row) -> Row:
    """Convert a row of `LISTED` to a row of `DOCUMENTS` with status `ok` and its content still unknown."""
    listed = {**row, "media_type": None, "page_count": None, "pages_selected": 0}
    return listed | {"status": "ok", "error_kind": None, "error": None}


class RejectOversized:
    """Fails documents that are too large, before any of their bytes are read; yields a row of `DOCUMENTS` for each."""

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


MANY_PAGES, MIN_BYTES_A_PAGE = 10_000, 20
"""A document that claims more pages than this, in fewer bytes each, has a forged count: even a blank page of a PDF
takes more. Each claimed page would become a row."""


class CountPages:
    """Opens each document (at `path`, see `Fetch`) and counts its pages; a document that cannot be opened fails."""

    def __init__(self, options: ListingOptions, passwords: Sequence[str] = ()) -> None:
        """`passwords`: tried in turn on PDFs that need one."""
        self.options = options
        self._passwords = passwords

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            try:
                with Document(Path(row["path"]), passwords=self._passwords) as document:
                    _check_count(document.page_count, Path(row["path"]).stat().st_size)
                    counted = {**row, "media_type": document.media_type, "page_count": document.page_count}
            except Exception as error:  # a bad file fails alone
                yield mark_unread(row, error)
                continue
            cap = self.options.max_pages_per_document
            count = counted["page_count"]
            yield {**counted, "pages_selected": count if cap is None else min(cap, count)}


def _check_count(pages: int, size_bytes: int) -> None:
    if pages > MANY_PAGES and size_bytes < pages * MIN_BYTES_A_PAGE:
        raise ProcessingError("unreadable", f"it claims {pages} pages in {size_bytes} bytes: the count is wrong")

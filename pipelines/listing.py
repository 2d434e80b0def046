"""Listing: from folders and buckets to documents, each opened once to count its pages.

What comes out is the run's promise: every listed document has a row, and every page up to `pages_selected` will.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.document import Document
from pipelines.ledger import is_own_file
from pipelines.page import PageError, Row, describe_error
from pipelines.storage import Storage, StoredObject


@dataclass(frozen=True)
class ListingOptions:
    """What is taken from the inputs.

    Attributes:
        max_document_bytes: a larger document is not opened (`too_large`).
        max_pages_per_document: only the first pages of a longer document are taken; None takes all.
    """

    max_document_bytes: int = 1 << 30
    max_pages_per_document: int | None = None


def document_id(uri: str) -> str:
    """16 hexadecimal digits that stand for a URI in all tables."""
    return hashlib.blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def list_documents(inputs: Iterable[str], storage: Storage, *, output: str | None = None) -> Iterator[StoredObject]:
    """Everything under the inputs, lazily, each URI once, but what a run wrote under `output`.

    Raises:
        PageError: an input does not exist, holds nothing, or may not be listed.
    """
    seen: set[str] = set()
    for uri in inputs:
        is_empty = True
        for stored in storage.list(uri):
            is_empty = False
            if output is not None and is_own_file(stored.uri, output):
                continue
            identity = document_id(stored.uri)
            if identity not in seen:
                seen.add(identity)
                yield stored
        if is_empty:
            raise PageError("not_found", f"no documents under {uri}")


class CountPages:
    """Opens each document and makes its row of `documents/*.parquet`; what fails is a failed row."""

    def __init__(self, options: ListingOptions) -> None:
        self.options = options
        self.storage = Storage()

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        """`rows`: document_id, uri, size_bytes, etag. Gives them with the other columns of `DOCUMENTS`."""
        return map(self._count, rows)

    def _count(self, row: Row) -> Row:
        counted = {**row, "media_type": None, "page_count": None, "pages_selected": 0}
        counted |= {"status": "ok", "error_kind": None, "error": None}
        try:
            limit = self.options.max_document_bytes
            if row["size_bytes"] > limit:
                raise PageError("too_large", f"{row['size_bytes']} bytes, over the limit of {limit} bytes a document")
            with Document(self.storage.read(row["uri"])) as document:
                counted["media_type"], counted["page_count"] = document.media_type, document.page_count
        except Exception as error:  # whatever a file does, it costs that file alone
            kind, message = describe_error(error)
            return {**counted, "status": "failed", "error_kind": kind, "error": message}
        cap = self.options.max_pages_per_document
        counted["pages_selected"] = counted["page_count"] if cap is None else min(cap, counted["page_count"])
        return counted

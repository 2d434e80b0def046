"""What the pages of each document are folded into, one document after the other.

The pages are read once, and a document is handed on when its last page has been seen, so that the memory that this
takes is that of the documents between their first and last page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from pipelines.batch.identities import Identities
from pipelines.batch.output_files import list_uris, run_number
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import page_uri, read_document_index, read_written
from pipelines.schema import Row
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_row_groups, read_tables

State = TypeVar("State")


@dataclass(frozen=True)
class WholeDocument(Generic[State]):
    """A document of an output, and what its pages were folded into.

    Attributes:
        document_id, uri: of the document.
        state: of the pages that the output has; that of a document without pages is as it began.
        missing: number of pages that the output expects and does not have; 0 unless it is incomplete.
        error_kind, error: why the document could not be opened; None if it could.
    """

    document_id: str
    uri: str
    state: State
    missing: int = 0
    error_kind: str | None = None
    error: str | None = None


def fold_documents(
    storage: Storage,
    output: str,
    columns: Sequence[str],
    begin: Callable[[], State],
    add: Callable[[State, Row], None],
) -> Iterator[WholeDocument[State]]:
    """Each document of an output once, also those without pages and those that could not be opened, lazily.

    Args:
        columns: of the pages; `document_id`, `uri` and `page_index` are among them.
        begin: the state of a document before its first page.
        add: adds a page's row to the state of its document; the pages come in any order.
    """
    documents = read_document_index(storage, output)
    seen, left = PageBitmap(documents), documents.pages.copy()
    begun: dict[str, tuple[int, State]] = {}  # with the position, which to look up takes longer than most pages
    is_done = np.zeros(len(documents), dtype=np.bool_)
    for row in read_newest_pages(storage, output, columns, seen):
        name = row["document_id"]
        if name not in begun:
            begun[name] = int(documents.positions([name])[0]), begin()
        position, state = begun[name]
        add(state, row)
        left[position] -= 1
        if not left[position]:
            is_done[position] = True
            del begun[name]
            yield WholeDocument(name, row["uri"], state)
    # Documents of which no page is expected, and in an incomplete output those with pages that are missing.
    rows = ("document_id", "uri", "error_kind", "error")
    for uri, table in read_tables(storage, list_uris(storage, output, "documents"), rows):
        positions = documents.positions(table["document_id"].to_pylist()).tolist()
        for document, position in zip(table.to_pylist(), positions, strict=True):
            if is_done[position] or documents.runs[position] != run_number(uri):  # done, or superseded
                continue
            is_done[position] = True
            name = document["document_id"]
            state = begun.pop(name)[1] if name in begun else begin()
            reason = document["error_kind"], document["error"]
            yield WholeDocument(name, document["uri"], state, int(left[position]), *reason)


def read_newest_pages(storage: Storage, output: str, columns: Sequence[str], seen: PageBitmap) -> Iterator[Row]:
    """The newest row of each expected page, some at a time; `seen` is marked."""
    for written in read_written(storage, output):
        uri = page_uri(output, written.name)
        for table in read_row_groups(storage, uri, columns):
            rows = table.to_pylist()
            indices = np.array([row["page_index"] for row in rows], dtype=np.int32)
            fresh = seen.mark(Identities.of([row["document_id"] for row in rows]), indices, run_number(uri))
            yield from (row for row, is_fresh in zip(rows, fresh.tolist(), strict=True) if is_fresh)

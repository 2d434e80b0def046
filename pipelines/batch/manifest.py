"""The manifest: which pages an output expects (`documents/`) and which it has (`pages/`). The output is its own record.

Files are named by the time of the run that wrote them. When two hold a row of the same document or page (it was read
again, or a worker that was believed dead came back), the newest counts, and `keep_newest` drops the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.document_index import COLUMNS, DocumentIndex
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.schema import PageKey, Row, page_key
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_tables, table_files, write_table

OWN_NAMES = re.compile(
    r"run\.json|report\.html|answers/answers\.parquet|(documents|pages)/part-\d{8}T\d{6}-[0-9a-f]{6}-[^/]+\.parquet"
)
"""Paths of the files that a run writes, relative to its output."""


def is_own_file(uri: str, output: str) -> bool:
    """Whether a run wrote this file under its output: it is never an input, and `--overwrite` may remove it."""
    folder = join_uri(output, "")
    return uri.startswith(folder) and OWN_NAMES.fullmatch(uri.removeprefix(folder)) is not None


def read_document_index(storage: Storage, output: str) -> DocumentIndex:
    """The documents of an output; the newest row of each document counts."""
    files = table_files(storage, output, "documents")
    return DocumentIndex.of(table for _, table in read_tables(storage, files, COLUMNS))


def read_pages_done(storage: Storage, output: str, documents: DocumentIndex) -> PageBitmap:
    """The pages that `documents` expect; those that the output has are marked, failed ones included."""
    done = PageBitmap(documents)
    for _, table in read_tables(storage, table_files(storage, output, "pages"), ("document_id", "page_index")):
        done.mark(table["document_id"].to_pylist(), table["page_index"].to_pylist())
    return done


def read_failed_pages(storage: Storage, output: str) -> frozenset[PageKey]:
    """The pages whose newest row is a failed one."""
    failed: set[PageKey] = set()
    columns = ("document_id", "page_index", "status")
    for _, table in read_tables(storage, table_files(storage, output, "pages"), columns):
        for row in table.to_pylist():
            (failed.add if row["status"] == "failed" else failed.discard)(page_key(row))
    return frozenset(failed)


def pages_to_do(storage: Storage, output: str, done: PageBitmap) -> Iterator[Row]:
    """The expected pages that are not marked as done: rows of `PAGE_TO_DO`, read lazily."""
    columns = ("document_id", "uri", "media_type", "page_count")
    for _, documents in read_tables(storage, table_files(storage, output, "documents"), columns):
        for position, page_indices in done.unmarked_of(documents["document_id"].to_pylist()):
            (document,) = documents.slice(position, 1).to_pylist()
            yield from ({**document, "page_index": page_index} for page_index in page_indices)


def forget_documents(storage: Storage, output: str, document_ids: AbstractSet[str], tables: Sequence[str]) -> None:
    """Remove the rows of documents from some of the output's tables."""
    if not document_ids:
        return
    ids = pa.array(sorted(document_ids))
    for name in tables:
        for uri, columns in read_tables(storage, table_files(storage, output, name), ("document_id",)):
            _keep_rows(storage, uri, pc.invert(pc.is_in(columns["document_id"], value_set=ids)))


def keep_newest(storage: Storage, output: str, name: str) -> int:
    """Drop the rows of `documents` or `pages` that have a newer row; returns their number.

    Rows of pages that no document expects are dropped too: a worker wrote them before the document changed.
    """
    documents = read_document_index(storage, output)
    columns = ["document_id", "page_index"]
    if name == "documents":  # one row a document, like a document of one page
        documents, columns = replace(documents, pages=np.ones(len(documents), dtype=np.int64)), columns[:1]
    seen, dropped = PageBitmap(documents), 0
    for uri, table in read_tables(storage, reversed(table_files(storage, output, name)), columns):
        identities = table["document_id"].to_pylist()[::-1]
        indices = table["page_index"].to_pylist()[::-1] if name == "pages" else [0] * len(identities)
        kept = seen.mark(identities, indices)[::-1]
        dropped += int(np.count_nonzero(~kept))
        _keep_rows(storage, uri, pa.array(kept))
    return dropped


def _keep_rows(storage: Storage, uri: str, kept: pa.Array | pa.ChunkedArray) -> None:
    """Rewrite a file with some of its rows; a file of which no row is left is removed."""
    count = pc.sum(kept).as_py() or 0
    if not count:
        storage.delete(uri)
    elif count < len(kept):
        ((_, table),) = read_tables(storage, [uri])
        write_table(storage, uri, table.filter(kept))

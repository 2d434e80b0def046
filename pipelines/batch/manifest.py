"""The ledger: what a run promised (`documents/`) and what it has written (`pages/`). The output is its own record.

Files are named by the time of the run that wrote them. Where two hold a row of the same document or page (it was done
again, or a worker that was thought dead came back), the newest counts, and `keep_newest` drops the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch import document_index as document_index
from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.schema import PageKey, Row, page_key
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_tables, table_files, write_table

OWN_NAMES = re.compile(
    r"run\.json|report\.html|answers/answers\.parquet|(documents|pages)/part-\d{8}T\d{6}-[0-9a-f]{6}-[^/]+\.parquet"
)
"""What a run writes under its output."""


def is_own_file(uri: str, output: str) -> bool:
    """Whether a run wrote this file under its output: never an input, and the only ones that `--overwrite` removes."""
    folder = join_uri(output, "")
    return uri.startswith(folder) and OWN_NAMES.fullmatch(uri.removeprefix(folder)) is not None


def read_document_index(storage: Storage, output: str) -> DocumentIndex:
    """What the output has promised: of each document the newest row counts."""
    files = table_files(storage, output, "documents")
    return DocumentIndex.of(table for _, table in read_tables(storage, files, document_index.COLUMNS))


def read_pages_done(storage: Storage, output: str, documents: DocumentIndex) -> PageBitmap:
    """Of the pages that `documents` promise, those that the output holds are marked, failed ones included."""
    done = PageBitmap(documents)
    for _, table in read_tables(storage, table_files(storage, output, "pages"), ("document_id", "page_index")):
        done.mark(table["document_id"].to_pylist(), table["page_index"].to_pylist())
    return done


def read_failed_pages(storage: Storage, output: str) -> frozenset[PageKey]:
    """The pages whose newest row says that they failed."""
    failed: set[PageKey] = set()
    columns = ("document_id", "page_index", "status")
    for _, table in read_tables(storage, table_files(storage, output, "pages"), columns):
        for row in table.to_pylist():
            (failed.add if row["status"] == "failed" else failed.discard)(page_key(row))
    return frozenset(failed)


def pages_to_do(storage: Storage, output: str, done: PageBitmap) -> Iterator[Row]:
    """The promised pages that are not marked as done: rows of `PAGE_TO_DO`, read as they are asked for."""
    columns = ("document_id", "uri", "media_type", "page_count")
    for _, documents in read_tables(storage, table_files(storage, output, "documents"), columns):
        for position, page_indices in done.unmarked_of(documents["document_id"].to_pylist()):
            (document,) = documents.slice(position, 1).to_pylist()
            yield from ({**document, "page_index": page_index} for page_index in page_indices)


def forget_documents(storage: Storage, output: str, document_ids: set[str], tables: Sequence[str]) -> None:
    """Take the rows of documents out of some of the output's tables."""
    if not document_ids:
        return
    ids = pa.array(sorted(document_ids))
    for name in tables:
        for uri, columns in read_tables(storage, table_files(storage, output, name), ("document_id",)):
            _keep_rows(storage, uri, pc.invert(pc.is_in(columns["document_id"], value_set=ids)))


def keep_newest(storage: Storage, output: str, name: str) -> int:
    """Drop the rows of `documents` or `pages` of which there is a newer one; returns how many these were.

    A page that no document promises goes, too: a worker wrote it before the document changed.
    """
    documents = read_document_index(storage, output)
    columns = ["document_id", "page_index"]
    if name == "documents":  # each is one row, as a page is
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
    """Rewrite a file with some of its rows; one of which none is left is removed."""
    count = pc.sum(kept).as_py() or 0
    if not count:
        storage.delete(uri)
    elif count < len(kept):
        ((_, table),) = read_tables(storage, [uri])
        write_table(storage, uri, table.filter(kept))

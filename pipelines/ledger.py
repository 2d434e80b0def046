"""The ledger: what a run promised (`documents/`) and what it has written (`pages/`). The output is its own record."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.page import DOCUMENTS, PAGE_TO_DO
from pipelines.storage import Storage, join_uri

PageKey = tuple[str, int]
"""(document_id, page_index)"""

OWN_NAMES = re.compile(
    r"run\.json|report\.html|answers/answers\.parquet|(documents|pages)/part-\d{8}T\d{6}-[0-9a-f]{6}-[^/]+\.parquet"
)
"""What a run writes under its output."""

READERS = 16
"""Files that are read at a time."""


def is_own_file(uri: str, output: str) -> bool:
    """Whether a run wrote this file under its output: never an input, and the only ones that `--overwrite` removes."""
    folder = join_uri(output, "")
    return uri.startswith(folder) and OWN_NAMES.fullmatch(uri.removeprefix(folder)) is not None


def table_files(storage: Storage, output: str, table: str) -> list[str]:
    """The Parquet files of one of the output's tables (documents, pages, answers), in the order of their names."""
    listed = storage.list_existing(join_uri(output, table))
    return sorted(stored.uri for stored in listed if stored.uri.endswith(".parquet"))


def read_tables(
    storage: Storage, uris: Iterable[str], columns: Sequence[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Parquet files with their URIs, several read at a time, given in order."""

    def read(uri: str) -> tuple[str, pa.Table]:
        with storage.open(uri) as file:
            return uri, pq.read_table(file, columns=list(columns) if columns is not None else None)

    with ThreadPoolExecutor(READERS) as pool:
        reading: deque[Future[tuple[str, pa.Table]]] = deque()
        for uri in uris:
            reading.append(pool.submit(read, uri))
            if len(reading) == READERS:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


def write_table(storage: Storage, uri: str, table: pa.Table) -> None:
    """Write a Parquet file at once: a reader sees all of it or nothing."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    storage.write(uri, buffer.getvalue())


def read_documents(storage: Storage, output: str) -> pa.Table:
    """The documents that the output has promised."""
    tables = [table for _, table in read_tables(storage, table_files(storage, output, "documents"))]
    return pa.concat_tables(tables) if tables else DOCUMENTS.empty_table()


def read_pages_done(storage: Storage, output: str) -> set[PageKey]:
    """The pages that the output holds, failed ones included."""
    done: set[PageKey] = set()
    for _, table in read_tables(storage, table_files(storage, output, "pages"), ("document_id", "page_index")):
        done.update(zip(table["document_id"].to_pylist(), table["page_index"].to_pylist(), strict=True))
    return done


def page_key(row: Mapping[str, Any]) -> PageKey:
    """What tells a page's row from all others."""
    return row["document_id"], row["page_index"]


def pages_promised(documents: pa.Table) -> Iterator[dict[str, Any]]:
    """A `PAGE_TO_DO` row for each page that the documents promise, document by document."""
    columns = ("document_id", "uri", "media_type", "page_count", "pages_selected")
    for batch in documents.select(columns).to_batches():
        for document in batch.to_pylist():
            selected = document.pop("pages_selected")
            for page_index in range(selected):
                yield {**document, "page_index": page_index}


def pages_to_do(documents: pa.Table, done: set[PageKey], pages_per_block: int) -> Iterator[pa.Table]:
    """The pages promised and not done, in blocks of `PAGE_TO_DO` rows."""
    block: list[dict[str, Any]] = []
    for page in pages_promised(documents):
        if page_key(page) not in done:
            block.append(page)
            if len(block) == pages_per_block:
                yield _page_table(block)
                block = []
    if block:
        yield _page_table(block)


def _page_table(pages: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(pages), schema=PAGE_TO_DO)


def forget_documents(storage: Storage, output: str, document_ids: set[str]) -> None:
    """Take the rows of documents out of all tables, so that they can be done anew."""
    ids = pa.array(sorted(document_ids))
    for name in ("pages", "documents"):
        _forget(storage, output, name, "document_id", lambda column: pc.is_in(column, value_set=ids))


def forget_failed(storage: Storage, output: str) -> tuple[int, int]:
    """Take the rows of failed pages and documents out, so that they are done anew; returns how many of each.

    A run that ends before they are all done leaves them missing, which the next one mends.
    """
    pages, documents = (
        _forget(storage, output, name, "status", lambda column: pc.equal(column, "failed"))
        for name in ("pages", "documents")
    )
    return pages, documents


def _forget(
    storage: Storage, output: str, name: str, column: str, which: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> int:
    """Rewrite the files of a table without the rows that `which` picks by a column; returns how many these were."""
    count = 0
    for uri, values in read_tables(storage, table_files(storage, output, name), (column,)):
        picked = which(values[column])
        in_file = pc.sum(picked).as_py() or 0
        count += in_file
        if in_file == values.num_rows:
            storage.delete(uri)
        elif in_file:
            ((_, table),) = read_tables(storage, [uri])
            write_table(storage, uri, table.filter(pc.invert(picked)))
    return count

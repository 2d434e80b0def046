"""Parquet tables in folders and buckets: found, read several at a time, and written at once."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.storage.files import Storage, join_uri

READERS = 16
"""Files that are read at a time."""


def table_files(storage: Storage, output: str, table: str) -> list[str]:
    """The Parquet files of one of the output's tables (documents, pages, answers), in the order of their names."""
    listed = storage.list_existing(join_uri(output, table))
    return sorted(stored.uri for stored in listed if stored.uri.endswith(".parquet"))


def read_tables(
    storage: Storage, uris: Iterable[str], columns: Sequence[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Parquet files with their URIs, several read at a time, given in order; columns that a file lacks are null."""

    def read(uri: str) -> tuple[str, pa.Table]:
        with storage.open(uri) as file:
            if columns is None:
                return uri, pq.read_table(file)
            known = pq.ParquetFile(file)
            table = known.read([name for name in columns if name in known.schema_arrow.names])
            for name in columns:
                if name not in table.column_names:  # written by an earlier version
                    table = table.append_column(name, pa.nulls(len(table)))
            return uri, table

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

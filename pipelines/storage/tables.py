"""Parquet tables in folders and buckets: found, read several at a time, and written at once."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, join_uri

READERS = 16
"""Files that are read at a time."""


def table_files(storage: Storage, output: str, table: str) -> list[str]:
    """The Parquet files of one of the output's tables (documents, pages, answers), in the order of their names."""
    listed = storage.list_existing(join_uri(output, table))
    return sorted(stored.uri for stored in listed if stored.uri.endswith(".parquet"))


def read_tables(
    storage: Storage,
    uris: Iterable[str],
    columns: Sequence[str] | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Parquet files with their URIs, several read at a time, given in order; columns that a file lacks are null.

    Args:
        damaged: called with each file that cannot be read, which is left out then.

    Raises:
        ProcessingError: a file is damaged, and there is no `damaged`; or a file cannot be accessed.
    """

    def read(uri: str) -> tuple[str, pa.Table | None]:
        try:
            with storage.open(uri) as file:
                return uri, _read_table(file, columns)
        except (pa.ArrowException, OSError) as error:
            if damaged is None:
                raise damaged_file(uri, error) from error
            return uri, None

    with ThreadPoolExecutor(READERS) as pool:
        reading: deque[Future[tuple[str, pa.Table | None]]] = deque()

        def finished() -> Iterator[tuple[str, pa.Table]]:
            uri, table = reading.popleft().result()
            if table is not None:
                yield uri, table
            elif damaged is not None:
                damaged(uri)

        for uri in uris:
            reading.append(pool.submit(read, uri))
            if len(reading) == READERS:
                yield from finished()
        while reading:
            yield from finished()


def read_row_groups(storage: Storage, uri: str) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, one at a time.

    Raises:
        ProcessingError: the file is damaged, or cannot be accessed.
    """
    try:
        with storage.open(uri) as opened:
            file = pq.ParquetFile(opened)
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
    except (pa.ArrowException, OSError) as error:
        raise damaged_file(uri, error) from error


def damaged_file(uri: str, error: Exception) -> ProcessingError:
    """The error of a file that is not a whole Parquet file."""
    return ProcessingError("unreadable", f"{uri} is damaged, not a whole Parquet file: {error}")


def _read_table(file: pa.NativeFile, columns: Sequence[str] | None) -> pa.Table:
    if columns is None:
        return pq.read_table(file)
    known = pq.ParquetFile(file)
    table = known.read([name for name in columns if name in known.schema_arrow.names])
    for name in columns:
        if name not in table.column_names:  # written by an earlier version
            table = table.append_column(name, pa.nulls(len(table)))
    return table


def write_table(storage: Storage, uri: str, table: pa.Table) -> int:
    """Write a Parquet file at once: a reader sees all of it or nothing. Returns its size in bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    storage.write(uri, buffer.getvalue())
    return len(buffer.getbuffer())

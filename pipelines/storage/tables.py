"""Parquet tables in folders and buckets: found, read several at a time, and written at once."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.storage.files import Storage, join_uri

Result = TypeVar("Result")

READERS = 16
"""Files that are read at a time."""


class DamagedFileError(ProcessingError):
    """A file that is not a whole Parquet file, though the machine and the storage are sound.

    Attributes:
        uri: of the file.
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__("unreadable", f"{uri} is damaged, not a whole Parquet file: {reason}")
        self.uri, self.reason = uri, reason

    def __reduce__(self) -> tuple[type[DamagedFileError], tuple[str, str]]:
        return DamagedFileError, (self.uri, self.reason)


def table_files(storage: Storage, output: str, table: str) -> list[str]:
    """The Parquet files of one of the output's tables (documents, pages, answers), in the order of their names."""
    listed = storage.list_existing(join_uri(output, table))
    return sorted(stored.uri for stored in listed if stored.uri.endswith(".parquet"))


def read_tables(
    storage: Storage,
    uris: Iterable[str],
    columns: Sequence[str] | None = None,
    damaged: Callable[[str], None] | None = None,
    readers: int = READERS,
) -> Iterator[tuple[str, pa.Table]]:
    """Parquet files with their URIs, several read at a time, given in order; columns that a file lacks are null.

    Args:
        damaged: called with each file that is damaged, which is left out then.
        readers: files that are read, and held, at a time.

    Raises:
        DamagedFileError: a file is damaged, and there is no `damaged`.
        ProcessingError: a file cannot be accessed.
    """

    def read(uri: str) -> tuple[str, pa.Table | None]:
        try:
            with _opened(storage, uri) as file:
                return uri, _read_table(file, columns)
        except DamagedFileError:
            if damaged is None:
                raise
            return uri, None

    for uri, table in read_ahead(read, uris, readers):
        if table is not None:
            yield uri, table
        elif damaged is not None:
            damaged(uri)


def read_ahead(read: Callable[[str], Result], uris: Iterable[str], readers: int = READERS) -> Iterator[Result]:
    """What `read` returns for each URI, in order; so many are read at a time."""
    with ThreadPoolExecutor(readers) as pool:
        reading: deque[Future[Result]] = deque()
        for uri in uris:
            reading.append(pool.submit(read, uri))
            if len(reading) == readers:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


def read_row_groups(storage: Storage, uri: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, one at a time.

    Args:
        columns: those that are read, None for all; one that the file lacks is null.

    Raises:
        DamagedFileError: the file is damaged.
        ProcessingError: it cannot be accessed.
    """
    with _opened(storage, uri) as opened:
        file = pq.ParquetFile(opened)
        for number in range(file.num_row_groups):
            yield _read_columns(file, columns, number)


def read_row_group(storage: Storage, uri: str, number: int, columns: Sequence[str] | None = None) -> pa.Table:
    """One row group of a Parquet file. Arguments and errors as in `read_row_groups`."""
    with _opened(storage, uri) as opened:
        return _read_columns(pq.ParquetFile(opened), columns, number)


def read_metadata(storage: Storage, uri: str) -> pq.FileMetaData:
    """What the end of a Parquet file says. Raises as `read_row_groups` does."""
    with _opened(storage, uri) as file:
        return pq.read_metadata(file)


@contextmanager
def _opened(storage: Storage, uri: str) -> Iterator[pa.NativeFile]:
    """A file whose content is read in the block; errors in that are those of a damaged file, or of the machine."""
    with storage.open(uri) as file:
        try:
            yield file
        except pa.ArrowMemoryError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise_infrastructure_error(error)
            raise DamagedFileError(uri, str(error)) from error


def _read_table(file: pa.NativeFile, columns: Sequence[str] | None) -> pa.Table:
    if columns is None:
        return pq.read_table(file)
    return _read_columns(pq.ParquetFile(file), columns)


def _read_columns(file: pq.ParquetFile, columns: Sequence[str] | None, row_group: int | None = None) -> pa.Table:
    """Columns of a file, or of one of its row groups."""
    wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
    table = file.read(wanted) if row_group is None else file.read_row_group(row_group, wanted)
    for name in columns or ():
        if name not in table.column_names:  # written by an earlier version
            table = table.append_column(name, pa.nulls(len(table)))
    return table


def write_table(storage: Storage, uri: str, table: pa.Table, row_group_rows: int | None = None) -> int:
    """Write a Parquet file at once: a reader sees all of it or nothing. Returns its size in bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=row_group_rows)
    storage.write(uri, buffer.getvalue())
    return len(buffer.getbuffer())

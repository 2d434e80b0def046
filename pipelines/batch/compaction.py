"""Compaction: blocks of pages become one file with a manifest, while the run goes on with other pages.

The file is written first, then its manifest, which names the blocks; from then on these do not count, and are removed.
Whatever dies in between, each page counts once. Rows that are outdated are left out in the same way.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as futures_wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.batch.manifest import Manifest, WrittenPages, write_manifest
from pipelines.batch.output_files import is_compacted, run_id_of, run_number
from pipelines.batch.ownership import OutputClaimedError, check_ownership
from pipelines.batch.written_pages import PAGE_COLUMNS, page_uri
from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_row_groups, read_tables

logger = logging.getLogger(__name__)

COMPACTED_BYTES = 256_000_000
"""Of blocks that become one file. A last file of a run is smaller."""

WORKERS = 4
"""Files that are compacted at a time, on a cluster."""

ROW_GROUP_PAGES, ROW_GROUP_PAGES_WITH_PICTURES = 1_000, 250
"""Pages that a reader of the file gets at once: some megabytes."""


@dataclass(frozen=True)
class Source:
    """A file whose rows become part of another one.

    Attributes:
        name: of a file of `pages/`.
        kept: bool [rows], rows that are taken over; None takes all.
    """

    name: str
    kept: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Compaction:
    """One file to be written.

    Attributes:
        name: of the file.
        sources: files of the same run, which it takes the place of.
        owner: id of the run that owns the output.
        schema: of the file. Columns that a source lacks, because an earlier version wrote it, are null.
        options: that determine the rows, for the manifest.
    """

    name: str
    sources: tuple[Source, ...]
    owner: str
    schema: pa.Schema
    options: dict[str, Any]


def compact(storage: Storage, output: str, compaction: Compaction) -> None:
    """Write one file from several, with its manifest, and remove those. To be called again where it was killed.

    Where a source is gone, because another run has compacted it, nothing is done.

    Raises:
        OutputClaimedError: another run owns the output by now; the sources are as they were.
        DamagedFileError: a source is damaged.
        ProcessingError: the output cannot be accessed.
    """
    sources = compaction.sources
    if all(source.kept is not None and not source.kept.any() for source in sources):
        check_ownership(storage, output, compaction.owner)
    elif not storage.exists(join_uri(output, "manifests", compaction.name)):
        try:
            pages = _write_kept(storage, output, compaction)
        except ProcessingError as error:
            if error.kind != "not_found":
                raise
            logger.warning("%s; what it held is in another file by now", error.message)
            return
        try:
            check_ownership(storage, output, compaction.owner)
        except OutputClaimedError:
            storage.delete(page_uri(output, compaction.name))
            raise
        replaced = tuple(source.name for source in sources)
        write_manifest(storage, output, Manifest(pages, replaced, compaction.options))
    # Manifests last: one without its file is found and removed by any later run.
    storage.delete_all([page_uri(output, source.name) for source in sources])
    compacted = [source.name for source in sources if is_compacted(source.name)]
    storage.delete_all([join_uri(output, "manifests", name) for name in compacted])


def _write_kept(storage: Storage, output: str, compaction: Compaction) -> WrittenPages:
    counted = list[pa.Table]()
    with storage.written_file(page_uri(output, compaction.name)) as path:
        with pq.ParquetWriter(path, compaction.schema, compression="zstd") as writer:
            has_pictures = "picture" in compaction.schema.names
            pages = ROW_GROUP_PAGES_WITH_PICTURES if has_pictures else ROW_GROUP_PAGES
            for table in _row_groups(_kept_rows(storage, output, compaction), pages):
                writer.write_table(table, row_group_size=len(table))
                counted.append(table.select(PAGE_COLUMNS))
        size_bytes = path.stat().st_size
    return WrittenPages.of(pa.concat_tables(counted), compaction.name, size_bytes)


def _kept_rows(storage: Storage, output: str, compaction: Compaction) -> Iterator[pa.Table]:
    blocks = [source for source in compaction.sources if not is_compacted(source.name)]
    tables = read_tables(storage, [page_uri(output, block.name) for block in blocks])
    for block, (_, table) in zip(blocks, tables, strict=True):
        kept = table if block.kept is None else table.filter(pa.array(block.kept))
        yield _with_schema(kept, compaction.schema, block.name)
    for source in compaction.sources:
        if is_compacted(source.name):
            start = 0
            for table in read_row_groups(storage, page_uri(output, source.name)):
                mask = None if source.kept is None else pa.array(source.kept[start : start + len(table)])
                start += len(table)
                yield _with_schema(table if mask is None else table.filter(mask), compaction.schema, source.name)


def _with_schema(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    unknown = set(table.column_names) - set(schema.names)
    if unknown:
        raise ProcessingError(
            "unsupported", f"{name} has columns of a later version ({', '.join(sorted(unknown))}): use that version"
        )
    known = set(table.column_names)
    columns = [
        table[field.name].cast(field.type) if field.name in known else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _row_groups(tables: Iterator[pa.Table], pages: int) -> Iterator[pa.Table]:
    """The rows of all tables in tables of about so many pages."""
    waiting: list[pa.Table] = []
    for table in tables:
        for start in range(0, len(table), pages):
            waiting.append(table.slice(start, pages))
            if sum(map(len, waiting)) >= pages:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@dataclass
class _Waiting:
    """Blocks of a run that wait, by what their compaction needs of them: what they hold would fill the memory."""

    names: list[str] = field(default_factory=list)
    size_bytes: int = 0


class Compactor:
    """Collects the blocks of an output, and compacts them when there are enough, in the background.

    A run has one, whose files have different names. Use it as a context, at whose end no compaction is at work, and
    `finish` it, so that all blocks are compacted.
    """

    def __init__(
        self,
        owner: str,
        schema: pa.Schema,
        options: dict[str, Any],
        run: Callable[[Compaction], None],
        compacted_bytes: int | None = None,
    ) -> None:
        """
        Args:
            owner: id of the run that owns the output.
            schema, options: see `Compaction`.
            run: compacts, here or on another machine.
            compacted_bytes: of the blocks that become one file; None is `COMPACTED_BYTES`.
        """
        self._owner, self._schema, self._options = owner, schema, options
        self._run, self._compacted_bytes = run, compacted_bytes or COMPACTED_BYTES
        self._is_held = False
        self._blocks: defaultdict[str, _Waiting] = defaultdict(_Waiting)
        self._files = 0
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="compaction")
        self._running: list[Future[None]] = []

    def __enter__(self) -> Compactor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def finish(self) -> None:
        """Compact the blocks that wait, and wait for all compactions.

        Raises:
            OutputClaimedError, ProcessingError: as `compact` does.
        """
        for run_id in list(self._blocks):
            self._flush(run_id)
        running, self._running = self._running, []
        for future in running:
            future.result()

    def add(self, block: WrittenPages) -> None:
        """A block that has been written, by this run or an earlier one."""
        run_id = run_id_of(block.name)
        self._check()
        waiting = self._blocks[run_id]
        waiting.names.append(block.name)
        waiting.size_bytes += block.size_bytes
        if waiting.size_bytes >= self._compacted_bytes and not self._is_held:
            self._flush(run_id)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A time in which no file goes away: all compactions are finished, and blocks that are added wait."""
        self.finish()
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def abandon(self) -> None:
        """Wait for the compactions at work, whatever becomes of them, and forget the blocks that wait."""
        self._blocks.clear()
        running, self._running = self._running, []
        futures_wait(running)

    def rewrite(self, written: WrittenPages, kept: npt.NDArray[np.bool_]) -> None:
        """Drop rows of a file; `kept`: bool [rows]."""
        self._submit(run_id_of(written.name), (Source(written.name, kept),))

    def _flush(self, run_id: str) -> None:
        """Compact the blocks of a run that wait."""
        waiting = self._blocks.pop(run_id, None)
        if waiting is not None:
            self._submit(run_id, tuple(map(Source, waiting.names)))

    def _submit(self, run_id: str, sources: tuple[Source, ...]) -> None:
        name = f"part-{run_id}-c{run_number(self._owner):08d}-{self._files:05d}.parquet"
        self._files += 1
        compaction = Compaction(name, sources, self._owner, self._schema, self._options)
        self._running.append(self._pool.submit(self._run, compaction))

    def _check(self) -> None:
        """Raise what a compaction that has ended raised."""
        ended = [future for future in self._running if future.done()]
        self._running = [future for future in self._running if not future.done()]
        for future in ended:
            future.result()

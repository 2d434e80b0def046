"""The same pipeline in this process, for a few pages: starting Ray would take longer than reading them.

    pages to do -> [ fetch -> ( rasterize -> ocr ) -> tokenize ] -> infer -> merge -> rows
                     a thread and a sandbox for each reader         this thread

Square brackets run in threads, round ones in a sandbox. The model is loaded while the first pages are read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from queue import SimpleQueue

import pyarrow as pa

from pipelines.extract import make_infer, make_page_reader, make_tokenize, merge_step
from pipelines.options import ExtractOptions
from pipelines.runtime.machine import available_cores
from pipelines.schema import INFERRED, TOKENIZED, Row, page_schema, with_picture
from pipelines.stages.base import StageRunner, rows_to_table, with_retries
from pipelines.stages.fetch import Fetch
from pipelines.stages.keep_picture import KeepPicture

RETRY_PAUSES_SECONDS = (2.0,)
"""A block that the machine or the storage is at fault for is read again once."""


class BlockReader:
    """The stages before the model, with a sandbox of their own; one block at a time."""

    def __init__(self, options: ExtractOptions, should_continue: Callable[[], bool]) -> None:
        """`should_continue`: once it returns False, the page that is being read fails and the rest are left out."""
        self._fetch = Fetch(options.access.s3)
        self._sandbox, self._tokenize = make_page_reader(options), make_tokenize(options)
        self._keep_pictures = options.keep_pictures
        self._should_continue = should_continue

    def __call__(self, block: pa.Table) -> pa.Table:
        # Without this, each page that is left would start a sandbox only to end it.
        rows = takewhile(lambda _: self._should_continue(), block.to_pylist())
        read: Iterable[Row] = self._sandbox(self._fetch(rows), self._should_continue)
        if self._keep_pictures:
            read = KeepPicture()(read)
        return rows_to_table(self._tokenize(read), with_picture(TOKENIZED, self._keep_pictures))

    def close(self) -> None:
        """End the sandbox's process."""
        self._sandbox.close()


def extract_blocks(
    blocks: Sequence[pa.Table], options: ExtractOptions, readers: int | None = None
) -> Iterator[pa.Table]:
    """From blocks of pages to blocks of rows, in their order: the rows that `extract_pages` gives.

    All blocks are read ahead of the model where it is slower, with 150 kB a page; give no more than some hundred pages.

    Args:
        blocks: tables of `PAGE_TO_DO`, a page or more each.
        options: what is done.
        readers: sandboxes that read pages at the same time; None is one a core.

    Raises:
        InfrastructureError: the machine or the storage is at fault; the blocks before are given first.
        SandboxError: a sandbox cannot be started.
        CheckpointError: the model cannot be read.
    """
    if not blocks:
        return
    stopped = threading.Event()
    readers = min(readers or available_cores(), len(blocks))
    all_readers = [BlockReader(options, lambda: not stopped.is_set()) for _ in range(readers)]
    idle: SimpleQueue[BlockReader] = SimpleQueue()
    for reader in all_readers:
        idle.put(reader)

    def read(block: pa.Table) -> pa.Table:
        reader = idle.get()
        try:
            return with_retries(lambda: reader(block), RETRY_PAUSES_SECONDS)
        finally:
            idle.put(reader)

    pool = ThreadPoolExecutor(readers, thread_name_prefix="reads")
    try:
        reading = pool.map(read, blocks)
        inferred = with_picture(INFERRED, options.keep_pictures)
        infer = StageRunner((partial(make_infer, options, available_cores()),), inferred)
        merge = StageRunner((merge_step(options),), page_schema(options.task, options.keep_pictures))
        for tokenized in reading:
            yield merge(infer(tokenized))
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        for reader in all_readers:
            reader.close()

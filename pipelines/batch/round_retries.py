"""Pages that a fault left undone are done again within their round, by workers that are started anew.

A worker whose machine is at fault fails its blocks, after pauses, while the others go on. What is left is a round of
its own: its blocks go to other workers, or to the same machine after a while.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from pipelines.batch.manifest import WrittenPages
from pipelines.errors import InfrastructureError
from pipelines.schema import PageKey

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""Executions of a round; in the last one, the first block that fails ends the run."""

MIN_ERRORED_BLOCKS, MAX_ERRORED_SHARE = 4, 0.1
"""Blocks of an execution that may fail: more are not the fault of one machine among many."""

WriteBlocks = Callable[[list[pa.Table], int], Iterable[WrittenPages]]
"""Extracts and writes blocks of `PAGE_TO_DO`, of which a number may fail (`DataContext.max_errored_blocks`); gives what
each file that is written holds."""


def write_with_retries(
    blocks: Sequence[pa.Table], write: WriteBlocks, attempts: int = ATTEMPTS
) -> Iterator[WrittenPages]:
    """What blocks hold, as they are written; what a fault left undone is written again.

    Raises:
        InfrastructureError: a fault lasts; the blocks that were given are written.
    """
    left = list(blocks)
    for attempt in range(1, attempts + 1):
        may_fail = max(MIN_ERRORED_BLOCKS, int(len(left) * MAX_ERRORED_SHARE)) if attempt < attempts else 0
        written: set[PageKey] = set()
        try:
            for block in write(left, may_fail):
                written.update(zip(block.documents.names(), block.page_indices.tolist(), strict=True))
                yield block
        except InfrastructureError as error:
            if attempt == attempts:
                raise
            logger.warning("%s", error.message)
        left = blocks_left(left, written)
        if not left:
            return
        again = "are done again" if attempt < attempts else "are left to the next run"
        logger.warning("%d blocks of pages were not written and %s", len(left), again)


def blocks_left(blocks: Iterable[pa.Table], written: set[PageKey]) -> list[pa.Table]:
    """The blocks without the pages that are written; those of which nothing is left are left out."""
    left = []
    for block in blocks:
        keys = zip(block["document_id"].to_pylist(), block["page_index"].to_pylist(), strict=True)
        remaining = block.filter(pa.array([key not in written for key in keys], pa.bool_()))
        if remaining.num_rows:
            left.append(remaining)
    return left

"""Opening documents to count their pages: a few in the driver, many on Ray Data, with the same rows either way."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from functools import partial

import pyarrow as pa

from pipelines.batch.options import RunOptions
from pipelines.extract import count_steps
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.pools import cap_pools
from pipelines.schema import DOCUMENTS, LISTED, Row
from pipelines.stages.base import Stage, StageFactory, rows_to_table, with_retries
from pipelines.stages.sandbox import Sandbox

DOCUMENTS_PER_BLOCK = 16

MAX_DRIVER_DOCUMENTS, MAX_DRIVER_BYTES = 64, 256_000_000
"""The driver opens up to this many documents and bytes itself: an execution of Ray Data takes several seconds to start
its actors, in which one process opens hundreds of documents. Large documents are left to the cluster, which fetches
several at a time."""


RETRY_PAUSES_SECONDS = (2.0,)
"""A document that the machine or the storage is at fault for is opened again once in the driver."""


def open_documents(listed: Sequence[Row], options: RunOptions, cluster: Cluster) -> Generator[Row, None, None]:
    """Open documents, each in a sandbox, lazily.

    Args:
        listed: rows of `LISTED`.

    Returns:
        Rows of `DOCUMENTS` in the same order; a document that cannot be opened is a failed row.

    Raises:
        InfrastructureError: the machine or the storage is at fault.
    """
    steps = count_steps(options.listing, options.extract.limits, options.extract.access)
    is_small = len(listed) <= MAX_DRIVER_DOCUMENTS and sum(row["size_bytes"] for row in listed) <= MAX_DRIVER_BYTES
    return open_in_driver(listed, steps) if is_small else open_on_cluster(listed, steps, cluster)


def open_in_driver(listed: Iterable[Row], steps: Sequence[StageFactory]) -> Generator[Row, None, None]:
    """Run the stages in this process, one document at a time.

    Raises:
        InfrastructureError: the machine or the storage is at fault.
    """
    stages = [make() for make in steps]
    try:
        for row in listed:
            rows = with_retries(partial(_open, row, stages), RETRY_PAUSES_SECONDS)
            yield from rows_to_table(rows, DOCUMENTS).to_pylist()
    finally:
        for stage in stages:
            if isinstance(stage, Sandbox):
                stage.close()


def _open(row: Row, stages: Sequence[Stage]) -> list[Row]:
    rows: Iterable[Row] = [row]
    for stage in stages:
        rows = stage(rows)
    return list(rows)


def open_on_cluster(
    listed: Sequence[Row], steps: Sequence[StageFactory], cluster: Cluster
) -> Generator[Row, None, None]:
    """Run the stages in reading actors."""
    import ray.data

    from pipelines.stages.ray_data import map_stages  # loads Ray

    starts = range(0, len(listed), DOCUMENTS_PER_BLOCK)
    blocks = [pa.Table.from_pylist(listed[start : start + DOCUMENTS_PER_BLOCK], schema=LISTED) for start in starts]
    pools = cap_pools(cluster.pools, len(blocks))
    opened = map_stages(ray.data.from_blocks(blocks), tuple(steps), DOCUMENTS, pools, "read")
    opened.context.execution_options.preserve_order = True
    yield from opened.iter_rows()

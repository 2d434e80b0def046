"""Loading ahead: what a worker computes next is loaded in tasks of Ray Data while it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import ray.data

from pipelines.runtime.pools import TASK_CPUS

TASKS_AT_A_TIME = 2


def load_ahead(
    spans: Iterable[Iterable[pa.Table]], load: Callable[[pa.Table], pa.Table], tasks: int = TASKS_AT_A_TIME
) -> Iterator[list[ray.ObjectRef[pa.Table]]]:
    """For each span, its loaded blocks in order, in Ray's object store; the next span loads while one is used.

    Args:
        spans: the planned blocks of each span, one a task. They are made in a thread, shortly before they are needed.
        load: from a planned block to a loaded one.
        tasks: at a time.
    """
    # Each Dataset is executed to its end: one that waits for its consumer keeps a core of this process busy.
    loader = ThreadPoolExecutor(1, thread_name_prefix="dataloader")
    try:
        following = iter(spans)

        def begin() -> Future[list[ray.ObjectRef[pa.Table]]] | None:
            span = next(following, None)
            return None if span is None else loader.submit(_loaded, span, load, tasks)

        loading = begin()
        while loading is not None:
            blocks = loading.result()
            loading = begin()
            yield blocks
    finally:
        loader.shutdown(wait=False, cancel_futures=True)


def _loaded(
    span: Iterable[pa.Table], load: Callable[[pa.Table], pa.Table], tasks: int
) -> list[ray.ObjectRef[pa.Table]]:
    # from_arrow would start a task of one CPU for each block, and hang where the workers hold most of the CPUs.
    dataset = ray.data.from_blocks(list(span))
    context = dataset.context
    context.target_max_block_size = None
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    return dataset.map_batches(
        load,
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=TASK_CPUS,
        compute=ray.data.TaskPoolStrategy(size=tasks),
    ).to_arrow_refs()

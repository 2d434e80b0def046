"""Stages on Ray Data: how a stage becomes an operator.

A block of page rows goes in and one block comes out, so that each task emits one block. A task that emits several can
lose rows when its actor dies and the retry splits them differently; here a block is a task, a retry and a written file,
and its content depends on its input alone.

A block that fails because the machine or the storage is at fault is repeated in its worker. If the fault lasts, the
error ends the execution, unless the Dataset's context has a number of `max_errored_blocks` left: then the block is
dropped, and its pages remain to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import pyarrow as pa
import ray.data

from pipelines.runtime.pools import PAGES_PER_BLOCK, Pools
from pipelines.stages.base import StageFactory, StageRunner, with_retries

BlockFunction = Callable[[pa.Table], pa.Table]

RETRY_PAUSES_SECONDS = (2.0, 10.0)
"""A worker repeats a block after these pauses at most."""


class RetryingStageRunner(StageRunner):
    """A `StageRunner` that repeats a block while the machine or the storage is at fault."""

    def __init__(
        self, stage_factories: tuple[StageFactory, ...], schema: pa.Schema, finish: BlockFunction | None = None
    ) -> None:
        """`finish`: called with the block of the last stage's rows; its result is the operator's."""
        super().__init__(stage_factories, schema)
        self._finish = finish

    def __call__(self, block: pa.Table) -> pa.Table:
        rows = with_retries(lambda: super(RetryingStageRunner, self).__call__(block), RETRY_PAUSES_SECONDS)
        return rows if self._finish is None else _run_block(rows, self._finish)


def map_stages(
    rows: ray.data.Dataset,
    stage_factories: tuple[StageFactory, ...],
    schema: pa.Schema,
    pools: Pools,
    kind: Literal["read", "infer", "whole pages"],
    finish: BlockFunction | None = None,
) -> ray.data.Dataset:
    """Run stages in an actor pool, lazily: `read` actors on CPUs, `infer` actors on GPUs if there are any.

    Actors for `whole pages` run on CPUs and hold the model too.

    Sets `target_max_block_size` of the Dataset's own context to None, which keeps one block per task.

    Args:
        stage_factories: called once in each actor; their stages run in sequence.
        schema: columns of the last stage's rows.
        pools: how many actors, and the resources that each one requests.
        finish: called in the actor with each block of the last stage's rows, of which its result takes the place; must
            be picklable. If the machine or the storage is at fault, it is repeated by itself.
    """
    rows.context.target_max_block_size = None
    rows.context.raise_original_map_exception = True  # a fault keeps its type and its message
    if kind != "infer":
        return rows.map_batches(
            RetryingStageRunner,
            fn_constructor_args=(stage_factories, schema, finish),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=pools.read_cpus,
            memory=pools.read_bytes if kind == "read" else pools.page_bytes,
            label_selector=pools.read_labels,
            compute=pools.read_strategy(),
        )
    return rows.map_batches(
        RetryingStageRunner,
        fn_constructor_args=(stage_factories, schema, finish),
        batch_size=PAGES_PER_BLOCK if pools.infer_gpus else None,  # Ray Data requires a number with GPUs
        batch_format="pyarrow",
        num_cpus=pools.infer_cpus,
        num_gpus=pools.infer_gpus,
        memory=pools.infer_bytes,
        label_selector=pools.infer_labels,
        compute=pools.infer_strategy(),
    )


def map_stage(rows: ray.data.Dataset, make_stage: StageFactory, schema: pa.Schema, pools: Pools) -> ray.data.Dataset:
    """Run a stage in Ray tasks, lazily; for stages that are cheap to construct."""
    return map_blocks(rows, partial(_run_stage, stage_factory=make_stage, schema=schema), pools)


def map_blocks(rows: ray.data.Dataset, function: BlockFunction, pools: Pools) -> ray.data.Dataset:
    """Run a function over whole blocks in Ray tasks, lazily; `function` must be picklable.

    No more tasks run at a time than there are readers: each needs a process of its own, which costs Ray seconds to
    start, and the little that a task books would admit ten of them on each CPU.
    """
    rows.context.raise_original_map_exception = True
    return rows.map_batches(
        partial(_run_block, function=function),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.task_cpus,
        compute=ray.data.TaskPoolStrategy(size=pools.read_actors),
    )


def _run_block(block: pa.Table, function: BlockFunction) -> pa.Table:
    return with_retries(lambda: function(block), RETRY_PAUSES_SECONDS)


def _run_stage(block: pa.Table, stage_factory: StageFactory, schema: pa.Schema) -> pa.Table:
    return StageRunner((stage_factory,), schema)(block)

"""Stages on Ray Data: how a stage becomes an operator.

A block of page rows goes in and one block comes out, so that one task gives one block. A task that gives several can
lose rows when its actor dies and the retry cuts them elsewhere; here a block is a task, a retry and a written file, and
what it holds depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import pyarrow as pa
import ray.data

from pipelines.runtime.pools import PAGES_PER_BLOCK, Pools
from pipelines.schema import Row
from pipelines.stages.base import StageFactory, rows_to_table


class StageRunner:
    """Runs a stage, or several one after the other, inside one Ray actor or task.

    Between stages of one `StageRunner` rows pass one at a time, so that a page image lives only until it is read.
    """

    def __init__(self, stage_factories: tuple[StageFactory, ...], schema: pa.Schema) -> None:
        """`stage_factories` are called in the worker, once; `schema` is that of the last stage's rows."""
        self.stages = [make() for make in stage_factories]
        self.schema = schema

    def __call__(self, block: pa.Table) -> pa.Table:
        rows: Iterable[Row] = block.to_pylist()
        for stage in self.stages:
            rows = stage(rows)
        return rows_to_table(rows, self.schema)


def map_stages(
    rows: ray.data.Dataset,
    stage_factories: tuple[StageFactory, ...],
    schema: pa.Schema,
    pools: Pools,
    kind: Literal["read", "infer"],
) -> ray.data.Dataset:
    """Run stages in an actor pool, lazily: `read` actors on CPUs, `infer` actors on GPUs where there are any.

    `target_max_block_size` of the Dataset's own context is set to None, which keeps one block a task.

    Args:
        stage_factories: called once in each actor; their stages run one after the other.
        schema: columns of the last stage's rows.
        pools: how many actors, and what each of them books.
    """
    rows.context.target_max_block_size = None
    if kind == "read":
        return rows.map_batches(
            StageRunner,
            fn_constructor_args=(stage_factories, schema),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=pools.read_cpus,
            memory=pools.read_bytes,
            label_selector=pools.read_labels,
            compute=pools.read_strategy(),
        )
    return rows.map_batches(
        StageRunner,
        fn_constructor_args=(stage_factories, schema),
        batch_size=PAGES_PER_BLOCK if pools.infer_gpus else None,  # Ray Data wants a number where there are GPUs
        batch_format="pyarrow",
        num_cpus=pools.infer_cpus,
        num_gpus=pools.infer_gpus,
        memory=pools.infer_bytes,
        label_selector=pools.infer_labels,
        compute=pools.infer_strategy(),
    )


def map_stage(rows: ray.data.Dataset, make_stage: StageFactory, schema: pa.Schema, pools: Pools) -> ray.data.Dataset:
    """Run a stage that costs nothing to make in Ray tasks, lazily."""
    return map_blocks(rows, partial(_run_stage, stage_factory=make_stage, schema=schema), pools)


def map_blocks(rows: ray.data.Dataset, function: Callable[[pa.Table], pa.Table], pools: Pools) -> ray.data.Dataset:
    """Run a function over whole blocks in Ray tasks, lazily; `function` must be picklable.

    No more tasks run at a time than there are readers: each needs a process of its own, which costs Ray seconds to
    start, and the little that a task books would admit ten of them on each CPU.
    """
    return rows.map_batches(
        function,
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.task_cpus,
        compute=ray.data.TaskPoolStrategy(size=pools.read_actors),
    )


def _run_stage(block: pa.Table, stage_factory: StageFactory, schema: pa.Schema) -> pa.Table:
    return StageRunner((stage_factory,), schema)(block)

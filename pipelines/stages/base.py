"""Stages on Ray Data: a block of page rows in, a block out, so that one task gives one block.

A task that gives several blocks can lose rows when its actor dies and the retry cuts them elsewhere; here a block
is a task, a retry and a written file, and what it holds depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from pipelines.schema import Row

Stage = Callable[[Iterable[Row]], Iterator[Row]]
MakeStage = Callable[[], Stage]


class StageOnBlocks:
    """Runs a stage, or several one after the other, inside one Ray actor or task.

    Between stages of one `StageOnBlocks` rows pass one at a time, so that a page image lives only until it is read.
    """

    def __init__(self, make_stages: tuple[MakeStage, ...], schema: pa.Schema) -> None:
        """`make_stages` are called in the worker, once; `schema` is that of the last stage's rows."""
        self.stages = [make() for make in make_stages]
        self.schema = schema

    def __call__(self, block: pa.Table) -> pa.Table:
        rows: Iterable[Row] = block.to_pylist()
        for stage in self.stages:
            rows = stage(rows)
        return table_of(rows, self.schema)


def stage_on_block(block: pa.Table, make_stage: MakeStage, schema: pa.Schema) -> pa.Table:
    """The same in a Ray task, for a stage that costs nothing to make."""
    return StageOnBlocks((make_stage,), schema)(block)


def table_of(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table; columns that the schema does not name are left out, absent ones are null."""
    rows = list(rows)
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)

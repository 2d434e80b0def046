"""The stage interface (rows in, rows out, one for one), running stages over blocks, and rows as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from pipelines.schema import Row

Stage = Callable[[Iterable[Row]], Iterator[Row]]
StageFactory = Callable[[], Stage]


class StageRunner:
    """Runs one or more stages in sequence over blocks of rows, inside one worker.

    Rows pass between the stages one at a time, so that a page image lives only until it is read.
    """

    def __init__(self, stage_factories: tuple[StageFactory, ...], schema: pa.Schema) -> None:
        """`stage_factories` are called once, in the worker; `schema` describes the rows of the last stage."""
        self.stages = [make() for make in stage_factories]
        self.schema = schema

    def __call__(self, block: pa.Table) -> pa.Table:
        rows: Iterable[Row] = block.to_pylist()
        for stage in self.stages:
            rows = stage(rows)
        return rows_to_table(rows, self.schema)


def rows_to_table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Convert rows to an Arrow table; columns that the schema does not name are dropped, missing ones are null."""
    rows = list(rows)
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)

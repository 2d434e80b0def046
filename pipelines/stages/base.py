"""What a stage is: rows in, rows out, one for one; and rows as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from pipelines.schema import Row

Stage = Callable[[Iterable[Row]], Iterator[Row]]
StageFactory = Callable[[], Stage]


def rows_to_table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table; columns that the schema does not name are left out, absent ones are null."""
    rows = list(rows)
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)

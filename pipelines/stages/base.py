"""The stage interface (rows in, rows out, one for one), running stages over blocks, and rows as Arrow tables."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from pipelines.errors import describe_error, infrastructure_error, raise_infrastructure_error
from pipelines.schema import Row, mark_failed
from pipelines.storage.local import check_readable
from pipelines.storage.uris import is_s3

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
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


def with_retries(work: Callable[[], Result], pauses_seconds: Sequence[float]) -> Result:
    """The result of `work`, which is repeated while the machine or the storage is at fault.

    Args:
        pauses_seconds: before each repetition, at most; they also keep a machine that fails at once from taking the
            work of all others.

    Raises:
        InfrastructureError: the fault lasts.
    """
    for pause in pauses_seconds:
        try:
            return work()
        except Exception as error:
            fault = infrastructure_error(error)
            if fault is None:
                raise
            logger.warning("%s; trying again", fault.message)
        time.sleep(pause * random.uniform(0.5, 1))
    try:
        return work()
    except Exception as error:
        raise_infrastructure_error(error)
        raise


def mark_unread(row: Row, error: Exception) -> Row:
    """`row`, whose file at `path` a parser could not read, as a failed one.

    Raises:
        InfrastructureError: the disk or mount that the file is on fails, which parsers take for damaged content.
    """
    if describe_error(error)[0] in ("unreadable", "internal"):
        check_readable(Path(row["path"]), is_copy=is_s3(row["uri"]))
    return mark_failed(row, error)


def rows_to_table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Convert rows to an Arrow table; columns that the schema does not name are dropped, missing ones are null."""
    rows = list(rows)
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)

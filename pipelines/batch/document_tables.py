"""Tables that a run makes of whole documents at its end, in files of limited size.

They replace those of earlier runs when all are written.
"""

from __future__ import annotations

import pyarrow as pa

from pipelines.batch.output_files import list_written
from pipelines.batch.ownership import check_ownership
from pipelines.schema import Row
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table

ROWS_PER_FILE = 100_000

ROWS_AT_A_TIME = 1_000
"""Rows that are held as Python objects, which take ten times the memory of Arrow's columns."""


class DocumentTable:
    """Writes one table of an output; the rows of up to one file are in memory.

    Attributes:
        schema: of the table.
        rows: number of rows that were added.
        written: URIs of the files that are written.
    """

    def __init__(self, storage: Storage, output: str, name: str, schema: pa.Schema, run_id: str) -> None:
        """`name`: of the table, one of `output_files.TABLES`; `run_id`: of the run that owns the output."""
        self._storage, self._output, self._name, self.schema, self._run_id = storage, output, name, schema, run_id
        self._earlier = [stored.uri for stored in list_written(storage, output, name)]
        self.written: list[str] = []
        self._tables: list[pa.Table] = []
        self._rows: list[Row] = []
        self.rows = 0

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            OutputClaimedError: another run owns the output by now.
        """
        self._rows.append(row)
        self.rows += 1
        is_full = self.rows % ROWS_PER_FILE == 0
        if is_full or len(self._rows) == ROWS_AT_A_TIME:
            self._tables.append(pa.Table.from_pylist(self._rows, schema=self.schema))
            self._rows = []
        if is_full:
            self._write()

    def finish(self) -> None:
        """Write what is left, and remove the files of earlier runs. A table without rows is a file without rows.

        Raises:
            OutputClaimedError: another run owns the output by now; the files of earlier runs stay.
        """
        if self._rows or self._tables or not self.written:
            self._write()
        check_ownership(self._storage, self._output, self._run_id)
        self._storage.delete_all([uri for uri in self._earlier if uri not in self.written])

    def _write(self) -> None:
        check_ownership(self._storage, self._output, self._run_id)
        uri = join_uri(self._output, self._name, f"part-{self._run_id}-{len(self.written):05d}.parquet")
        last = pa.Table.from_pylist(self._rows, schema=self.schema)
        write_table(self._storage, uri, pa.concat_tables([*self._tables, last]).combine_chunks(), ROWS_AT_A_TIME * 10)
        self.written.append(uri)
        self._tables, self._rows = [], []

"""Rows of an output: read back from a run's tables, or made by hand and written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.schema import DOCUMENTS, Row, page_schema
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table


def rows_of(output: str | Path, table: str) -> list[Row]:
    """All rows of one of an output's tables, in the order of the files' names."""
    storage = Storage()
    rows: list[Row] = []
    for stored in storage.list_existing(join_uri(str(output), table)):
        with storage.open(stored.uri) as file:
            rows += pq.read_table(file).to_pylist()
    return rows


def without_clock(rows: list[Row]) -> list[Row]:
    """Rows as they must be equal between runs and places: by file name, without seconds."""
    left_out = ("seconds", "uri", "document_id", "etag")
    kept = [{**{k: v for k, v in row.items() if k not in left_out}, "name": Path(row["uri"]).name} for row in rows]
    return sorted(kept, key=lambda row: (row["name"], row.get("page_index", 0)))


def identity(name: str) -> str:
    """A `document_id` that is made of a name of up to 16 letters; they are in the order of the names."""
    return name.encode().hex().ljust(32, "0")


def name_of(document_id: str) -> str:
    """The inverse of `identity`."""
    return bytes.fromhex(document_id).rstrip(b"\0").decode()


def document_row(name: str, pages: int, selected: int | None = None, error_kind: str | None = None) -> Row:
    """A row of `documents`; with an `error_kind` a failed one."""
    failed = error_kind is not None
    return {
        "document_id": identity(name),
        "uri": f"/in/{name}.pdf",
        "size_bytes": 1,
        "etag": "e",
        "media_type": None if failed else "application/pdf",
        "page_count": None if failed else pages,
        "pages_selected": 0 if failed else (pages if selected is None else selected),
        "status": "failed" if failed else "ok",
        "error_kind": error_kind,
        "error": "a reason" if failed else None,
    }


def page_row(name: str, index: int, error_kind: str | None = None) -> Row:
    """A row of `pages`, without words; with an `error_kind` a failed one."""
    return {
        "document_id": identity(name),
        "uri": f"/in/{name}.pdf",
        "page_index": index,
        "page_count": 9,
        "text_source": None if error_kind else "layer",
        "status": "failed" if error_kind else "ok",
        "error_kind": error_kind,
        "error": "a reason" if error_kind else None,
        "seconds": {"rasterize": 0.5, "ocr": 0.0, "infer": 0.25},
    }


def write_rows(output: Path, table: str, run: int, rows: list[Row]) -> Path:
    """Write a file of one of the output's tables, as the run of that number does; returns its path."""
    schema = DOCUMENTS if table == "documents" else page_schema("token-classification")
    first = "00000" if table == "documents" else f"{rows[0]['document_id']}-{rows[0]['page_index']:06d}"
    path = output / table / f"part-{run:08d}-000000-{first}.parquet"
    write_table(Storage(), str(path), pa.Table.from_pylist(rows, schema=schema))
    return path

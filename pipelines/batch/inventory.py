"""S3 Inventory: the objects of a bucket from the files that S3 writes of them, which is sooner than listing them.

`manifest.json` names the data files and their columns. In CSV files keys are URL-encoded, and there is no header.
"""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.storage.files import Storage, StoredObject, is_s3, join_uri

FORMATS = ("CSV", "Parquet")

_COLUMNS = {
    "bucket": "bucket",
    "key": "key",
    "size": "size",
    "etag": "etag",
    "islatest": "is_latest",
    "isdeletemarker": "is_delete_marker",
}
"""The columns that are read, by their names in small letters and without underscores: CSV and Parquet differ."""

Manifest = Mapping[str, Any]


def is_inventory(uri: str, storage: Storage) -> Manifest | None:
    """The content of an inventory's manifest; None if the file is none, or does not exist."""
    try:
        manifest = json.loads(storage.read(uri))
    except ProcessingError as error:
        if error.kind in ("not_found", "unsupported"):
            return None
        raise
    except ValueError:
        return None
    is_one = isinstance(manifest, dict) and {"sourceBucket", "fileFormat", "files"} <= manifest.keys()
    return manifest if is_one else None


def list_inventory(uri: str, manifest: Manifest, storage: Storage) -> Iterator[StoredObject]:
    """The objects of an inventory, lazily; without older versions, delete markers and folders.

    Args:
        uri: of the manifest, in its bucket or copied with its data files.

    Raises:
        ProcessingError: `unsupported`, the files are in another format than `FORMATS`; `unreadable`, one of them or the
            manifest is damaged; `not_found`, `access_denied`.
    """
    file_format = manifest["fileFormat"]
    if file_format not in FORMATS:
        raise ProcessingError(
            "unsupported", f"{uri}: an inventory in {file_format} is not read; have it written as CSV or Parquet"
        )
    with tempfile.TemporaryDirectory(prefix="inventory-") as folder:
        path = Path(folder, "data")
        for file in manifest["files"]:
            try:
                data = _data_uri(uri, manifest, file["key"], storage)
                storage.download(data, path)
                rows = _csv_rows(path, manifest["fileSchema"]) if file_format == "CSV" else _parquet_rows(path)
                yield from _stored_objects(rows)
            except ProcessingError:
                raise
            except (OSError, EOFError, ValueError, KeyError, TypeError, csv.Error) as error:
                raise_infrastructure_error(error)
                reason = f"{type(error).__name__}: {error}"
                raise ProcessingError("unreadable", f"{uri}: its files are damaged ({reason})") from error


def _data_uri(uri: str, manifest: Manifest, key: str, storage: Storage) -> str:
    """Where a data file lies: in the bucket of the manifest, or beside a copy of it."""
    if is_s3(uri):
        return f"s3://{uri[5:].partition('/')[0]}/{key}"
    folder, name = uri.rpartition("/")[0], key.rpartition("/")[2]
    for candidate in (join_uri(folder, name), join_uri(folder, "data", name), join_uri(folder, "..", "data", name)):
        if storage.exists(candidate):
            return candidate
    bucket = str(manifest.get("destinationBucket", "")).rpartition(":")[2]
    if not bucket:
        raise ProcessingError("not_found", f"{uri}: its data file {name} is not beside it")
    return f"s3://{bucket}/{key}"


def _csv_rows(path: Path, schema: str) -> Iterator[dict[str, Any]]:
    names = [_COLUMNS.get(name.strip().replace("_", "").lower()) for name in schema.split(",")]
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
    with (
        gzip.open(path, "rt", encoding="utf-8", newline="")
        if is_packed
        else path.open(encoding="utf-8", newline="") as text
    ):
        for fields in csv.reader(text):
            row = {name: field for name, field in zip(names, fields, strict=False) if name is not None}
            yield {**row, "key": urllib.parse.unquote_plus(row["key"])}


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        known = {name: _COLUMNS.get(name.replace("_", "").lower()) for name in file.schema_arrow.names}
        columns = [name for name, column in known.items() if column is not None]
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield {str(known[name]): value for name, value in row.items()}


def _stored_objects(rows: Iterator[dict[str, Any]]) -> Iterator[StoredObject]:
    for row in rows:
        # Both columns are empty, or not there, where the bucket has no versions.
        is_deleted = str(row.get("is_delete_marker")).lower() == "true"
        is_older = str(row.get("is_latest")).lower() == "false"
        if is_deleted or is_older or row["key"].endswith("/"):
            continue
        etag = str(row.get("etag") or "").strip('"')
        yield StoredObject(f"s3://{row['bucket']}/{row['key']}", int(row.get("size") or 0), etag)

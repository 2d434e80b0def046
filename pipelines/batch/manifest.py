"""Manifests: what a file of `pages/` holds, so that a run learns it with one request a file, and without its rows."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.batch.identities import BYTES, Identities
from pipelines.batch.output_files import run_number
from pipelines.batch.page_counts import PageCounts
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_ahead

KEY_COLUMNS = ("document_id", "page_index", "status")
"""The columns of `pages/` that tell which pages a file holds."""

_SCHEMA = pa.schema([("document_id", pa.binary(BYTES)), ("page_index", pa.int32()), ("failed", pa.bool_())])
_METADATA = b"layoutlmv2"


@dataclass(frozen=True)
class WrittenPages:
    """What a file of `pages/` holds.

    Attributes:
        name: of the file.
        size_bytes: of the file.
        documents: the document of each row.
        page_indices: int32 [rows].
        failed: bool [rows].
        counts: over all rows.
    """

    name: str
    size_bytes: int
    documents: Identities
    page_indices: npt.NDArray[np.int32]
    failed: npt.NDArray[np.bool_]
    counts: PageCounts

    @classmethod
    def of(cls, table: pa.Table, name: str, size_bytes: int) -> WrittenPages:
        """What a table with `KEY_COLUMNS` and `COUNTED_COLUMNS` holds."""
        failed = [status == "failed" for status in table["status"].to_pylist()]
        return cls(
            name,
            size_bytes,
            Identities.of(table["document_id"].to_pylist()),
            np.array(table["page_index"].to_pylist(), dtype=np.int32),
            np.array(failed, dtype=np.bool_),
            PageCounts.of(table, name),
        )

    @property
    def run(self) -> int:
        """The number of the run that read the pages."""
        return run_number(self.name)

    def __len__(self) -> int:
        return len(self.page_indices)

    def to_table(self) -> pa.Table:
        """One row, as a task returns it."""
        return pa.table(
            {
                "name": [self.name],
                "size_bytes": [self.size_bytes],
                "documents": [self.documents.to_bytes()],
                "page_indices": [self.page_indices.tobytes()],
                "failed": [self.failed.tobytes()],
                "counts": [json.dumps(self.counts.as_json())],
            }
        )

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> WrittenPages:
        """The inverse of `to_table`."""
        return cls(
            row["name"],
            row["size_bytes"],
            Identities.from_bytes(row["documents"]),
            np.frombuffer(row["page_indices"], dtype=np.int32),
            np.frombuffer(row["failed"], dtype=np.bool_),
            PageCounts.from_json(json.loads(row["counts"])),
        )


@dataclass(frozen=True)
class Manifest:
    """What a compacted file holds, and which files it takes the place of.

    Attributes:
        pages: what it holds.
        replaced: names of files of `pages/`; if they are still there, they do not count.
        options: of the run, as in `run.json`.
    """

    pages: WrittenPages
    replaced: tuple[str, ...]
    options: dict[str, Any]

    def encode(self) -> bytes:
        """As the content of a file of `manifests/`, about 20 bytes a page."""
        pages = self.pages
        columns = [
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(BYTES), len(pages), [None, pa.py_buffer(pages.documents.to_bytes())]
            ),
            pa.array(pages.page_indices),
            pa.array(pages.failed),
        ]
        about = {
            "name": pages.name,
            "size_bytes": pages.size_bytes,
            "counts": pages.counts.as_json(),
            "replaced": self.replaced,
            "options": self.options,
        }
        metadata = base64.b64encode(zlib.compress(json.dumps(about).encode()))
        table = pa.Table.from_arrays(columns, schema=_SCHEMA.with_metadata({_METADATA: metadata}))
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", use_dictionary=["document_id"])
        return buffer.getvalue()

    @classmethod
    def decode(cls, content: bytes) -> Manifest:
        """The inverse of `encode`.

        Raises:
            ValueError, KeyError, OSError, zlib.error: `content` is damaged.
        """
        table = pq.read_table(pa.BufferReader(content)).combine_chunks()
        about = json.loads(zlib.decompress(base64.b64decode(table.schema.metadata[_METADATA])))
        keys = pa.concat_arrays(table["document_id"].chunks or [pa.array([], pa.binary(BYTES))])
        pages = WrittenPages(
            about["name"],
            about["size_bytes"],
            Identities.from_bytes(b"".join(keys.to_pylist())),
            table["page_index"].to_numpy().astype(np.int32),
            table["failed"].to_numpy().astype(np.bool_),
            PageCounts.from_json(about["counts"]),
        )
        return cls(pages, tuple(about["replaced"]), about["options"])


def write_manifest(storage: Storage, output: str, manifest: Manifest) -> None:
    """Write it under the name of its file."""
    storage.write(join_uri(output, "manifests", manifest.pages.name), manifest.encode())


def read_manifests(storage: Storage, uris: Sequence[str]) -> Iterator[Manifest | None]:
    """The manifests of some files, several read at a time, given in order; None in the place of a damaged one."""

    def read(uri: str) -> Manifest | None:
        try:
            return Manifest.decode(storage.read(uri))
        except (pa.ArrowException, ValueError, KeyError, OSError, zlib.error):
            return None

    yield from read_ahead(read, uris)

"""What an output records of each document, in about 35 bytes a document, however long its name is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_CONTENT_HASH = re.compile(r"[0-9a-fA-F]{32}(-\d{1,5})?")

COLUMNS = ("document_id", "size_bytes", "etag", "status", "pages_selected")
"""The columns of `documents/` that the index is made of."""


@dataclass(frozen=True)
class DocumentIndex:
    """The newest row of each document, in the order of their identities.

    Attributes:
        identities: S16 [documents], each document's identity, sorted.
        versions: uint64 [documents], `version` of its size and etag.
        hashed: bool [documents], `is_content_hash` of its size and etag.
        failed: bool [documents], whether it could not be opened.
        pages: int64 [documents], the number of its pages that the output expects.
        superseded: number of rows that have a newer row of the same document.
    """

    identities: npt.NDArray[np.bytes_]
    versions: npt.NDArray[np.uint64]
    hashed: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    pages: npt.NDArray[np.int64]
    superseded: int

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> DocumentIndex:
        """The index of tables with the columns `COLUMNS`, the oldest table first; they are read one at a time."""
        identities = [np.empty(0, dtype="S16")]
        versions, pages = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        hashed, failed = [np.empty(0, np.bool_)], [np.empty(0, np.bool_)]
        for table in tables:
            identities.append(as_bytes(table["document_id"].to_pylist()))
            stored = list(zip(table["size_bytes"].to_pylist(), table["etag"].to_pylist(), strict=True))
            hashed.append(np.array([is_content_hash(size, etag) for size, etag in stored], dtype=np.bool_))
            versions.append(np.array([version(size, etag) for size, etag in stored], dtype=np.uint64))
            failed.append(np.array([status == "failed" for status in table["status"].to_pylist()], dtype=np.bool_))
            pages.append(np.array(table["pages_selected"].to_pylist(), dtype=np.int64))
        rows = np.concatenate(identities)
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        is_newest = np.ones(len(rows), dtype=np.bool_)
        is_newest[:-1] = rows[1:] != rows[:-1]
        newest = order[is_newest]
        return cls(
            rows[is_newest],
            np.concatenate(versions)[newest],
            np.concatenate(hashed)[newest],
            np.concatenate(failed)[newest],
            np.concatenate(pages)[newest],
            len(rows) - len(newest),
        )

    def __len__(self) -> int:
        return len(self.identities)

    def positions(self, document_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Each document's position in the arrays, int64 [document_ids]; -1 for an unknown one."""
        requested = as_bytes(document_ids)
        if not len(self) or not len(requested):
            return np.full(len(requested), -1, dtype=np.int64)
        positions = np.minimum(np.searchsorted(self.identities, requested), len(self) - 1)
        return np.where(self.identities[positions] == requested, positions, -1)


def version(size_bytes: int, etag: str) -> int:
    """A 64-bit number that changes when a document's size or etag does."""
    return int.from_bytes(hashlib.blake2b(f"{size_bytes} {etag}".encode(), digest_size=8).digest(), "big")


def is_content_hash(size_bytes: int | None, etag: str | None) -> bool:
    """Whether an etag is an MD5 of the content, or of its parts as those of an upload in parts; not of an empty one."""
    return bool(size_bytes) and _CONTENT_HASH.fullmatch(etag or "") is not None


def as_bytes(document_ids: Iterable[str]) -> npt.NDArray[np.bytes_]:
    """Identities as a numpy array that can be sorted and searched."""
    return np.array([identity.encode() for identity in document_ids] or np.empty(0, "S16"), dtype=np.bytes_)

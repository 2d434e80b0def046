"""What an output has promised, by document, in about 30 bytes each, however long their names are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

COLUMNS = ("document_id", "size_bytes", "etag", "status", "pages_selected")
"""The columns of `documents/` that are looked at."""


@dataclass(frozen=True)
class DocumentIndex:
    """The newest row of each document, in the order of their identities.

    Attributes:
        identities: each document's identity, sorted.
        versions: what `version` tells of its size and etag.
        failed: whether it could not be opened.
        pages: how many of its pages are promised.
        older: rows of documents that have a newer one, which are counted nowhere else.
    """

    identities: npt.NDArray[np.bytes_]
    versions: npt.NDArray[np.uint64]
    failed: npt.NDArray[np.bool_]
    pages: npt.NDArray[np.int64]
    superseded: int

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> DocumentIndex:
        """Take tables with the columns `COLUMNS`, the oldest first, one at a time."""
        identities = [np.empty(0, dtype="S16")]
        versions, failed, pages = [np.empty(0, np.uint64)], [np.empty(0, np.bool_)], [np.empty(0, np.int64)]
        for table in tables:
            identities.append(as_bytes(table["document_id"].to_pylist()))
            flags = zip(table["size_bytes"].to_pylist(), table["etag"].to_pylist(), strict=True)
            versions.append(np.array([version(size, etag) for size, etag in flags], dtype=np.uint64))
            failed.append(np.array([status == "failed" for status in table["status"].to_pylist()], dtype=np.bool_))
            pages.append(np.array(table["pages_selected"].to_pylist(), dtype=np.int64))
        every = np.concatenate(identities)
        order = np.argsort(every, kind="stable")
        every = every[order]
        is_newest = np.ones(len(every), dtype=np.bool_)
        is_newest[:-1] = every[1:] != every[:-1]
        newest = order[is_newest]
        return cls(
            every[is_newest],
            np.concatenate(versions)[newest],
            np.concatenate(failed)[newest],
            np.concatenate(pages)[newest],
            len(every) - len(newest),
        )

    def __len__(self) -> int:
        return len(self.identities)

    def positions(self, document_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Where each document stands in the arrays; -1 for one that is not there."""
        asked = as_bytes(document_ids)
        if not len(self) or not len(asked):
            return np.full(len(asked), -1, dtype=np.int64)
        positions = np.minimum(np.searchsorted(self.identities, asked), len(self) - 1)
        return np.where(self.identities[positions] == asked, positions, -1)


def version(size_bytes: int, etag: str) -> int:
    """A number that changes when a document's size or etag does."""
    return int.from_bytes(hashlib.blake2b(f"{size_bytes} {etag}".encode(), digest_size=8).digest(), "big")


def as_bytes(document_ids: Iterable[str]) -> npt.NDArray[np.bytes_]:
    """Identities as numpy sorts and finds them."""
    return np.array([identity.encode() for identity in document_ids] or np.empty(0, "S16"), dtype=np.bytes_)

"""What an output records of each document, in 42 bytes a document, however long its name is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.batch.identities import Identities, uri_hash
from pipelines.errors import ProcessingError

_CONTENT_HASH = re.compile(r"[0-9a-fA-F]{32}(-\d{1,5})?")

COLUMNS = ("document_id", "uri", "size_bytes", "etag", "status", "pages_selected")
"""The columns of `documents/` that the index is made of."""


@dataclass(frozen=True)
class DocumentIndex:
    """The newest row of each document, in the order of their identities.

    Attributes:
        identities: sorted.
        uri_hashes: uint64 [documents], `uri_hash` of its URI.
        versions: uint64 [documents], `version` of its size and etag.
        hashed: bool [documents], `is_content_hash` of its size and etag.
        failed: bool [documents], whether it could not be opened.
        pages: int32 [documents], the number of its pages that the output expects.
        runs: int32 [documents], the number of the run that opened it. Pages that earlier runs read are of a document
            that has changed since.
        superseded: number of rows that have a newer row of the same document.
    """

    identities: Identities
    uri_hashes: npt.NDArray[np.uint64]
    versions: npt.NDArray[np.uint64]
    hashed: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    pages: npt.NDArray[np.int32]
    runs: npt.NDArray[np.int32]
    superseded: int

    @classmethod
    def of(cls, tables: Iterable[tuple[int, pa.Table]]) -> DocumentIndex:
        """The index of tables with the columns `COLUMNS`, each with the number of the run that wrote it.

        The oldest table comes first; they are read one at a time.

        Raises:
            ProcessingError: two documents have the same identity.
        """
        identities = list[Identities]()
        hashes, versions, pages = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        hashed, failed, runs = [np.empty(0, np.bool_)], [np.empty(0, np.bool_)], [np.empty(0, np.int32)]
        for run, table in tables:
            identities.append(Identities.of(table["document_id"].to_pylist()))
            hashes.append(np.array([uri_hash(uri) for uri in table["uri"].to_pylist()], dtype=np.uint64))
            stored = list(zip(table["size_bytes"].to_pylist(), table["etag"].to_pylist(), strict=True))
            hashed.append(np.array([is_content_hash(size, etag) for size, etag in stored], dtype=np.bool_))
            versions.append(np.array([version(size, etag) for size, etag in stored], dtype=np.uint64))
            failed.append(np.array([status == "failed" for status in table["status"].to_pylist()], dtype=np.bool_))
            pages.append(np.array(table["pages_selected"].to_pylist(), dtype=np.int32))
            runs.append(np.full(len(table), run, dtype=np.int32))
        rows = Identities.concatenate(identities)
        order = rows.order()
        is_newest = rows[order].differs_from_next()
        all_hashes = np.concatenate(hashes)
        shared = np.flatnonzero(~is_newest[:-1] & (all_hashes[order][1:] != all_hashes[order][:-1]))
        if len(shared):
            (name,) = rows[order[shared[:1]]].names()
            raise shared_identity(name)
        newest = order[is_newest]
        return cls(
            rows[newest],
            all_hashes[newest],
            np.concatenate(versions)[newest],
            np.concatenate(hashed)[newest],
            np.concatenate(failed)[newest],
            np.concatenate(pages)[newest],
            np.concatenate(runs)[newest],
            len(rows) - len(newest),
        )

    def __len__(self) -> int:
        return len(self.identities)

    def positions(self, document_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Each document's position in the arrays, int64 [document_ids]; -1 for an unknown one."""
        return self.identities.positions(Identities.of(document_ids))


def shared_identity(document_id: str, documents: str = "two documents") -> ProcessingError:
    """The error of documents with one `document_id`, whose rows could not be told apart."""
    advice = "process them into different outputs, or rename one of them"
    return ProcessingError("unsupported", f"{documents} have the same document_id ({document_id}): {advice}")


def version(size_bytes: int, etag: str) -> int:
    """A 64-bit number that changes when a document's size or etag does."""
    return int.from_bytes(hashlib.blake2b(f"{size_bytes} {etag}".encode(), digest_size=8).digest(), "big")


def is_content_hash(size_bytes: int | None, etag: str | None) -> bool:
    """Whether an etag is an MD5 of the content, or of its parts as those of an upload in parts; not of an empty one."""
    return bool(size_bytes) and _CONTENT_HASH.fullmatch(etag or "") is not None

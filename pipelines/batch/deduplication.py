"""Documents with the same bytes: one of them is opened and read, and what it gives is written for all.

Two objects have the same bytes if they have the same size and the same etag, and the etag is a hash of the content, as
S3 makes it. The etag of a local file is made of its size and time, so that local files are never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.document_index import DocumentIndex, is_content_hash
from pipelines.batch.identities import Identities
from pipelines.batch.output_files import list_uris
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import page_uri, read_written
from pipelines.schema import SECONDS, Row
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_row_groups, read_tables

COPIES_AT_ONCE = 100_000
"""Documents whose rows are copied in one pass over the output's pages."""

ROWS_PER_FILE = 128

NO_SECONDS = {field.name: 0.0 for field in SECONDS}
"""Of a copied page: its work is counted once, in the row that it is a copy of."""


def open_once(
    listed: Sequence[Row], open_all: Callable[[Sequence[Row]], Generator[Row, None, None]]
) -> Generator[Row, None, None]:
    """Open listed documents, of those with the same bytes only the first.

    Args:
        listed: rows of `LISTED`.
        open_all: from rows of `LISTED` to rows of `DOCUMENTS`, one for one and in order.

    Returns:
        Rows of `DOCUMENTS`, one for each of `listed` and in their order.
    """
    first = _first_of_same_bytes(listed)
    opened = open_all([row for position, row in enumerate(listed) if first[position] == position])
    kept: dict[int, Row] = {}
    repeated = {original for position, original in enumerate(first) if original != position}
    try:
        for position, row in enumerate(listed):
            original = first[position]
            if original == position:
                document = next(opened)
                if position in repeated:
                    kept[position] = document
                yield document
            elif _is_of_its_bytes(kept[original]):
                yield {**kept[original], **row}
            else:
                yield from open_all([row])
    finally:
        opened.close()


def find_originals(documents: DocumentIndex, done: PageBitmap) -> npt.NDArray[np.int64]:
    """For each document the position of the one that is read for it, int64 [documents]: its own, or of the same bytes.

    Of several, the one of which most pages are expected is read, and most are done already.
    """
    originals = np.arange(len(documents), dtype=np.int64)
    candidates = np.flatnonzero(documents.hashed & ~documents.failed & (documents.pages > 0))
    versions, pages = documents.versions[candidates], documents.pages[candidates]
    candidates = candidates[np.lexsort((-done.marked_by_document()[candidates], -pages, versions))]
    is_first = np.ones(len(candidates), dtype=np.bool_)
    is_first[1:] = documents.versions[candidates[1:]] != documents.versions[candidates[:-1]]
    originals[candidates] = candidates[is_first][np.cumsum(is_first) - 1]
    return originals


def copy_pages(
    storage: Storage,
    output: str,
    documents: DocumentIndex,
    originals: npt.NDArray[np.int64],
    done: PageBitmap,
) -> Iterator[pa.Table]:
    """The rows of pages that are not done and whose documents have the bytes of others: copies of the rows of these.

    They are marked as done. A page of which the other document could not even be fetched is left out: it is read.

    Args:
        originals: see `find_originals`; their pages are in the output.
    """
    lacking = done.marked_by_document() < documents.pages
    copies = np.flatnonzero(lacking & (originals != np.arange(len(documents))))
    for start in range(0, len(copies), COPIES_AT_ONCE):
        chosen = copies[start : start + COPIES_AT_ONCE]
        names = documents.identities[chosen].names()
        uris = _uris(storage, output, set(names))
        by_original: dict[str, list[str]] = {}
        for name, original in zip(names, documents.identities[originals[chosen]].names(), strict=True):
            by_original.setdefault(original, []).append(name)
        yield from _copies(storage, output, by_original, uris, done)


def _copies(
    storage: Storage, output: str, by_original: dict[str, list[str]], uris: dict[str, str], done: PageBitmap
) -> Iterator[pa.Table]:
    names = sorted(by_original)
    wanted, wanted_names = Identities.of(names), pa.array(names)
    for written in read_written(storage, output):  # the newest row of a page counts
        if not (wanted.positions(written.documents) >= 0).any():
            continue
        for table in read_row_groups(storage, page_uri(output, written.name)):
            rows = table.filter(pc.is_in(table["document_id"], value_set=wanted_names)).to_pylist()
            copied = [
                {**row, "document_id": name, "uri": uris[name], "seconds": NO_SECONDS}
                for row in rows
                if _is_of_its_bytes(row)
                for name in by_original[row["document_id"]]
                if done.mark(Identities.of([name]), np.array([row["page_index"]], dtype=np.int32))[0]
            ]
            for start in range(0, len(copied), ROWS_PER_FILE):
                yield pa.Table.from_pylist(copied[start : start + ROWS_PER_FILE], schema=table.schema)


def _uris(storage: Storage, output: str, names: set[str]) -> dict[str, str]:
    wanted, uris = pa.array(sorted(names)), dict[str, str]()
    for _, table in read_tables(storage, list_uris(storage, output, "documents"), ("document_id", "uri")):
        found = table.filter(pc.is_in(table["document_id"], value_set=wanted))
        uris.update(zip(found["document_id"].to_pylist(), found["uri"].to_pylist(), strict=True))
    return uris


def _first_of_same_bytes(listed: Iterable[Row]) -> list[int]:
    """For each row the position of the first row with the same bytes."""
    known: dict[tuple[int, str], int] = {}
    first = []
    for position, row in enumerate(listed):
        key = (row["size_bytes"], row["etag"])
        first.append(known.setdefault(key, position) if is_content_hash(*key) else position)
    return first


def _is_of_its_bytes(row: Row) -> bool:
    """Whether a row says something of the document's bytes, and not of its URI: that it could not be fetched."""
    return row["status"] == "ok" or row["uri"] not in (row["error"] or "")

"""Repair: rows that have a newer row, and those of pages that no document expects, are removed from an output.

A run may have written them that was overtaken by another one, or they are of a document that has changed since.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.compaction import Compactor
from pipelines.batch.identities import Identities
from pipelines.batch.output_files import list_uris, run_number
from pipelines.batch.ownership import check_ownership
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import read_document_index, read_written
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, write_table


def keep_newest_pages(
    storage: Storage, output: str, compactor: Compactor, newest_run: int, keep_unknown: bool = False
) -> int:
    """Drop the rows of pages that have a newer row or that no document expects.

    Returns:
        Their number, without those of documents that have changed since.

    Args:
        compactor: writes the files without these rows.
        newest_run: what runs with a higher number wrote stays as it is.
        keep_unknown: keep the pages of documents of which there is no row.
    """
    index, dropped = read_document_index(storage, output), 0
    seen = PageBitmap(index)
    for written in read_written(storage, output):
        kept = seen.mark(written.documents, written.page_indices, written.run)
        if keep_unknown:
            kept |= index.identities.positions(written.documents) < 0
        if not kept.all() and written.run <= newest_run:
            is_current = seen.are_expected(written.documents, written.page_indices, written.run)
            is_outdated = seen.are_expected(written.documents, written.page_indices) & ~is_current
            dropped += int(np.count_nonzero(~kept & ~is_outdated))
            compactor.rewrite(written, kept)
    return dropped


def keep_newest_documents(storage: Storage, output: str, owner: str) -> int:
    """Drop the rows of documents that have a newer row; returns their number.

    Args:
        owner: id of the run that owns the output; what runs with a higher number wrote stays as it is.

    Raises:
        OutputClaimedError: another run owns the output by now.
    """
    index = read_document_index(storage, output)
    # One row a document, like a document of one page.
    seen, dropped = PageBitmap(replace(index, pages=np.ones(len(index), dtype=np.int32))), 0
    files = list_uris(storage, output, "documents")
    for uri, table in read_tables(storage, reversed(files), ["document_id"]):
        documents = Identities.of(table["document_id"].to_pylist()[::-1])
        kept = seen.mark(documents, np.zeros(len(documents), dtype=np.int32))[::-1]
        if run_number(uri) <= run_number(owner):
            dropped += int(np.count_nonzero(~kept))
            _keep_rows(storage, output, owner, uri, pa.array(kept))
    return dropped


def forget_documents(storage: Storage, output: str, owner: str, document_ids: AbstractSet[str]) -> None:
    """Remove the rows of documents from `documents/`; no row of their pages is expected then.

    Raises:
        OutputClaimedError: another run owns the output by now.
    """
    if not document_ids:
        return
    ids = pa.array(sorted(document_ids))
    for uri, columns in read_tables(storage, list_uris(storage, output, "documents"), ("document_id",)):
        if run_number(uri) <= run_number(owner):
            kept = pc.invert(pc.is_in(columns["document_id"], value_set=ids))
            _keep_rows(storage, output, owner, uri, kept)


def _keep_rows(storage: Storage, output: str, owner: str, uri: str, kept: pa.BooleanArray | pa.ChunkedArray) -> None:
    """Rewrite a file with some of its rows; a file of which no row is left is removed."""
    count = pc.sum(kept).as_py() or 0
    if count == len(kept):
        return
    check_ownership(storage, output, owner)
    if not count:
        storage.delete(uri)
    else:
        ((_, table),) = read_tables(storage, [uri])
        write_table(storage, uri, table.filter(kept))

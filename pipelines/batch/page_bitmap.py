"""Marks on the pages that documents expect: one byte a page, whatever the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.batch.document_index import DocumentIndex
from pipelines.schema import PageKey


class PageBitmap:
    """Which of the expected pages are marked; at first, none is.

    A set of keys would take about 250 bytes a page; with one byte, a single driver can audit millions of pages.
    """

    def __init__(self, documents: DocumentIndex) -> None:
        self._documents = documents
        self._starts = np.concatenate([[0], np.cumsum(documents.pages)]).astype(np.int64)
        self._marked = np.zeros(self._starts[-1], dtype=np.bool_)

    @property
    def expected(self) -> int:
        """The number of pages, marked or not."""
        return len(self._marked)

    @property
    def marked(self) -> int:
        """The number of marked pages."""
        return int(np.count_nonzero(self._marked))

    def copy(self) -> PageBitmap:
        """The same marks, to be changed on their own."""
        other = PageBitmap.__new__(PageBitmap)
        other._documents, other._starts, other._marked = self._documents, self._starts, self._marked.copy()
        return other

    def marked_by_document(self) -> npt.NDArray[np.int64]:
        """The number of marked pages of each document, int64 [documents]."""
        counts = np.concatenate([[0], np.cumsum(self._marked)]).astype(np.int64)
        return counts[self._starts[1:]] - counts[self._starts[:-1]]

    def mark_documents(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Mark all pages of some documents; `chosen`: bool [documents]."""
        self._marked |= np.repeat(chosen, self._documents.pages)

    def mark(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Mark pages; returns for each whether this call marked it: it is expected, and was not marked before."""
        positions, expected = self._positions(document_ids, page_indices)
        fresh = np.zeros(len(positions), dtype=np.bool_)
        candidates = np.flatnonzero(expected)
        _, first = np.unique(positions[candidates], return_index=True)  # of a repeated page the first one marks it
        candidates = candidates[first]
        fresh[candidates] = ~self._marked[positions[candidates]]
        self._marked[positions[candidates]] = True
        return fresh

    def unmark(self, pages: Iterable[PageKey]) -> None:
        """Remove marks; pages that are not expected are ignored."""
        keys = list(pages)
        positions, expected = self._positions([identity for identity, _ in keys], [index for _, index in keys])
        self._marked[positions[expected]] = False

    def is_expected(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """For each page, whether a document expects it."""
        return self._positions(document_ids, page_indices)[1]

    def unmarked_of(self, document_ids: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
        """For each document with unmarked pages, its position in `document_ids` and the indices of these pages."""
        for position, document in enumerate(self._documents.positions(document_ids).tolist()):
            if document >= 0:
                start, end = self._starts[document : document + 2]
                unmarked = np.flatnonzero(~self._marked[start:end]).tolist()
                if unmarked:
                    yield position, unmarked

    def unmarked(self) -> Iterator[PageKey]:
        """The keys of all unmarked pages, sorted."""
        positions = np.flatnonzero(~self._marked)
        documents = np.searchsorted(self._starts, positions, side="right") - 1
        for position, document in zip(positions.tolist(), documents.tolist(), strict=True):
            yield self._documents.identities[document].decode(), position - int(self._starts[document])

    def _positions(
        self, document_ids: Sequence[str], page_indices: Sequence[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The position of each page's mark, and whether the page is expected; if not, its position is meaningless."""
        documents = self._documents.positions(document_ids)
        indices = np.asarray(page_indices, dtype=np.int64)
        positions = self._starts[documents] + indices
        return positions, (documents >= 0) & (indices >= 0) & (positions < self._starts[documents + 1])

"""Marks on the pages that documents expect: one byte a page, whatever the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.identities import Identities
from pipelines.schema import PageKey


class PageBitmap:
    """Which of the expected pages are marked; at first, none is.

    A set of keys would take about 250 bytes a page; with one byte, a single driver can audit millions of pages.
    """

    def __init__(self, documents: DocumentIndex) -> None:
        self._documents = documents
        self._starts = np.concatenate([[0], np.cumsum(documents.pages, dtype=np.int64)]).astype(np.int64)
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

    def mark(
        self, documents: Identities, page_indices: npt.NDArray[np.int32], run: int | None = None
    ) -> npt.NDArray[np.bool_]:
        """Mark pages; returns for each whether this call marked it: it is expected, and was not marked before.

        Args:
            documents: the document of each page.
            page_indices: int32 [pages].
            run: see `are_expected`.
        """
        positions, expected = self._positions(documents, page_indices, run)
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
        indices = np.array([index for _, index in keys], dtype=np.int32)
        positions, expected = self._positions(Identities.of([identity for identity, _ in keys]), indices, None)
        self._marked[positions[expected]] = False

    def are_expected(
        self, documents: Identities, page_indices: npt.NDArray[np.int32], run: int | None = None
    ) -> npt.NDArray[np.bool_]:
        """For each page, whether its document expects it.

        Args:
            run: the number of the run that read the pages. None of a document is expected that a later run opened.
        """
        return self._positions(documents, page_indices, run)[1]

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
        names = self._documents.identities[documents].names()
        for position, document, name in zip(positions.tolist(), documents.tolist(), names, strict=True):
            yield name, position - int(self._starts[document])

    def _positions(
        self, documents: Identities, page_indices: npt.NDArray[np.int32], run: int | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The position of each page's mark, and whether the page is expected; if not, its position is meaningless."""
        known = self._documents.identities.positions(documents)
        indices = page_indices.astype(np.int64)
        positions = self._starts[known] + indices
        expected = (known >= 0) & (indices >= 0) & (positions < self._starts[known + 1])
        if run is not None and len(self._documents):
            expected &= self._documents.runs[known] <= run
        return positions, expected

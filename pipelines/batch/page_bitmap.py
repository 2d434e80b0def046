"""Marks on the pages that documents promise: a byte a page, whatever the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.batch.document_index import DocumentIndex
from pipelines.schema import PageKey


class PageBitmap:
    """Which of the promised pages are marked; none is at first.

    A set of keys would take about 250 bytes a page: this is what lets one driver account for millions.
    """

    def __init__(self, documents: DocumentIndex) -> None:
        self._documents = documents
        self._starts = np.concatenate([[0], np.cumsum(documents.pages)]).astype(np.int64)
        self._marked = np.zeros(self._starts[-1], dtype=np.bool_)

    @property
    def expected(self) -> int:
        """How many pages there are, marked or not."""
        return len(self._marked)

    @property
    def marked(self) -> int:
        """How many are marked."""
        return int(np.count_nonzero(self._marked))

    def mark(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Mark pages; for each, in their order, whether it is marked by this: promised, and not marked already."""
        positions, expected = self._positions(document_ids, page_indices)
        fresh = np.zeros(len(positions), dtype=np.bool_)
        candidates = np.flatnonzero(expected)
        _, first = np.unique(positions[candidates], return_index=True)  # one that comes twice is marked by the first
        candidates = candidates[first]
        fresh[candidates] = ~self._marked[positions[candidates]]
        self._marked[positions[candidates]] = True
        return fresh

    def unmark(self, pages: Iterable[PageKey]) -> None:
        """Take marks away; pages that are not promised are passed over."""
        keys = list(pages)
        positions, expected = self._positions([identity for identity, _ in keys], [index for _, index in keys])
        self._marked[positions[expected]] = False

    def is_expected(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """For each page, whether a document promises it."""
        return self._positions(document_ids, page_indices)[1]

    def unmarked_of(self, document_ids: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
        """Of the documents that have unmarked pages, their place among those asked for and these pages' indices."""
        for asked, document in enumerate(self._documents.positions(document_ids).tolist()):
            if document >= 0:
                start, end = self._starts[document : document + 2]
                unmarked = np.flatnonzero(~self._marked[start:end]).tolist()
                if unmarked:
                    yield asked, unmarked

    def unmarked(self) -> Iterator[PageKey]:
        """The keys of all unmarked pages, sorted."""
        positions = np.flatnonzero(~self._marked)
        documents = np.searchsorted(self._starts, positions, side="right") - 1
        for position, document in zip(positions.tolist(), documents.tolist(), strict=True):
            yield self._documents.identities[document].decode(), position - int(self._starts[document])

    def _positions(
        self, document_ids: Sequence[str], page_indices: Sequence[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Where each page's mark is, and whether there is one; where not, the place means nothing."""
        documents = self._documents.positions(document_ids)
        indices = np.asarray(page_indices, dtype=np.int64)
        positions = self._starts[documents] + indices
        return positions, (documents >= 0) & (indices >= 0) & (positions < self._starts[documents + 1])

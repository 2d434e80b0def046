"""Marks on the pages that documents promise: a byte a page, whatever the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.batch.document_index import DocumentMarks
from pipelines.schema import PageKey


class PageMarks:
    """Which of the promised pages are marked; none is at first.

    A set of keys would take about 250 bytes a page: this is what lets one driver account for millions.
    """

    def __init__(self, documents: DocumentMarks) -> None:
        self._documents = documents
        self._starts = np.concatenate([[0], np.cumsum(documents.pages)]).astype(np.int64)
        self._marked = np.zeros(self._starts[-1], dtype=np.bool_)

    @property
    def promised(self) -> int:
        """How many pages there are, marked or not."""
        return len(self._marked)

    @property
    def marked(self) -> int:
        """How many are marked."""
        return int(np.count_nonzero(self._marked))

    def mark(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Mark pages; for each, in their order, whether it is marked by this: promised, and not marked already."""
        places, promised = self._places(document_ids, page_indices)
        fresh = np.zeros(len(places), dtype=np.bool_)
        candidates = np.flatnonzero(promised)
        _, first = np.unique(places[candidates], return_index=True)  # one that comes twice is marked by the first
        candidates = candidates[first]
        fresh[candidates] = ~self._marked[places[candidates]]
        self._marked[places[candidates]] = True
        return fresh

    def unmark(self, pages: Iterable[PageKey]) -> None:
        """Take marks away; pages that are not promised are passed over."""
        keys = list(pages)
        places, promised = self._places([identity for identity, _ in keys], [index for _, index in keys])
        self._marked[places[promised]] = False

    def is_promised(self, document_ids: Sequence[str], page_indices: Sequence[int]) -> npt.NDArray[np.bool_]:
        """For each page, whether a document promises it."""
        return self._places(document_ids, page_indices)[1]

    def unmarked_of(self, document_ids: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
        """Of the documents that have unmarked pages, their place among those asked for and these pages' indices."""
        for asked, document in enumerate(self._documents.places(document_ids).tolist()):
            if document >= 0:
                start, end = self._starts[document : document + 2]
                unmarked = np.flatnonzero(~self._marked[start:end]).tolist()
                if unmarked:
                    yield asked, unmarked

    def unmarked(self) -> Iterator[PageKey]:
        """The keys of all unmarked pages, sorted."""
        places = np.flatnonzero(~self._marked)
        documents = np.searchsorted(self._starts, places, side="right") - 1
        for place, document in zip(places.tolist(), documents.tolist(), strict=True):
            yield self._documents.identities[document].decode(), place - int(self._starts[document])

    def _places(
        self, document_ids: Sequence[str], page_indices: Sequence[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Where each page's mark is, and whether there is one; where not, the place means nothing."""
        documents = self._documents.places(document_ids)
        indices = np.asarray(page_indices, dtype=np.int64)
        places = self._starts[documents] + indices
        return places, (documents >= 0) & (indices >= 0) & (places < self._starts[documents + 1])

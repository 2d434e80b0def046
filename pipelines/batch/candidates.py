"""Listed documents beside what the output already records of them, and which of them must be opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from pipelines.batch.document_index import DocumentIndex, shared_identity, version
from pipelines.batch.identities import uri_hash
from pipelines.batch.listing import listed_row
from pipelines.schema import PageKey, Row
from pipelines.storage.files import StoredObject

DOCUMENTS_PER_LOOKUP = 1_000
"""Documents compared with the index at once: as many as S3 lists at once."""


@dataclass(frozen=True)
class Candidate:
    """A listed document and what the output already records of it.

    Attributes:
        row: of `LISTED`.
        is_known: the output has a row of the document; without one the other attributes keep their defaults.
        has_changed: its size or etag is not the recorded one.
        had_failed: the recorded row is a failed one.
        old_pages: pages that the recorded row expects.
    """

    row: Row
    is_known: bool = False
    has_changed: bool = False
    had_failed: bool = False
    old_pages: int = 0

    @property
    def document_id(self) -> str:
        """The document's identity in all tables."""
        return self.row["document_id"]


def compare_with_index(documents: Iterable[StoredObject], index: DocumentIndex) -> Iterator[Candidate]:
    """Each listed document with what the index knows of it, lazily and in the same order.

    Raises:
        ProcessingError: a listed document has the identity of another one.
    """
    remaining = iter(documents)
    while batch := list(islice(remaining, DOCUMENTS_PER_LOOKUP)):
        rows = [listed_row(stored) for stored in batch]
        positions = index.positions([row["document_id"] for row in rows]).tolist()
        for row, position in zip(rows, positions, strict=True):
            if position < 0:
                yield Candidate(row)
                continue
            if index.uri_hashes[position] != uri_hash(row["uri"]):
                raise shared_identity(row["document_id"], f"{row['uri']} and a document in the output")
            yield Candidate(
                row,
                is_known=True,
                has_changed=version(row["size_bytes"], row["etag"]) != index.versions[position],
                had_failed=bool(index.failed[position]),
                old_pages=int(index.pages[position]),
            )


def select_new_or_changed(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The documents that a run opens."""
    return (candidate for candidate in candidates if not candidate.is_known or candidate.has_changed)


class RetrySelection:
    """The documents that a retry opens again, and the failed pages that it reads again.

    Attributes:
        new_documents: listed documents that the output does not know; a retry leaves them out.
        pages: failed pages of listed documents that have not changed. Both are complete when `select` is exhausted.
    """

    def __init__(self, failed_pages: Iterable[PageKey]) -> None:
        self.new_documents = 0
        self.pages: set[PageKey] = set()
        self._failed_pages: dict[str, list[PageKey]] = defaultdict(list)
        for key in failed_pages:
            self._failed_pages[key[0]].append(key)

    def select(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """The documents that could not be opened, and those that have changed since some of their pages failed."""
        for candidate in candidates:
            if not candidate.is_known:
                self.new_documents += 1
                continue
            failed_pages = self._failed_pages.get(candidate.document_id, [])
            if not candidate.has_changed:
                self.pages.update(failed_pages)
            if candidate.had_failed or (candidate.has_changed and failed_pages):
                yield candidate

"""The pages to pre-train on: which rows of `pages/` of outputs of `jobs.extract --keep-pictures` count, and where.

The index holds positions alone, 4 bytes a page, so that one of tens of millions of pages fits every worker.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.identities import Identities
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import (
    Findings,
    page_uri,
    read_document_index,
    read_written,
    with_current_files,
)
from pipelines.storage.files import Storage
from pipelines.storage.tables import DamagedFileError, read_ahead, read_metadata
from pipelines.training.errors import TrainingError

logger = logging.getLogger(__name__)

PICTURE = "picture"
"""The column with the model's view of a page, as PNG."""

NEEDED_COLUMNS = ("words", "boxes", PICTURE)


@dataclass(frozen=True)
class PageIndex:
    """Where pages lie, in the order of their files.

    Attributes:
        files: URIs of Parquet files.
        file: int32 [row groups], the index in `files` of each row group that holds pages of this index.
        row_group: int32 [row groups], its number within the file.
        starts: int64 [row groups + 1], the first page of each row group, and the number of pages at the end.
        rows: int32 [pages], the row of each page within its row group.
    """

    files: tuple[str, ...]
    file: npt.NDArray[np.int32]
    row_group: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """The number of pages."""
        return len(self.rows)

    @property
    def row_groups(self) -> int:
        return len(self.file)

    def of_row_groups(self, chosen: npt.NDArray[np.int64], most_pages: int) -> PageIndex:
        """The pages of some row groups, in their order; at most so many."""
        counts = np.diff(self.starts)[chosen]
        ends = np.minimum(np.cumsum(counts), most_pages)
        counts = np.diff(ends, prepend=0)
        kept = counts > 0
        chosen, counts = chosen[kept], counts[kept]
        rows = [self.rows[start : start + count] for start, count in zip(self.starts[chosen], counts, strict=True)]
        return PageIndex(
            self.files,
            self.file[chosen],
            self.row_group[chosen],
            _starts(counts),
            np.concatenate(rows) if rows else self.rows[:0],
        )


@dataclass(frozen=True)
class PretrainingPages:
    """The pages of all outputs.

    Attributes:
        training: the pages to learn.
        held_out: the pages that are only measured on; none of a document of `training`.
        failed: number of pages that could not be read when they were extracted, which are in neither.
        damaged: files that cannot be read, whose pages are in neither, with the reason.
        fingerprint: of the files and of the pages that count, hexadecimal.
    """

    training: PageIndex
    held_out: PageIndex
    failed: int
    damaged: tuple[str, ...]
    fingerprint: str

    def described(self) -> dict[str, object]:
        """For the record of a run, as JSON: equal for two runs only if they have the same pages."""
        return {
            "training_pages": len(self.training),
            "held_out_pages": len(self.held_out),
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class _File:
    """What counts of one file: bool [rows], and the low half of each row's document."""

    uri: str
    size_bytes: int
    counts: npt.NDArray[np.bool_]
    documents: npt.NDArray[np.uint64]


def index_pages(storage: Storage, data: Sequence[str], held_out_fraction: float) -> PretrainingPages:
    """Index the pages of outputs of `jobs.extract`.

    A page that several runs read counts once, as the newest one read it. A document is held out by its identity, so it
    is in every run; if the fraction is above 0, at least one of several documents is.

    Args:
        data: folders or prefixes of the outputs.
        held_out_fraction: share (0 to below 1) of the documents to hold out.

    Raises:
        ProcessingError: an output cannot be read.
        TrainingError: there are no pages, or some have no picture; the message says what to do.
    """
    files: list[_File] = []
    damaged: list[str] = []
    failed = 0
    for output in data:
        found = with_current_files(lambda output=output: _Found.of(storage, output))  # type: ignore[misc]
        if not found.files and not found.damaged:
            raise TrainingError(
                f"{output} holds no pages that could be read: give as --data what was the --output of jobs.extract "
                "--keep-pictures"
            )
        files += found.files
        damaged += found.damaged
        failed += found.failed
    groups = list(_row_groups(storage, files, damaged))
    threshold = _threshold([file.documents[file.counts] for file in files], held_out_fraction)
    training = _index((uri, group, counts & (documents >= threshold)) for uri, group, counts, documents in groups)
    held_out = _index((uri, group, counts & (documents < threshold)) for uri, group, counts, documents in groups)
    if not len(training):
        raise TrainingError(f"there is nothing to learn from in {', '.join(data)}: no page could be read")
    for problem in damaged:
        logger.warning("%s; its pages are left out", problem)
    return PretrainingPages(training, held_out, failed, tuple(damaged), _fingerprint(files, training, held_out))


@dataclass(frozen=True)
class _Found:
    """What one output holds."""

    files: list[_File]
    damaged: list[str]
    failed: int

    @classmethod
    def of(cls, storage: Storage, output: str) -> _Found:
        files: list[_File] = []
        damaged: list[str] = []
        failed = 0
        documents: DocumentIndex = read_document_index(storage, output)
        seen = PageBitmap(documents)
        findings = Findings(lambda uri: damaged.append(f"{uri} is damaged"))
        for written in read_written(storage, output, findings):
            fresh = seen.mark(written.documents, written.page_indices, written.run)
            failed += int((fresh & written.failed).sum())
            counts = fresh & ~written.failed
            if counts.any():
                uri = page_uri(output, written.name)
                files.append(_File(uri, written.size_bytes, counts, _uniform(written.documents)))
        return cls(sorted(files, key=lambda file: file.uri), damaged, failed)


def _uniform(documents: Identities) -> npt.NDArray[np.uint64]:
    """A number for each document, uniform in 64 bits: its identity is a hash of its URI."""
    return documents.low


def _threshold(documents: Sequence[npt.NDArray[np.uint64]], fraction: float) -> np.uint64:
    """Documents whose number is below this are held out."""
    if not fraction:
        return np.uint64(0)
    distinct = np.unique(np.concatenate([np.unique(each) for each in documents]))
    threshold = np.uint64(int(fraction * 2**64))
    if len(distinct) > 1 and distinct[0] >= threshold:
        threshold = distinct[0] + np.uint64(1)
    if len(distinct) == 1 or distinct[-1] < threshold:
        raise TrainingError(
            f"of {len(distinct)} documents none is left to learn when some are held out: give more pages, or "
            "--held-out-fraction 0 to measure on none"
        )
    return threshold


def _row_groups(
    storage: Storage, files: list[_File], damaged: list[str]
) -> Iterator[tuple[str, int, npt.NDArray[np.bool_], npt.NDArray[np.uint64]]]:
    """Each file's row groups: URI, number, which rows count, and the documents of the rows."""

    def read(uri: str) -> tuple[tuple[str, ...], list[int]] | DamagedFileError:
        try:
            metadata = read_metadata(storage, uri)
        except DamagedFileError as error:
            return error
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        return tuple(metadata.schema.to_arrow_schema().names), sizes

    for file, found in zip(files, read_ahead(read, [file.uri for file in files]), strict=True):
        if isinstance(found, DamagedFileError):
            damaged.append(found.message)
            continue
        columns, sizes = found
        missing = [name for name in NEEDED_COLUMNS if name not in columns]
        if missing:
            raise TrainingError(
                f"{file.uri} has no column {' or '.join(missing)}: run jobs.extract with --keep-pictures, into a new "
                "--output, and give that as --data"
            )
        if sum(sizes) != len(file.counts):
            damaged.append(f"{file.uri} has {sum(sizes)} rows where its manifest says {len(file.counts)}")
            continue
        ends = np.cumsum(sizes)
        for number, (start, end) in enumerate(zip(ends - sizes, ends, strict=True)):
            yield file.uri, number, file.counts[start:end], file.documents[start:end]


def _index(row_groups: Iterable[tuple[str, int, npt.NDArray[np.bool_]]]) -> PageIndex:
    """The index of the rows that count in each row group."""
    positions: dict[str, int] = {}
    files, numbers, rows = [], [], [np.empty(0, dtype=np.int32)]
    for uri, number, counts in row_groups:
        counting = np.flatnonzero(counts).astype(np.int32)
        if len(counting):
            files.append(positions.setdefault(uri, len(positions)))
            numbers.append(number)
            rows.append(counting)
    return PageIndex(
        tuple(positions),
        np.array(files, dtype=np.int32),
        np.array(numbers, dtype=np.int32),
        _starts([len(each) for each in rows[1:]]),
        np.concatenate(rows),
    )


def _starts(counts: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _fingerprint(files: Sequence[_File], *indices: PageIndex) -> str:
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.uri} {file.size_bytes}\n".encode())
    for index in indices:
        for array in (index.file, index.row_group, index.starts, index.rows):
            hashed.update(array.tobytes())
    return hashed.hexdigest()[:32]

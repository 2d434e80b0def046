"""Which pages an output expects (`documents/`) and which it has (`pages/`). The output is its own record.

Files of pages are read newest run first. A compacted file is known by its manifest; a block that is not compacted yet,
because its run is at work or was killed, is read itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from pipelines.batch.document_index import COLUMNS, DocumentIndex
from pipelines.batch.manifest import KEY_COLUMNS, WrittenPages, read_manifests
from pipelines.batch.output_files import is_compacted, list_files, list_uris, run_number
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.page_counts import COUNTED_COLUMNS
from pipelines.errors import ProcessingError
from pipelines.schema import PageKey, Row
from pipelines.storage.files import Storage, StoredObject, join_uri
from pipelines.storage.tables import READERS, DamagedFileError, read_metadata, read_tables

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 5
"""Readings of an output that changes."""

PAGE_COLUMNS = (*KEY_COLUMNS, *(name for name in COUNTED_COLUMNS if name not in KEY_COLUMNS))

OnDamage = Callable[[str], None]
"""Called with the URI of each file that cannot be read."""


@dataclass(frozen=True)
class Findings:
    """What a run that begins finds beside the pages, and mends.

    Attributes:
        damaged: called with files that cannot be read, which are left out then; None has the first one raise.
        blocks: those that are not compacted, and compacted ones that no manifest describes as they are.
        outdated: URIs of files whose rows are in compacted ones, and of manifests without their file.
    """

    damaged: OnDamage | None = None
    blocks: list[WrittenPages] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forget what was found; damaged files have been moved already."""
        self.blocks.clear()
        self.outdated.clear()


def read_document_index(storage: Storage, output: str, damaged: OnDamage | None = None) -> DocumentIndex:
    """The documents of an output; the newest row of each document counts.

    Raises:
        ProcessingError: a file is damaged, and there is no `damaged`; or two documents have the same identity.
    """
    files = list_uris(storage, output, "documents")
    tables = read_tables(storage, files, COLUMNS, damaged)
    return DocumentIndex.of((run_number(uri), table) for uri, table in tables)


def read_written(storage: Storage, output: str, findings: Findings | None = None) -> Iterator[WrittenPages]:
    """What the files of `pages/` hold that count, those of the newest run first.

    Args:
        findings: is completed.

    Raises:
        DamagedFileError: a file is damaged, and `findings` does not take it.
        ProcessingError: a file cannot be accessed.
    """
    listed = list_files(storage, output, "pages")
    files_by_run = {run: list(files) for run, files in groupby(listed, lambda stored: run_number(stored.uri))}
    manifests = list_uris(storage, output, "manifests")
    manifests_by_run = {run: list(uris) for run, uris in groupby(manifests, run_number)}
    for run in sorted(files_by_run.keys() | manifests_by_run.keys(), reverse=True):
        files = {_name(stored.uri): stored for stored in files_by_run.get(run, ())}
        # A file that takes the place of another has the greater name, and is met first.
        yield from _read_run(storage, files, manifests_by_run.get(run, [])[::-1], findings)


def _read_run(
    storage: Storage, files: dict[str, StoredObject], manifests: list[str], findings: Findings | None
) -> Iterator[WrittenPages]:
    replaced, told = set[str](), set[str]()
    for uri, manifest in zip(manifests, read_manifests(storage, manifests), strict=True):
        if manifest is None:  # its file is read itself
            if findings is not None and findings.damaged is not None:
                findings.damaged(uri)
            continue
        replaced.update(name for name in manifest.replaced if name in files)
        name = manifest.pages.name
        if name not in files and findings is not None:
            findings.outdated.append(uri)
        if name in files and name not in replaced and files[name].size_bytes == manifest.pages.size_bytes:
            told.add(name)
            yield manifest.pages
    sizes = {stored.uri: stored.size_bytes for name, stored in files.items() if name not in told | replaced}
    damaged = None if findings is None else findings.damaged
    for uri, table in read_tables(storage, reversed(sizes), PAGE_COLUMNS, damaged):
        written = WrittenPages.of(table, _name(uri), sizes[uri])
        if findings is not None:
            findings.blocks.append(written)
        yield written
    if findings is not None:
        findings.outdated.extend(files[name].uri for name in sorted(replaced))


def find_damaged(storage: Storage, output: str) -> list[str]:
    """The files of pages whose end cannot be read; a file that lost power while it was written has none.

    Only compacted files are looked at: blocks are read anyway.
    """

    def is_damaged(uri: str) -> bool:
        try:
            read_metadata(storage, uri)
        except DamagedFileError:
            return True
        return False

    compacted = [uri for uri in list_uris(storage, output, "pages") if is_compacted(_name(uri))]
    with ThreadPoolExecutor(READERS) as pool:
        return [uri for uri, damaged in zip(compacted, pool.map(is_damaged, compacted), strict=True) if damaged]


def read_pages_done(
    storage: Storage, output: str, documents: DocumentIndex, findings: Findings | None = None
) -> PageBitmap:
    """The pages that `documents` expect; those that the output has are marked, failed ones included."""

    def read() -> PageBitmap:
        if findings is not None:
            findings.clear()
        done = PageBitmap(documents)
        for written in read_written(storage, output, findings):
            done.mark(written.documents, written.page_indices, written.run)
        return done

    return with_current_files(read)


def read_failed_pages(storage: Storage, output: str, documents: DocumentIndex) -> frozenset[PageKey]:
    """The expected pages whose newest row is a failed one."""
    seen, failed = PageBitmap(documents), set[PageKey]()
    for written in read_written(storage, output):
        fresh = seen.mark(written.documents, written.page_indices, written.run) & written.failed
        failed.update(zip(written.documents[fresh].names(), written.page_indices[fresh].tolist(), strict=True))
    return frozenset(failed)


def pages_to_do(storage: Storage, output: str, done: PageBitmap) -> Iterator[Row]:
    """The expected pages that are not marked as done: rows of `PAGE_TO_DO`, read lazily."""
    columns = ("document_id", "uri", "media_type", "page_count")
    for _, documents in read_tables(storage, list_uris(storage, output, "documents"), columns):
        for position, page_indices in done.unmarked_of(documents["document_id"].to_pylist()):
            (document,) = documents.slice(position, 1).to_pylist()
            yield from ({**document, "page_index": page_index} for page_index in page_indices)


def with_current_files(read: Callable[[], Result]) -> Result:
    """What `read` returns, which is repeated if a file that it found is gone: a run that was overtaken may still be at
    work on the last file that it compacts."""
    for _ in range(ATTEMPTS - 1):
        try:
            return read()
        except ProcessingError as error:
            if error.kind != "not_found":
                raise
            logger.warning("%s; the output is listed again", error.message)
            time.sleep(1.0)
    return read()


def page_uri(output: str, name: str) -> str:
    """The URI of a file of `pages/`."""
    return join_uri(output, "pages", name)


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]

"""From inputs to documents: every input is listed lazily, and each URI appears once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipelines.batch.inputs import can_repeat, list_input
from pipelines.batch.manifest import is_own_file
from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.storage.files import Storage, StoredObject


def document_id(uri: str) -> str:
    """16 hexadecimal digits that identify a URI in all tables."""
    return hashlib.blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def listed_row(stored: StoredObject) -> Row:
    """A listed file or object as a row of `LISTED`."""
    return {
        "document_id": document_id(stored.uri),
        "uri": stored.uri,
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
    }


def list_documents(inputs: Sequence[str], storage: Storage, *, output: str | None = None) -> Iterator[StoredObject]:
    """Everything under the inputs, lazily, each URI once, except what a run wrote under `output`.

    Args:
        inputs: see `list_input`. A single folder needs no memory, and a prefix 8 bytes a key; several inputs, which may
            overlap, and lists of documents need about 70 bytes a document.

    Raises:
        ProcessingError: an input does not exist, is empty, or may not be listed; raised before the first document.
    """
    for uri in inputs:
        if next(list_input(uri, storage), None) is None:
            raise ProcessingError("not_found", f"no documents under {uri}")
    seen: set[int] = set()
    may_repeat = len(inputs) > 1 or any(map(can_repeat, inputs))
    for uri in inputs:
        for stored in list_input(uri, storage):
            if output is not None and is_own_file(stored.uri, output):
                continue
            if may_repeat:
                identity = int(document_id(stored.uri), 16)
                if identity in seen:
                    continue
                seen.add(identity)
            yield stored

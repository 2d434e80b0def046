"""From folders and buckets to documents: every input is listed lazily, and each URI is given once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipelines.batch.manifest import is_own_file
from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, StoredObject


def document_id(uri: str) -> str:
    """16 hexadecimal digits that stand for a URI in all tables."""
    return hashlib.blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def list_documents(inputs: Sequence[str], storage: Storage, *, output: str | None = None) -> Iterator[StoredObject]:
    """Everything under the inputs, lazily, each URI once, but what a run wrote under `output`.

    Nothing is remembered of one input; of several, which may overlap, some 70 bytes of each document are.

    Raises:
        ProcessingError: an input does not exist, holds nothing, or may not be listed; before anything is given.
    """
    for uri in inputs:
        if next(storage.list(uri), None) is None:
            raise ProcessingError("not_found", f"no documents under {uri}")
    seen: set[int] = set()
    for uri in inputs:
        for stored in storage.list(uri):
            if output is not None and is_own_file(stored.uri, output):
                continue
            if len(inputs) > 1:
                identity = int(document_id(stored.uri), 16)
                if identity in seen:
                    continue
                seen.add(identity)
            yield stored

"""From inputs to documents: every input is listed lazily, and each URI appears once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.batch.document_index import shared_identity
from pipelines.batch.identities import document_id, uri_hash
from pipelines.batch.inputs import can_repeat, list_input
from pipelines.batch.output_files import is_own_file
from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.storage.files import Storage, StoredObject


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
            overlap, and lists of documents need about 140 bytes a document.

    Raises:
        ProcessingError: an input does not exist, is empty, or may not be listed; raised before the first document. Or
            two documents have the same identity.
    """
    for uri in inputs:
        if next(list_input(uri, storage), None) is None:
            raise ProcessingError("not_found", f"no documents under {uri}")
    seen: dict[int, int] = {}
    may_repeat = len(inputs) > 1 or any(map(can_repeat, inputs))
    for uri in inputs:
        for stored in list_input(uri, storage):
            if output is not None and is_own_file(stored.uri, output):
                continue
            if may_repeat:
                identity, check = int(document_id(stored.uri), 16), uri_hash(stored.uri)
                if identity in seen:
                    if seen[identity] != check:
                        raise shared_identity(document_id(stored.uri), f"{stored.uri} and another document")
                    continue
                seen[identity] = check
            yield stored

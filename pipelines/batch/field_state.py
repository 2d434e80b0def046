"""Whether the fields and records of an output are still those of its pages, so that a run need not make them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipelines.batch.output_files import RECORDS_CSV, list_written
from pipelines.fields.acceptance import Acceptance
from pipelines.fields.records import RecordOptions
from pipelines.storage.files import Storage, join_uri

VERSION = 1
"""Of how fields and records are made of pages: to be raised when they become others, so that old ones are made anew."""

FINGERPRINT = "fields_fingerprint"
_FIGURES = (
    "fields",
    "records",
    "fields_accepted",
    "fields_needs_review",
    "accept_precision",
    "accept_min_score",
    "fields_errors_left",
)
"""What `run.json` says of fields and records."""


def field_fingerprint(
    storage: Storage, output: str, options: RecordOptions | None, acceptance: Acceptance | None
) -> str:
    """A hash of what fields and records were made of, and of their files: names and sizes, which tell what is in them.

    Args:
        options: how records are made; None for none.
        acceptance: which fields are accepted; None marks none.
    """
    made: dict[str, Any] = {
        "version": VERSION,
        "records": None if options is None else {"min_score": options.min_score, "spec": options.spec.as_json()},
        "acceptance": None if acceptance is None else asdict(acceptance),
        "csv": storage.exists(join_uri(output, RECORDS_CSV)),
    }
    for table in ("documents", "pages", "fields", "records"):
        files = list_written(storage, output, table)
        made[f"files of {table}"] = [(stored.uri.rpartition("/")[2], stored.size_bytes) for stored in files]
    return hashlib.blake2b(json.dumps(made, sort_keys=True).encode(), digest_size=16).hexdigest()


def unchanged_figures(earlier: Mapping[str, Any] | None, fingerprint: str) -> dict[str, Any] | None:
    """What the record of the run before says of fields and records; None if they have to be made again.

    Args:
        earlier: the record; None if there is none.
        fingerprint: of the output as it is.
    """
    if earlier is None or earlier.get(FINGERPRINT) != fingerprint:
        return None
    return {name: earlier[name] for name in (*_FIGURES, FINGERPRINT) if name in earlier}

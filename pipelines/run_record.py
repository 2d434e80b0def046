"""The record of a run, `run.json`: what was asked, with what, and what became of it. It decides what may be added."""

from __future__ import annotations

import json
import logging
import platform
import secrets
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines.ledger import forget_failed, is_own_file, table_files
from pipelines.storage import Storage, join_uri

logger = logging.getLogger(__name__)

RECORD = "run.json"
TABLES = ("documents", "pages", "answers")
PACKAGES = ("ray", "torch", "tokenizers", "tesserocr", "pypdfium2", "Pillow", "pyarrow")
SAME_FOR_ALL_PAGES = ("model", "extract.model", "extract.task", "extract.questions")
"""Options that a retry cannot change: columns and meaning of the rows hang on them."""


class OutputConflictError(Exception):
    """The output holds the result of other options; the message names them."""


def new_record(model: str, inputs: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that begins; `options` are those that shape the rows, as plain JSON."""
    return {
        "run_id": f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        "status": "running",
        "started": now(),
        "model": model,
        "inputs": list(inputs),
        "options": options,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def begin_output(storage: Storage, output: str, record: dict[str, Any], overwrite: bool, retry_failed: bool) -> None:
    """Refuse an output of other options, or clear it, or forget what failed; leave a mark that a run has begun.

    Raises:
        OutputConflictError: what is there does not go together with this run.
        PageError: the output cannot be accessed.
    """
    uri = join_uri(output, RECORD)
    if overwrite:
        for table in TABLES:
            for uri in table_files(storage, output, table):
                if is_own_file(uri, output):
                    storage.delete(uri)
    elif storage.exists(uri):
        earlier = json.loads(storage.read(uri))
        record["retries"] = earlier.get("retries", [])
        differences = _differences(earlier, record)
        if retry_failed:
            _retry(storage, output, record, earlier, differences)
        elif differences:
            raise OutputConflictError(
                f"{output} was made with other options ({_told(differences)}): choose another --output, or "
                "--overwrite to remove what is there, or --retry-failed to use them for the pages that failed"
            )
    elif retry_failed:
        raise OutputConflictError(f"there is no earlier run in {output} whose failed pages could be tried again")
    write_record(storage, output, record)


def _retry(
    storage: Storage,
    output: str,
    record: dict[str, Any],
    earlier: dict[str, Any],
    differences: dict[str, tuple[Any, Any]],
) -> None:
    """Forget what failed; the record keeps the options of the output as a whole, and tells those of the retry."""
    mixed = {name: values for name, values in differences.items() if name in SAME_FOR_ALL_PAGES}
    if mixed:
        raise OutputConflictError(
            f"--retry-failed adds to {output}, whose other pages were made differently ({_told(mixed)}): "
            "give the same, or choose another --output"
        )
    pages, documents = forget_failed(storage, output)
    logger.info("%d failed documents and %d failed pages are done again", documents, pages)
    record["options"] = earlier["options"]
    changed = {name: new for name, (_, new) in differences.items()}
    retry = {"run_id": record["run_id"], "documents": documents, "pages": pages, "options": changed}
    record["retries"] = [*record["retries"], retry]


def _differences(earlier: dict[str, Any], record: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    old, new = (_flat({"model": made.get("model"), **made.get("options", {})}) for made in (earlier, record))
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _told(differences: dict[str, tuple[Any, Any]]) -> str:
    return "; ".join(f"{name} was {old!r} and is {new!r}" for name, (old, new) in differences.items())


def _flat(options: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in options.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def write_record(storage: Storage, output: str, record: dict[str, Any]) -> None:
    """Write `run.json` at once."""
    storage.write(join_uri(output, RECORD), (json.dumps(record, indent=2) + "\n").encode())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def now() -> str:
    """The time as records tell it: ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

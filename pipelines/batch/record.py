"""The record of a run, `run.json`: what was asked, with what, and what became of it. It decides what may be added."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines.batch.manifest import is_own_file
from pipelines.runtime.output_record import OutputConflictError, now
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import table_files

RECORD = "run.json"
CLEARING = "clearing"
"""The status of an output whose earlier rows are being removed; a run that finds it removes the rest."""

TABLES = ("documents", "pages", "answers")
PACKAGES = ("ray", "torch", "tokenizers", "tesserocr", "pypdfium2", "Pillow", "pyarrow")
SAME_FOR_ALL_PAGES = ("model", "extract.model", "extract.task", "extract.questions")
"""Options that a retry cannot change: columns and meaning of the rows hang on them."""


class OutputClaimedError(OutputConflictError):
    """Another run has begun on the same output since; that one goes on, and this one must not."""


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


def claim_output(storage: Storage, output: str, record: dict[str, Any], overwrite: bool, retry_failed: bool) -> None:
    """Refuse an output of other options, or clear it; leave a mark that a run has begun, by which it owns the output.

    Raises:
        OutputConflictError: what is there does not go together with this run.
        ProcessingError: the output cannot be accessed.
    """
    uri = join_uri(output, RECORD)
    earlier = json.loads(storage.read(uri)) if storage.exists(uri) else None
    if overwrite or (earlier is not None and earlier["status"] == CLEARING):
        write_record(storage, output, record | {"status": CLEARING})
        _clear(storage, output)
        earlier = None
    if earlier is not None:
        record["retries"] = earlier.get("retries", [])
        differences = _differences(earlier, record)
        if retry_failed:
            _check_retry(output, earlier, differences)
            # The record keeps the options of the output as a whole, and tells those of the retry.
            record["options"] = earlier["options"]
            changed = {name: new for name, (_, new) in differences.items()}
            record["retries"] = [*record["retries"], {"run_id": record["run_id"], "options": changed}]
        elif differences:
            raise OutputConflictError(
                f"{output} was made with other options ({_told(differences)}): choose another --output, or "
                "--overwrite to remove what is there, or --retry-failed to use them for the pages that failed"
            )
    elif retry_failed:
        raise OutputConflictError(f"there is no earlier run in {output} whose failed pages could be tried again")
    write_record(storage, output, record)


def _clear(storage: Storage, output: str) -> None:
    for table in TABLES:
        for uri in table_files(storage, output, table):
            if is_own_file(uri, output):
                storage.delete(uri)


def check_ownership(storage: Storage, output: str, run_id: str) -> None:
    """Find out whether another run has taken the output over.

    Raises:
        OutputClaimedError: it has, and goes on with what this one wrote.
    """
    owner = json.loads(storage.read(join_uri(output, RECORD)))["run_id"]
    if owner != run_id:
        raise OutputClaimedError(f"another run ({owner}) has begun on {output} since and goes on there; this one ends")


def _check_retry(output: str, earlier: dict[str, Any], differences: dict[str, tuple[Any, Any]]) -> None:
    mixed = {name: values for name, values in differences.items() if name in SAME_FOR_ALL_PAGES}
    if mixed:
        raise OutputConflictError(
            f"--retry-failed adds to {output}, whose other pages were made differently ({_told(mixed)}): "
            "give the same, or choose another --output"
        )
    was_retry = any(retry["run_id"] == earlier["run_id"] for retry in earlier.get("retries", []))
    if earlier["status"] != "done" and not was_retry:
        raise OutputConflictError(
            f"the run in {output} did not come to its end: finish it with the same command without --retry-failed, "
            "then try again what failed"
        )


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

"""Which run may write to an output: a run claims it through `run.json`, and checks that it still owns it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.batch.manifest import is_own_file
from pipelines.batch.record import RECORD, write_record
from pipelines.runtime.output_record import Difference, OutputConflictError, find_differences
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import table_files

CLEARING = "clearing"
"""The status of an output whose earlier rows are being removed; a run that finds it removes the rest."""

TABLES = ("documents", "pages", "answers")
SAME_FOR_ALL_PAGES = ("model", "extract.model", "extract.task", "extract.questions")
"""Options that a retry cannot change: the columns and the meaning of the rows depend on them."""


class OutputClaimedError(OutputConflictError):
    """Another run has claimed the output since and continues there; this one must stop."""


def claim_output(storage: Storage, output: str, record: dict[str, Any], overwrite: bool, retry_failed: bool) -> None:
    """Write the record of a run that begins, by which it owns the output; with `overwrite`, remove earlier rows first.

    `record` is completed with what the output's history adds: earlier retries and, in a retry, the output's options.

    Raises:
        OutputConflictError: the output was made with options that this run does not share.
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
        differences = find_differences(_row_options(earlier), _row_options(record))
        if retry_failed:
            _check_retry(output, earlier, differences)
            # The record keeps the options of the output as a whole, and lists those of the retry beside them.
            record["options"] = earlier["options"]
            changed = {difference.name: difference.new for difference in differences}
            record["retries"] = [*record["retries"], {"run_id": record["run_id"], "options": changed}]
        elif differences:
            raise OutputConflictError(
                f"{output} was made with other options ({_join(differences)}): choose another --output, "
                "or --overwrite to remove what is there, or --retry-failed to use them for the pages that failed"
            )
    elif retry_failed:
        raise OutputConflictError(f"there is no earlier run in {output} whose failed pages could be tried again")
    write_record(storage, output, record)


def check_ownership(storage: Storage, output: str, run_id: str) -> None:
    """Check that no other run has claimed the output since this one did.

    Raises:
        OutputClaimedError: another run has, and continues with what this one wrote.
    """
    owner = json.loads(storage.read(join_uri(output, RECORD)))["run_id"]
    if owner != run_id:
        raise OutputClaimedError(f"another run ({owner}) has claimed {output} and continues it; this one ends")


def _clear(storage: Storage, output: str) -> None:
    for table in TABLES:
        for uri in table_files(storage, output, table):
            if is_own_file(uri, output):
                storage.delete(uri)


def _row_options(record: dict[str, Any]) -> dict[str, Any]:
    return {"model": record.get("model"), **record.get("options", {})}


def _join(differences: Sequence[Difference]) -> str:
    return "; ".join(map(str, differences))


def _check_retry(output: str, earlier: dict[str, Any], differences: Sequence[Difference]) -> None:
    mixed = [difference for difference in differences if difference.name in SAME_FOR_ALL_PAGES]
    if mixed:
        raise OutputConflictError(
            f"--retry-failed adds to {output}, whose other pages were made differently ({_join(mixed)}): "
            "use the same options, or choose another --output"
        )
    was_retry = any(retry["run_id"] == earlier["run_id"] for retry in earlier.get("retries", []))
    if earlier["status"] != "done" and not was_retry:
        raise OutputConflictError(
            f"the run in {output} did not finish: finish it with the same command without --retry-failed, then try "
            "again what failed"
        )

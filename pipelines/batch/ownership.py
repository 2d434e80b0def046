"""Which run may write to an output: a run claims it through `run.json`, and checks that it still owns it.

The record is replaced only if it is still the one that was read, so that of two runs that begin at once the second one
takes over from the first, and one that was overtaken never writes over the record of the other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from pipelines.batch.manifest import read_manifests
from pipelines.batch.output_files import (
    RECORD,
    RECORDS_CSV,
    TABLES,
    SetAside,
    list_own,
    list_uris,
    run_number,
)
from pipelines.batch.record import FORMAT, encode_record, new_run_id
from pipelines.runtime.output_record import Difference, OutputConflictError, find_differences
from pipelines.storage.files import Storage, is_s3, join_uri

logger = logging.getLogger(__name__)

SAME_FOR_ALL_PAGES = ("model", "extract.model", "extract.task", "extract.questions", "extract.keep_pictures")
"""Options that a retry cannot change: the columns and the meaning of the rows depend on them."""


class OutputClaimedError(OutputConflictError):
    """Another run has claimed the output since and continues there; this one must stop."""


class Claim:
    """A run's ownership of an output.

    Attributes:
        run_id: of the run, whose number is higher than that of any run before.
        set_aside: what this run and earlier ones could not read.
        earlier: the record of the run before; None if there is none.
    """

    def __init__(
        self,
        storage: Storage,
        output: str,
        run_id: str,
        version: str,
        set_aside: SetAside,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        """`version`: of the record that the run has written, see `Storage.write_if`."""
        self.earlier = earlier
        self._storage, self._output, self._version = storage, output, version
        self.run_id, self.set_aside = run_id, set_aside

    def check(self) -> None:
        """Check that no other run has claimed the output since.

        Raises:
            OutputClaimedError: another run has, and continues with what this one wrote.
        """
        check_ownership(self._storage, self._output, self.run_id)

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record.

        Raises:
            OutputClaimedError: another run has claimed the output; its record stays.
        """
        uri = join_uri(self._output, RECORD)
        version = self._storage.write_if(uri, encode_record(record), self._version)
        if version is None:
            self.check()
            raise OutputClaimedError(f"{uri} was changed while this run was at work; this one ends")
        self._version = version


def claim_output(storage: Storage, output: str, record: dict[str, Any], overwrite: bool, retry_failed: bool) -> Claim:
    """Write the record of a run that begins, by which it owns the output; with `overwrite`, remove earlier rows then.

    `record` is completed with the run's id and with what the output's history adds: earlier retries and, in a retry,
    the output's options.

    Raises:
        OutputConflictError: the output was made with options that this run does not share, or by an earlier version.
        ProcessingError: the output cannot be accessed.
    """
    uri = join_uri(output, RECORD)
    set_aside = SetAside(storage, output)
    while True:
        read = storage.read_versioned(uri)
        earlier = _decoded(read[0]) if read is not None else _reconstructed(storage, output)
        if read is not None and earlier is None:
            logger.warning("%s is damaged; it is set aside", uri)
            set_aside(uri)
            continue
        claimed = _claimed(output, earlier, record, overwrite, retry_failed)
        version = storage.write_if(uri, encode_record(claimed), None if read is None else read[1])
        if version is not None:
            break
    record |= claimed
    if is_s3(output):
        version = _check_conditions(storage, uri, record, version)
    for table in TABLES:
        storage.remove_partial_files(join_uri(output, table))
    storage.remove_partial_files(output, f"{RECORDS_CSV}.*")
    if overwrite:
        remove_cleared(storage, output, record["first_run"])
    set_aside.names[:0] = record["damaged"]
    return Claim(storage, output, record["run_id"], version, set_aside, earlier)


def remove_cleared(storage: Storage, output: str, first_run: int) -> None:
    """Remove what runs before `first_run` wrote, or have written since the output was cleared."""
    if not first_run:
        return
    cleared = [file for file in list_own(storage, output) if run_number(file) < first_run]
    if any(file.startswith(join_uri(output, "records", "")) for file in cleared):
        storage.delete(join_uri(output, RECORDS_CSV))  # first: without the table none would know whose file it is
    storage.delete_all(cleared)


def check_ownership(storage: Storage, output: str, run_id: str) -> None:
    """Check that no other run has claimed the output since this one did.

    Raises:
        OutputClaimedError: another run has, and continues with what this one wrote.
    """
    owner = owner_of(storage, output)
    if owner != run_id:
        raise OutputClaimedError(f"another run ({owner}) has claimed {output} and continues it; this one ends")


def owner_of(storage: Storage, output: str) -> str | None:
    """The id of the run that owns the output; None if it has no record, or a damaged one."""
    read = storage.read_versioned(join_uri(output, RECORD))
    record = None if read is None else _decoded(read[0])
    return None if record is None else record["run_id"]


def _decoded(content: bytes) -> dict[str, Any] | None:
    """The record; None if it is damaged."""
    try:
        record = json.loads(content)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("run_id"), str) else None


def _reconstructed(storage: Storage, output: str) -> dict[str, Any] | None:
    """What the files of an output without a record tell of it; None if there are none."""
    files = list(list_own(storage, output))
    if not files:
        return None
    manifests = read_manifests(storage, list_uris(storage, output, "manifests")[-1:])
    options = next((manifest.options for manifest in manifests if manifest is not None), None)
    if options is None:
        logger.warning(
            "%s has no %s, and nothing tells the options of its rows: they are taken as they are", output, RECORD
        )
    number = max(map(run_number, files))
    return {
        "format": FORMAT if number else 1,
        "run_id": f"{number:08d}-000000",
        "status": "lost",
        "row_options": options,
    }


def _claimed(
    output: str, earlier: dict[str, Any] | None, record: dict[str, Any], overwrite: bool, retry_failed: bool
) -> dict[str, Any]:
    """The record of the run that begins, with its id and the output's history."""
    if earlier is None:
        if retry_failed:
            raise OutputConflictError(f"there is no earlier run in {output} whose failed pages could be tried again")
        return record | {"run_id": new_run_id(1)}
    number = run_number(earlier["run_id"]) + 1
    history = {"first_run": earlier.get("first_run", 0), "damaged": earlier.get("damaged", [])}
    claimed = record | history | {"run_id": new_run_id(number)}
    if overwrite:
        return claimed | {"first_run": number, "damaged": []}
    if earlier.get("format") != FORMAT:
        raise OutputConflictError(
            f"{output} was made by an earlier version, whose documents have shorter identities: choose another "
            "--output, or --overwrite to make it anew; the earlier version can still complete it"
        )
    old_options = _row_options(earlier)
    differences = [] if old_options is None else find_differences(old_options, _row_options(record) or {})
    claimed["retries"] = earlier.get("retries", [])
    if retry_failed:
        _check_retry(output, earlier, differences)
        # The record keeps the options of the output as a whole, and lists those of the retry beside them.
        changed = {difference.name: difference.new for difference in differences}
        claimed["options"] = earlier["options"]
        claimed["retries"] = [*claimed["retries"], {"run_id": claimed["run_id"], "options": changed}]
    elif differences:
        raise OutputConflictError(
            f"{output} was made with other options ({_join(differences)}): choose another --output, "
            "or --overwrite to remove what is there, or --retry-failed to use them for the pages that failed"
        )
    return claimed


def _check_conditions(storage: Storage, uri: str, record: dict[str, Any], version: str) -> str:
    """The record's version; warns of a server that ignores the conditions of a write, which writes it once more."""
    rewritten = storage.write_if(uri, encode_record(record) + b"\n", None)
    if rewritten is None:
        return version
    logger.warning(
        "this S3 server ignores If-None-Match: two runs that begin within a second may both go on for a while"
    )
    return rewritten


def row_options(record: dict[str, Any]) -> dict[str, Any]:
    """What determines the rows of an output, of its record."""
    return {"model": record.get("model"), **record.get("options", {})}


def _row_options(record: dict[str, Any]) -> dict[str, Any] | None:
    """The same, of a record that may be reconstructed; None if it is not known."""
    return record["row_options"] if "row_options" in record else row_options(record)


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

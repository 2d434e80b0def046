"""A run: discover the documents, extract their pages, choose answers or collect fields, audit the output, report."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from pipelines.batch.answers import write_answers
from pipelines.batch.audit import OutputAudit, audit_output
from pipelines.batch.compaction import Compactor
from pipelines.batch.discovery import FIRST_PATIENCE_SECONDS, discover_documents
from pipelines.batch.field_state import FINGERPRINT, field_fingerprint, unchanged_figures
from pipelines.batch.fields import write_fields
from pipelines.batch.options import RunOptions
from pipelines.batch.output_files import is_own_file, run_number
from pipelines.batch.ownership import Claim, OutputClaimedError, claim_output, remove_cleared
from pipelines.batch.page_writer import make_compactor, write_pages
from pipelines.batch.record import PhaseSeconds, completed_fields, ended_fields, new_record
from pipelines.batch.repair import keep_newest_pages
from pipelines.batch.report import write_report
from pipelines.batch.written_pages import Findings
from pipelines.errors import JobError, describe_error
from pipelines.options import infer_options
from pipelines.runtime.cluster import Cluster
from pipelines.stages.model_loader import model_name, weights_bytes
from pipelines.stages.runtime_choice import worker_device
from pipelines.storage.files import Storage
from pipelines.storage.tables import DamagedFileError

logger = logging.getLogger(__name__)


def run(options: RunOptions, connect: Callable[[], None] | None = None) -> dict[str, Any]:
    """Do the job; returns the content of `run.json`.

    Args:
        connect: connects to Ray, and is called only if there is more work than this process does sooner by itself. None
            if Ray is connected already; all work is done there then.

    Raises:
        ProcessingError: an input or the output cannot be accessed.
        OutputConflictError: the output was made with other options, or another run has claimed it.
    """
    started = time.monotonic()
    storage = Storage(FIRST_PATIENCE_SECONDS)
    record = new_record(model_name(options.extract.model), options.inputs, options.result_options())
    claim = claim_output(storage, options.output, record, options.overwrite, options.retry_failed)
    try:
        _run_phases(storage, options, connect, record, claim, started)
    except OutputClaimedError:
        raise  # the record belongs to the other run
    except KeyboardInterrupt:
        _write_end(claim, record, "interrupted", "interrupted; the same command goes on from here")
        raise
    except BaseException as error:
        reason = str(error) if isinstance(error, JobError) else describe_error(error)[1]
        _write_end(claim, record, "failed", reason)
        raise
    return record


def _run_phases(
    storage: Storage,
    options: RunOptions,
    connect: Callable[[], None] | None,
    record: dict[str, Any],
    claim: Claim,
    started: float,
) -> None:
    """The phases of a run, which complete `record` and write it; `started` is a time of `time.monotonic`."""
    cluster = _cluster(options, connect)
    retry = discover_documents(storage, options, cluster, claim)
    discovered = time.monotonic()
    pages, fields = 0, dict[str, Any]()
    with make_compactor(storage, options, record) as compactor:
        while True:
            try:
                pages += write_pages(storage, options, cluster, record, claim, compactor, retry.pages)
                extracted = time.monotonic()
                audit = _audit_repaired_output(storage, options.output, compactor, record, claim, len(retry.pages))
                if options.extract.task == "question-answering":
                    write_answers(storage, options.output, options.extract.questions, claim.run_id)
                if options.extract.task == "token-classification":
                    fields = _update_fields(storage, options, claim, audit.documents.total())
                break
            except DamagedFileError as error:  # its pages are written again
                if not is_own_file(error.uri, options.output):
                    raise
                logger.warning("%s; it is set aside", error.message)
                compactor.abandon()
                claim.check()
                claim.set_aside(error.uri)

    if options.retry_failed:
        record["retries"][-1] |= {"documents": retry.documents, "pages": len(retry.pages)}
    seconds = PhaseSeconds(discovered - started, extracted - discovered, time.monotonic() - started)
    record |= completed_fields(options, audit, pages, seconds)
    record |= fields
    record["damaged"] = claim.set_aside.names
    claim.write(record)
    write_report(storage, options.output, record, options.report_pages, options.extract.limits, options.extract.access)


def _cluster(options: RunOptions, connect: Callable[[], None] | None) -> Cluster:
    extract = options.extract
    device = worker_device(extract.model, infer_options(extract))
    return Cluster(connect, options.read_workers, options.model_workers, device, weights_bytes(extract.model))


def _update_fields(storage: Storage, options: RunOptions, claim: Claim, documents: int) -> dict[str, Any]:
    """Make fields and records of the pages, unless the run before made the same; returns what `run.json` says of them.

    Args:
        documents: number of documents of the output.
    """
    made = options.records, options.acceptance
    unchanged = unchanged_figures(claim.earlier, field_fingerprint(storage, options.output, *made))
    if unchanged is not None:
        return unchanged
    totals = write_fields(storage, options.output, options.records, claim.run_id, options.acceptance, documents)
    return totals.as_json(*made) | {FINGERPRINT: field_fingerprint(storage, options.output, *made)}


def _audit_repaired_output(
    storage: Storage, output: str, compactor: Compactor, record: dict[str, Any], claim: Claim, superseded: int
) -> OutputAudit:
    """Audit the output; rows and files that do not count are removed first.

    Where the documents of some pages are not known any more, because a file of documents was damaged, the pages stay,
    and the audit calls them unexpected.

    Args:
        superseded: rows that a retry is known to have replaced; more than these are worth a warning.
    """
    remove_cleared(storage, output, record["first_run"])
    findings = Findings()
    audit = audit_output(storage, output, findings)
    storage.delete_all(findings.outdated)
    if not audit.duplicate and not audit.unexpected:
        return audit
    keep_unknown = any(name.startswith("documents/") for name in claim.set_aside.names)
    dropped = keep_newest_pages(storage, output, compactor, run_number(claim.run_id), keep_unknown)
    compactor.finish()
    if dropped > superseded:
        logger.warning("%d rows were duplicate or of pages that no longer exist; the newest are kept", dropped)
    return audit_output(storage, output)


def _write_end(claim: Claim, record: dict[str, Any], status: str, error: str) -> None:
    """Record that the run did not come to its end."""
    record |= ended_fields(status, error) | {"damaged": claim.set_aside.names}
    # The output may be what failed, or belong to another run by now; the original error is raised again.
    with contextlib.suppress(JobError):
        claim.write(record)

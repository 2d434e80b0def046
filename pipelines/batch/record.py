"""The record of a run, `run.json`: its options, its environment, and what became of every document and page."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines.batch.audit import OutputAudit
from pipelines.batch.options import RunOptions
from pipelines.runtime.machine import describe_machine
from pipelines.runtime.output_record import now

FORMAT = 2
"""Of the output's files. Before it, documents had identities of 64 bits, and runs were named by the clock."""

PACKAGES = ("ray", "torch", "tokenizers", "rapidocr", "openvino", "tesserocr", "pypdfium2", "Pillow", "pyarrow")


@dataclass(frozen=True)
class PhaseSeconds:
    """Seconds by the clock that a run took; `total` includes the phases that have no figure of their own."""

    discovery: float
    extraction: float
    total: float


def new_run_id(number: int) -> str:
    """The id of the run with this number."""
    return f"{number:08d}-{secrets.token_hex(3)}"


def new_record(model: str, inputs: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that begins, without its id: `claim_output` gives it one.

    Args:
        options: those that determine the rows, as plain JSON.
    """
    return {
        "format": FORMAT,
        "run_id": None,
        "first_run": 0,
        "damaged": [],
        "status": "running",
        "started": now(),
        "model": model,
        "inputs": list(inputs),
        "options": options,
        "machine": describe_machine(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def completed_fields(options: RunOptions, audit: OutputAudit, pages: int, seconds: PhaseSeconds) -> dict[str, Any]:
    """What the record of a run that came to its end adds to that of one that begins.

    Args:
        pages: number of pages that this run extracted.
    """
    limits = options.extract.limits
    return {
        "status": "done" if audit.is_complete else "incomplete",
        "finished": now(),
        **audit.as_json(),
        "failures": audit.failures(options.command, limits, options.listing.max_document_bytes),
        "limits": {
            "page_time_limit_seconds": limits.seconds,
            "page_memory_limit_megabytes": limits.megabytes,
            "pages_ended": audit.counts.ended,
            "seconds_lost": round(audit.counts.ended_seconds, 3),
        },
        "pages_this_run": pages,
        "pages_per_second": round(pages / max(seconds.extraction, 1e-9), 3),
        "seconds": {
            "listing": round(seconds.discovery, 3),
            "extracting": round(seconds.extraction, 3),
            "total": round(seconds.total, 3),
            "by_stage": audit.counts.seconds_by_stage(),
        },
    }


def ended_fields(status: str, error: str) -> dict[str, Any]:
    """What the record of a run that did not come to its end adds."""
    return {"status": status, "finished": now(), "error": error}


def encode_record(record: dict[str, Any]) -> bytes:
    """The content of `run.json`."""
    return (json.dumps(record, indent=2) + "\n").encode()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

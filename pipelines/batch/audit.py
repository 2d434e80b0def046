"""The audit of an output: every expected document and page, by what became of it. Its totals always add up."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.manifest import read_document_index
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.retry_hints import advice, retry_command
from pipelines.errors import ErrorKind
from pipelines.schema import PageKey, Row
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, table_files

STAGES = ("rasterize", "ocr", "infer")
EXAMPLES = 3
"""Failures of each kind that `run.json` names."""

ENDED_KINDS = ("timeout", "out_of_memory", "crashed")
POOREST = 10
"""Pages that `run.json` names as those that were read worst."""

_COLUMNS = (
    "document_id", "uri", "page_index", "status", "error_kind", "error", "text_source", "seconds", "read_quality",
    "needs_review",
)  # fmt: skip


@dataclass
class OutputAudit:
    """Counts over `documents/` and `pages/`.

    Attributes:
        documents, pages: by status; `document_errors`, `page_errors`: the failed ones by error kind.
        expected: pages that the documents expect.
        text_sources: pages that were read, by where their text comes from.
        read_qualities: pages that were read, by the tenth of their read quality: [0, 0.1) first, [0.9, 1] last.
        needs_review: pages that were read less well than the run accepts.
        poorest: up to `POOREST` pages that were read worst, and not perfectly, as (quality, uri, page_index, table),
            where the table is named within the output.
        missing: expected pages without a row.
        duplicate: rows beyond the first of a page.
        unexpected: rows of pages that no document expects.
        examples: by error kind, up to `EXAMPLES` of (uri, page_index or None for a document, error).
        seconds: by stage, summed over pages.
        ended: pages whose process crashed or was ended by a limit; `ended_seconds`: seconds spent on them.

    Duplicate and unexpected rows are counted nowhere else.
    """

    documents: Counter[str] = field(default_factory=Counter)
    document_errors: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    page_errors: Counter[str] = field(default_factory=Counter)
    text_sources: Counter[str] = field(default_factory=Counter)
    read_qualities: list[int] = field(default_factory=lambda: [0] * 10)
    needs_review: int = 0
    poorest: list[tuple[float, str, int, str]] = field(default_factory=list)
    missing: list[PageKey] = field(default_factory=list)
    duplicate: int = 0
    unexpected: int = 0
    examples: dict[str, list[tuple[str, int | None, str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    ended: int = 0
    ended_seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether every expected page has exactly one row, and there are no others."""
        return not (self.missing or self.duplicate or self.unexpected)

    def as_json(self) -> dict[str, Any]:
        """The objects `documents` and `pages` of `run.json`.

        For one release `pages` has the counts `expected`, `duplicate` and `unexpected` under their old names too:
        `promised`, `twice` and `unpromised`.
        """
        return {
            "documents": {
                "listed": self.documents.total(),
                "ok": self.documents["ok"],
                "failed": self.documents["failed"],
                "by_error_kind": dict(self.document_errors.most_common()),
            },
            "pages": {
                "expected": self.expected,
                "ok": self.pages["ok"],
                "failed": self.pages["failed"],
                "missing": len(self.missing),
                "duplicate": self.duplicate,
                "unexpected": self.unexpected,
                "by_error_kind": dict(self.page_errors.most_common()),
                "by_text_source": dict(self.text_sources.most_common()),
                "by_read_quality": {
                    f"{tenth / 10:.1f}-{(tenth + 1) / 10:.1f}": count for tenth, count in enumerate(self.read_qualities)
                },
                "needs_review": self.needs_review,
                "poorest": [
                    {"uri": uri, "page_index": page_index, "read_quality": round(quality, 3), "table": table}
                    for quality, uri, page_index, table in self.poorest
                ],
                "promised": self.expected,
                "twice": self.duplicate,
                "unpromised": self.unexpected,
            },
        }

    def seconds_by_stage(self) -> dict[str, float]:
        """Seconds of work by stage, summed over all pages of the output."""
        return {stage: round(self.seconds[stage], 3) for stage in STAGES}

    def failures(self, command: Sequence[str], limits: PageLimits, max_document_bytes: int) -> list[dict[str, Any]]:
        """By error kind, the most frequent first: counts, examples, what to do, and the command that does it."""
        counts = self.document_errors + self.page_errors
        failures = []
        for kind, count in counts.most_common():
            of_documents = self.document_errors[kind] > 0
            hint = advice(cast(ErrorKind, kind), limits, max_document_bytes, of_documents=of_documents)
            examples = [{"uri": uri, "page_index": page, "error": error} for uri, page, error in self.examples[kind]]
            failures.append(
                {
                    "error_kind": kind,
                    "count": count,
                    "documents": self.document_errors[kind],
                    "pages": self.page_errors[kind],
                    "examples": examples,
                    "advice": hint.words,
                    "command": retry_command(command, hint.options),
                }
            )
        return failures

    def _count_read(self, row: Row, table: str) -> None:
        self.text_sources[row["text_source"]] += 1
        self.needs_review += bool(row.get("needs_review"))
        quality = row.get("read_quality")
        if quality is None:  # words that were given, or an output of an earlier version
            return
        self.read_qualities[min(int(quality * 10), 9)] += 1
        if quality < 1:
            insort(self.poorest, (quality, row["uri"], row["page_index"], table))
            del self.poorest[POOREST:]

    def _keep_example(self, kind: str, uri: str, page_index: int | None, error: str) -> None:
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append((uri, page_index, error))


def audit_output(storage: Storage, output: str) -> OutputAudit:
    """Read the output's tables and compare the pages that are expected with those that are written."""
    audit = OutputAudit()
    documents = read_document_index(storage, output)
    failed = int(documents.failed.sum())
    audit.documents.update({"ok": len(documents) - failed, "failed": failed})
    if failed:
        _count_failed_documents(storage, output, audit, documents)
    written = PageBitmap(documents)
    audit.expected = written.expected
    for uri, table in read_tables(storage, table_files(storage, output, "pages"), _COLUMNS):
        identities, indices = table["document_id"].to_pylist(), table["page_index"].to_pylist()
        expected, first = written.is_expected(identities, indices), written.mark(identities, indices)
        audit.unexpected += int((~expected).sum())
        audit.duplicate += int((expected & ~first).sum())
        for row in table.filter(pa.array(first)).to_pylist():
            audit.pages[row["status"]] += 1
            if row["status"] == "failed":
                audit.page_errors[row["error_kind"]] += 1
                audit._keep_example(row["error_kind"], row["uri"], row["page_index"], row["error"])
                if row["error_kind"] in ENDED_KINDS:
                    audit.ended += 1
                    audit.ended_seconds += sum(filter(None, (row["seconds"] or {}).values()))
            else:
                audit._count_read(row, "pages/" + uri.rsplit("/pages/", 1)[-1])
            for stage, seconds in (row["seconds"] or {}).items():
                audit.seconds[stage] += seconds or 0.0
    audit.missing = list(written.unmarked())
    return audit


def _count_failed_documents(storage: Storage, output: str, audit: OutputAudit, documents: DocumentIndex) -> None:
    counted = np.zeros(len(documents), dtype=np.bool_)
    columns = ("document_id", "uri", "error_kind", "error", "status")
    files = table_files(storage, output, "documents")
    for _, table in read_tables(storage, reversed(files), columns):
        failed = table.filter(pc.equal(table["status"], "failed"))
        positions = documents.positions(failed["document_id"].to_pylist())
        for position, row in zip(positions.tolist(), failed.to_pylist(), strict=True):
            if documents.failed[position] and not counted[position]:  # the newest row, and it is a failed one
                counted[position] = True
                audit.document_errors[row["error_kind"]] += 1
                audit._keep_example(row["error_kind"], row["uri"], None, row["error"])

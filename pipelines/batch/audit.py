"""The audit of an output: every expected document and page, by what became of it. Its totals always add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.document_index import DocumentIndex
from pipelines.batch.output_files import list_uris
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.page_counts import COUNTED_COLUMNS, EXAMPLES, Example, PageCounts
from pipelines.batch.retry_hints import advice, retry_command
from pipelines.batch.written_pages import (
    Findings,
    page_uri,
    read_document_index,
    read_written,
    with_current_files,
)
from pipelines.errors import ErrorKind
from pipelines.schema import PageKey
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables


@dataclass
class OutputAudit:
    """Counts over `documents/` and `pages/`.

    Attributes:
        documents: by status; `document_errors`: the failed ones by error kind.
        document_examples: by error kind, up to `EXAMPLES` documents that failed.
        expected: pages that the documents expect.
        counts: over the pages, the newest row of each.
        missing: expected pages without a row.
        duplicate: rows beyond the first of a page.
        unexpected: rows of pages that no document expects.

    Duplicate and unexpected rows are counted nowhere else.
    """

    documents: Counter[str] = field(default_factory=Counter)
    document_errors: Counter[str] = field(default_factory=Counter)
    document_examples: dict[str, list[Example]] = field(default_factory=dict)
    expected: int = 0
    counts: PageCounts = field(default_factory=PageCounts)
    missing: list[PageKey] = field(default_factory=list)
    duplicate: int = 0
    unexpected: int = 0

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
                "ok": self.counts.pages["ok"],
                "failed": self.counts.pages["failed"],
                "missing": len(self.missing),
                "duplicate": self.duplicate,
                "unexpected": self.unexpected,
                "by_error_kind": dict(self.counts.errors.most_common()),
                "by_text_source": dict(self.counts.text_sources.most_common()),
                "by_read_quality": self.counts.quality_counts(),
                "needs_review": self.counts.needs_review,
                "by_ocr_language": dict(self.counts.ocr_languages.most_common()),
                "by_missing_language": dict(self.counts.missing_languages.most_common()),
                "poorest": self.counts.poorest_pages(),
                "promised": self.expected,
                "twice": self.duplicate,
                "unpromised": self.unexpected,
            },
        }

    def failures(self, command: Sequence[str], limits: PageLimits, max_document_bytes: int) -> list[dict[str, Any]]:
        """By error kind, the most frequent first: counts, examples, what to do, and the command that does it."""
        counts = self.document_errors + self.counts.errors
        failures = []
        for kind, count in counts.most_common():
            of_documents = self.document_errors[kind] > 0
            hint = advice(cast(ErrorKind, kind), limits, max_document_bytes, of_documents=of_documents)
            examples = [*self.document_examples.get(kind, ()), *self.counts.examples.get(kind, ())][:EXAMPLES]
            failures.append(
                {
                    "error_kind": kind,
                    "count": count,
                    "documents": self.document_errors[kind],
                    "pages": self.counts.errors[kind],
                    "examples": [{"uri": uri, "page_index": page, "error": error} for uri, page, error in examples],
                    "advice": hint.words,
                    "command": retry_command(command, hint.options),
                }
            )
        return failures


def audit_output(storage: Storage, output: str, findings: Findings | None = None) -> OutputAudit:
    """Read the output's tables and compare the pages that are expected with those that are written.

    Args:
        findings: is completed.
    """
    return with_current_files(lambda: _audit_output(storage, output, findings))


def _audit_output(storage: Storage, output: str, findings: Findings | None) -> OutputAudit:
    if findings is not None:
        findings.clear()
    audit = OutputAudit()
    documents = read_document_index(storage, output)
    failed = int(documents.failed.sum())
    audit.documents.update({"ok": len(documents) - failed, "failed": failed})
    if failed:
        _count_failed_documents(storage, output, audit, documents)
    seen = PageBitmap(documents)
    audit.expected = seen.expected
    for written in read_written(storage, output, findings):
        expected = seen.are_expected(written.documents, written.page_indices, written.run)
        first = seen.mark(written.documents, written.page_indices, written.run)
        audit.unexpected += int((~expected).sum())
        audit.duplicate += int((expected & ~first).sum())
        audit.counts.add(written.counts if first.all() else _count_some(storage, output, written.name, first))
    audit.missing = list(seen.unmarked())
    return audit


def _count_some(storage: Storage, output: str, name: str, chosen: npt.NDArray[np.bool_]) -> PageCounts:
    """The counts over some rows of a file."""
    if not chosen.any():
        return PageCounts()
    ((_, table),) = read_tables(storage, [page_uri(output, name)], COUNTED_COLUMNS)
    return PageCounts.of(table.filter(pa.array(chosen)), name)


def _count_failed_documents(storage: Storage, output: str, audit: OutputAudit, documents: DocumentIndex) -> None:
    counted = np.zeros(len(documents), dtype=np.bool_)
    columns = ("document_id", "uri", "error_kind", "error", "status")
    files = list_uris(storage, output, "documents")
    for _, table in read_tables(storage, reversed(files), columns):
        failed = table.filter(pc.equal(table["status"], "failed"))
        positions = documents.positions(failed["document_id"].to_pylist())
        for position, row in zip(positions.tolist(), failed.to_pylist(), strict=True):
            if documents.failed[position] and not counted[position]:  # the newest row, and it is a failed one
                counted[position] = True
                audit.document_errors[row["error_kind"]] += 1
                examples = audit.document_examples.setdefault(row["error_kind"], [])
                if len(examples) < EXAMPLES:
                    examples.append((row["uri"], None, row["error"]))

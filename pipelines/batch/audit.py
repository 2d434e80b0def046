"""The account of an output: every promised document and page, by what became of it. Its totals always add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch.document_index import DocumentMarks
from pipelines.batch.manifest import read_document_marks
from pipelines.batch.page_bitmap import PageMarks
from pipelines.batch.retry_hints import advice, retry_command
from pipelines.errors import ErrorKind
from pipelines.schema import PageKey
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, table_files

STAGES = ("rasterize", "ocr", "infer")
EXAMPLES = 3
ENDED_KINDS = ("timeout", "out_of_memory", "crashed")
_COLUMNS = ("document_id", "uri", "page_index", "status", "error_kind", "error", "text_source", "seconds")


@dataclass
class Account:
    """Counts over `documents/` and `pages/`.

    Attributes:
        promised: pages that the documents promise.
        missing: promised and not written; with none the output is complete.
        twice: rows beyond the first of a page, and `unpromised`: rows of pages that no document promises; counted
            nowhere else, and 0 in a sound output.
        examples: by error kind, up to three of (uri, page_index or None for a document, error).
        seconds: by stage, summed over pages.
        ended: pages whose process was ended by a limit or crashed, and the seconds that these took.
    """

    documents: Counter[str] = field(default_factory=Counter)
    document_errors: Counter[str] = field(default_factory=Counter)
    promised: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    page_errors: Counter[str] = field(default_factory=Counter)
    text_sources: Counter[str] = field(default_factory=Counter)
    missing: list[PageKey] = field(default_factory=list)
    twice: int = 0
    unpromised: int = 0
    examples: dict[str, list[tuple[str, int | None, str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    ended: int = 0
    ended_seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether each promised page is there exactly once, and nothing else."""
        return not (self.missing or self.twice or self.unpromised)

    def as_json(self) -> dict[str, Any]:
        """The `documents` and `pages` tables of `run.json`."""
        return {
            "documents": {
                "listed": self.documents.total(),
                "ok": self.documents["ok"],
                "failed": self.documents["failed"],
                "by_error_kind": dict(self.document_errors.most_common()),
            },
            "pages": {
                "promised": self.promised,
                "ok": self.pages["ok"],
                "failed": self.pages["failed"],
                "missing": len(self.missing),
                "twice": self.twice,
                "unpromised": self.unpromised,
                "by_error_kind": dict(self.page_errors.most_common()),
                "by_text_source": dict(self.text_sources.most_common()),
            },
        }

    def seconds_by_stage(self) -> dict[str, float]:
        """Seconds of work by stage over all pages of the output, in all workers together."""
        return {stage: round(self.seconds[stage], 3) for stage in STAGES}

    def failures(self, command: Sequence[str], limits: PageLimits, max_document_bytes: int) -> list[dict[str, Any]]:
        """By error kind, the most frequent first: how many, some of them, what to do and the command for it."""
        counts = self.document_errors + self.page_errors
        told = []
        for kind, count in counts.most_common():
            of_documents = self.document_errors[kind] > 0
            todo = advice(cast(ErrorKind, kind), limits, max_document_bytes, of_documents=of_documents)
            examples = [{"uri": uri, "page_index": page, "error": error} for uri, page, error in self.examples[kind]]
            told.append(
                {
                    "error_kind": kind,
                    "count": count,
                    "documents": self.document_errors[kind],
                    "pages": self.page_errors[kind],
                    "examples": examples,
                    "advice": todo.words,
                    "command": retry_command(command, todo.options),
                }
            )
        return told

    def _keep_example(self, kind: str, uri: str, page_index: int | None, error: str) -> None:
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append((uri, page_index, error))


def take_account(storage: Storage, output: str) -> Account:
    """Read the output's own tables and count; the anti-join of pages promised and pages written included."""
    account = Account()
    documents = read_document_marks(storage, output)
    failed = int(documents.failed.sum())
    account.documents.update({"ok": len(documents) - failed, "failed": failed})
    if failed:
        _count_failed_documents(storage, output, account, documents)
    written = PageMarks(documents)
    account.promised = written.promised
    for _, table in read_tables(storage, table_files(storage, output, "pages"), _COLUMNS):
        identities, indices = table["document_id"].to_pylist(), table["page_index"].to_pylist()
        promised, first = written.is_promised(identities, indices), written.mark(identities, indices)
        account.unpromised += int((~promised).sum())
        account.twice += int((promised & ~first).sum())
        for row in table.filter(pa.array(first)).to_pylist():
            account.pages[row["status"]] += 1
            if row["status"] == "failed":
                account.page_errors[row["error_kind"]] += 1
                account._keep_example(row["error_kind"], row["uri"], row["page_index"], row["error"])
                if row["error_kind"] in ENDED_KINDS:
                    account.ended += 1
                    account.ended_seconds += sum(filter(None, (row["seconds"] or {}).values()))
            else:
                account.text_sources[row["text_source"]] += 1
            for stage, seconds in (row["seconds"] or {}).items():
                account.seconds[stage] += seconds or 0.0
    account.missing = list(written.unmarked())
    return account


def _count_failed_documents(storage: Storage, output: str, account: Account, documents: DocumentMarks) -> None:
    counted = np.zeros(len(documents), dtype=np.bool_)
    columns = ("document_id", "uri", "error_kind", "error", "status")
    files = table_files(storage, output, "documents")
    for _, table in read_tables(storage, reversed(files), columns):
        failed = table.filter(pc.equal(table["status"], "failed"))
        places = documents.places(failed["document_id"].to_pylist())
        for place, row in zip(places.tolist(), failed.to_pylist(), strict=True):
            if documents.failed[place] and not counted[place]:  # the newest row of one that it is true of
                counted[place] = True
                account.document_errors[row["error_kind"]] += 1
                account._keep_example(row["error_kind"], row["uri"], None, row["error"])

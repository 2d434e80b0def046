"""The account of an output: every promised document and page, by what became of it. Its totals always add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pipelines.ledger import PageKey, page_key, pages_promised, read_documents, read_tables, table_files
from pipelines.page import ErrorKind
from pipelines.retry_advice import advice, retry_command
from pipelines.sandbox import PageLimits
from pipelines.storage import Storage

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
            todo = advice(cast(ErrorKind, kind), limits, max_document_bytes)
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
    documents = read_documents(storage, output)
    for row in documents.to_pylist():
        account.documents[row["status"]] += 1
        if row["status"] == "failed":
            account.document_errors[row["error_kind"]] += 1
            account._keep_example(row["error_kind"], row["uri"], None, row["error"])
    promised = {page_key(row) for row in pages_promised(documents)}
    account.promised = len(promised)
    written: set[PageKey] = set()
    for _, table in read_tables(storage, table_files(storage, output, "pages"), _COLUMNS):
        for row in table.to_pylist():
            key = page_key(row)
            if key in written:
                account.twice += 1
                continue
            if key not in promised:
                account.unpromised += 1
                continue
            written.add(key)
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
    account.missing = sorted(promised - written)
    return account

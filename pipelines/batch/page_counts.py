"""Counts over rows of pages: what became of them, how well they were read, and what they took. They can be added."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.schema import Row

STAGES = ("rasterize", "ocr", "infer")
EXAMPLES = 3
"""Failures of each kind that `run.json` names."""

ENDED_KINDS = ("timeout", "out_of_memory", "crashed")
POOREST = 10
"""Pages that `run.json` names as those that were read worst."""

COUNTED_COLUMNS = (
    "uri", "page_index", "status", "error_kind", "error", "text_source", "seconds", "read_quality", "needs_review",
    "ocr_language", "missing_language",
)  # fmt: skip

Example = tuple[str, int | None, str]
"""URI, page index (None for a document) and error of something that failed."""


@dataclass
class PageCounts:
    """Counts over pages, each counted once.

    Attributes:
        pages: by status; `errors`: the failed ones by error kind.
        text_sources: pages that were read, by where their text comes from.
        read_qualities: pages that were read, by the tenth of their read quality: [0, 0.1) first, [0.9, 1] last.
        needs_review: pages that were read less well than the run accepts.
        ocr_languages: pages that OCR read, by the language in which it did.
        missing_languages: pages whose language is not installed, by that language.
        poorest: up to `POOREST` pages that were read worst, and not perfectly, as (quality, uri, page_index, table),
            where the table is named within the output.
        examples: by error kind, up to `EXAMPLES`.
        seconds: by stage, summed over pages.
        ended: pages whose process crashed or was ended by a limit; `ended_seconds`: seconds spent on them.
    """

    pages: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    text_sources: Counter[str] = field(default_factory=Counter)
    read_qualities: list[int] = field(default_factory=lambda: [0] * 10)
    needs_review: int = 0
    ocr_languages: Counter[str] = field(default_factory=Counter)
    missing_languages: Counter[str] = field(default_factory=Counter)
    poorest: list[tuple[float, str, int, str]] = field(default_factory=list)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    ended: int = 0
    ended_seconds: float = 0.0

    @classmethod
    def of(cls, table: pa.Table, file: str) -> PageCounts:
        """The counts of a table with `COUNTED_COLUMNS`, of which those that it lacks count nothing.

        Args:
            file: the name of its file in `pages/`.
        """
        counts = cls()
        chosen = [name for name in COUNTED_COLUMNS if name in table.column_names]
        for row in table.select(chosen).to_pylist():
            counts._count(row, f"pages/{file}")
        return counts

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PageCounts:
        """The inverse of `as_json`."""
        return cls(
            Counter(content["pages"]),
            Counter(content["errors"]),
            Counter(content["text_sources"]),
            list(content["read_qualities"]),
            content["needs_review"],
            Counter(content.get("ocr_languages", {})),
            Counter(content.get("missing_languages", {})),
            [(quality, uri, page_index, table) for quality, uri, page_index, table in content["poorest"]],
            {
                kind: [(uri, page_index, error) for uri, page_index, error in examples]
                for kind, examples in content["examples"].items()
            },
            dict(content["seconds"]),
            content["ended"],
            content["ended_seconds"],
        )

    def as_json(self) -> dict[str, Any]:
        """All counts, as plain JSON."""
        return dict(vars(self))

    def add(self, other: PageCounts) -> None:
        """Add the counts of other pages."""
        self.pages += other.pages
        self.errors += other.errors
        self.text_sources += other.text_sources
        self.read_qualities = [
            mine + more for mine, more in zip(self.read_qualities, other.read_qualities, strict=True)
        ]
        self.needs_review += other.needs_review
        self.ocr_languages += other.ocr_languages
        self.missing_languages += other.missing_languages
        for page in other.poorest:
            self._keep_poorest(page)
        for kind, examples in other.examples.items():
            for example in examples:
                self.keep_example(kind, *example)
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds
        self.ended += other.ended
        self.ended_seconds += other.ended_seconds

    def keep_example(self, kind: str, uri: str, page_index: int | None, error: str) -> None:
        """Keep a failure as an example of its kind, if there are not enough."""
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append((uri, page_index, error))

    def seconds_by_stage(self) -> dict[str, float]:
        """Seconds of work by stage, summed over all pages."""
        return {stage: round(self.seconds[stage], 3) for stage in STAGES}

    def quality_counts(self) -> dict[str, int]:
        """Pages by the tenth of their read quality, under names such as `0.9-1.0`."""
        return {f"{tenth / 10:.1f}-{(tenth + 1) / 10:.1f}": count for tenth, count in enumerate(self.read_qualities)}

    def poorest_pages(self) -> Sequence[Row]:
        """The pages that were read worst: uri, page_index, read_quality, table."""
        return [
            {"uri": uri, "page_index": page_index, "read_quality": round(quality, 3), "table": table}
            for quality, uri, page_index, table in self.poorest
        ]

    def _count(self, row: Row, table: str) -> None:
        self.pages[row["status"]] += 1
        if row["status"] == "failed":
            self.errors[row["error_kind"]] += 1
            self.keep_example(row["error_kind"], row["uri"], row["page_index"], row["error"])
            if row["error_kind"] in ENDED_KINDS:
                self.ended += 1
                self.ended_seconds += sum(filter(None, (row["seconds"] or {}).values()))
        else:
            self._count_read(row, table)
        for stage, seconds in (row["seconds"] or {}).items():
            self.seconds[stage] += seconds or 0.0

    def _count_read(self, row: Row, table: str) -> None:
        self.text_sources[row["text_source"]] += 1
        self.needs_review += bool(row.get("needs_review"))
        for languages, column in ((self.ocr_languages, "ocr_language"), (self.missing_languages, "missing_language")):
            if row.get(column):
                languages[row[column]] += 1
        quality = row.get("read_quality")
        if quality is None:  # words that were given, or an output of an earlier version
            return
        self.read_qualities[min(int(quality * 10), 9)] += 1
        if quality < 1:
            self._keep_poorest((quality, row["uri"], row["page_index"], table))

    def _keep_poorest(self, page: tuple[float, str, int, str]) -> None:
        insort(self.poorest, page)
        del self.poorest[POOREST:]

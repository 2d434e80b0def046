"""Records: the fields of a document that a specification asks for, as one row with a column each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from pipelines.fields.acceptance import FORM_SOURCE
from pipelines.fields.contacts import looks_like_phone
from pipelines.fields.document_fields import document_conventions
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.key_matching import KeyMatcher
from pipelines.fields.value_text import clean_text
from pipelines.fields.value_types import Conventions, ValueReader, ValueType
from pipelines.schema import Row

_ARROW_TYPES: dict[ValueType, pa.DataType] = {
    "date": pa.date32(),
    "amount": pa.float64(),
    "number": pa.float64(),
    "percent": pa.float64(),
    "phone": pa.string(),
    "email": pa.string(),
    "check_box": pa.bool_(),
    "text": pa.string(),
}


@dataclass(frozen=True)
class RecordOptions:
    """How records are made of the fields of documents.

    Attributes:
        spec: the fields that are wanted.
        min_score: a required field with a lower score, 0 to 1, is a reason to review its document.
    """

    spec: RecordSpec
    min_score: float = 0.5


@dataclass(frozen=True)
class DocumentStatus:
    """What is known of a document beside its fields.

    Attributes:
        document_id, uri: of the document.
        problems: why it was not read as a whole, such as "encrypted: ..." or "page 2 failed: timeout"; each is a reason
            to review its record, and the only ones if it has no fields.
    """

    document_id: str
    uri: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Match:
    """A field of the document that a field of the specification asks for.

    Attributes:
        row: of `pipelines.schema.FIELDS`.
        key_score: of the spelling that its key resembles most, to 100.
        normalized: as `ValueReader.read_as` returns it.
    """

    row: Row
    key_score: float
    normalized: str | None

    @property
    def rank(self) -> tuple[float, bool, float]:
        return self.key_score, self.normalized is not None, self.row["score"] or 0.0


def page_problems(pages: Sequence[Row]) -> tuple[str, ...]:
    """The problem of a document of which pages failed: the first of them and the number of others; else nothing."""
    failed = [page for page in pages if page["status"] == "failed"]
    if not failed:
        return ()
    first = min(failed, key=lambda page: page["page_index"])
    others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return (f"page {first['page_index'] + 1} failed: {first['error_kind']}{others}",)


def record_schema(spec: RecordSpec) -> pa.Schema:
    """The columns of `records/*.parquet`: an amount has a column for its currency too."""
    columns = [pa.field("document_id", pa.string(), nullable=False), pa.field("uri", pa.string(), nullable=False)]
    for wanted in spec.fields:
        kinds = [(wanted.name, _ARROW_TYPES[wanted.type])]
        if wanted.type == "amount":
            kinds.append((f"{wanted.name}_currency", pa.string()))
        columns += [pa.field(name, pa.list_(kind) if wanted.many else kind) for name, kind in kinds]
    review = [pa.field("needs_review", pa.bool_(), nullable=False), pa.field("review_reasons", pa.list_(pa.string()))]
    return pa.schema([*columns, *review])


class RecordMaker:
    """Makes the record of one document after the other."""

    def __init__(self, options: RecordOptions, reader: ValueReader) -> None:
        self._spec, self._reader, self._min_score = options.spec, reader, options.min_score
        fields = options.spec.fields
        self._keys = KeyMatcher([key for wanted in fields for key in wanted.keys])
        self._positions = [position for position, wanted in enumerate(fields) for _ in wanted.keys]
        self._sections = [None if wanted.section is None else KeyMatcher([wanted.section]) for wanted in fields]

    def make(self, document: DocumentStatus, fields: Sequence[Row]) -> Row:
        """A row of `record_schema`.

        Args:
            fields: of the document, rows of `pipelines.schema.FIELDS` in their order.
        """
        conventions = document_conventions(fields, self._spec.conventions)
        record: Row = {"document_id": document.document_id, "uri": document.uri}
        reasons = list(document.problems)
        for wanted, matches in zip(self._spec.fields, self._match(fields, conventions), strict=True):
            record |= _columns(wanted, matches)
            if wanted.required and (fields or not document.problems):
                reasons += (f"{wanted.name}: {reason}" for reason in self._doubts(wanted, matches))
        return record | {"needs_review": bool(reasons), "review_reasons": reasons}

    def _match(self, fields: Sequence[Row], conventions: Conventions) -> list[list[_Match]]:
        """For each field of the specification the fields that it asks for; those without a value do not count."""
        filled = [row for row in fields if (row["value"] or "").strip() or row["value_type"] == "check_box"]
        matches: list[list[_Match]] = [[] for _ in self._spec.fields]
        for row, scores in zip(filled, self._keys.match([row["key"] for row in filled]), strict=True):
            best: dict[int, float] = {}
            for spelling, score in scores.items():
                position = self._positions[spelling]
                best[position] = max(score, best.get(position, 0.0))
            for position, score in best.items():
                section = self._sections[position]
                if section is None or section.match([row["section"]])[0]:
                    kind = self._spec.fields[position].type
                    matches[position].append(_Match(row, score, self._read(kind, row, conventions)))
        return matches

    def _read(self, wanted: ValueType, row: Row, conventions: Conventions) -> str | None:
        if wanted == "check_box" and row["value_type"] == "check_box":
            return row["value_normalized"]
        if wanted == "text":  # of any length
            return " ".join((row["value"] or "").split()) or None
        read = self._reader.read_as(wanted, row["value"], row["key"], conventions)
        if wanted == "phone" and read is None and looks_like_phone(clean_text(row["value"])):
            return clean_text(row["value"])  # its country is not known
        return read

    def _doubts(self, wanted: FieldSpec, matches: Sequence[_Match]) -> Iterator[str]:
        """Why a required field should be reviewed; nothing if it is sure."""
        if not matches:
            yield "missing"
            return
        used = matches if wanted.many else [_best(matches)]
        unread = [match for match in used if match.normalized is None]
        if unread:
            is_ambiguous = wanted.type == unread[0].row["value_type"] == "date"
            why = "may have its day or its month first" if is_ambiguous else f"cannot be read as {wanted.type}"
            yield f"{_shortened(unread[0].row['value'])} {why}"
        rivals = [match for match in matches if match.key_score == used[0].key_score and _can_rival(wanted.type, match)]
        if not wanted.many and not unread and _differ(rivals):
            yield "several values"
        low = min(used, key=lambda match: match.row["score"] or 0.0)
        if (low.row["score"] or 0.0) < self._min_score:
            yield f"score {low.row['score'] or 0.0:.2f} is below {self._min_score:g}"
        pages = sorted({match.row["page_index"] + 1 for match in used if match.row["needs_review"]})
        if pages:
            yield f"the field on page {', '.join(map(str, pages))} needs review"


def _best(matches: Sequence[_Match]) -> _Match:
    """The first of those with the highest rank."""
    return max(matches, key=lambda match: match.rank)


def _differ(matches: Sequence[_Match]) -> bool:
    """Whether values contradict each other: those of an interactive form are exact, others stand beside them."""
    exact = [match for match in matches if match.row["text_source"] == FORM_SOURCE]
    return len({(match.normalized or clean_text(match.row["value"])).casefold() for match in exact or matches}) > 1


def _can_rival(wanted: ValueType, match: _Match) -> bool:
    """Whether a value may contradict another: it was read, or is of the type but ambiguous, such as 03/04/2026."""
    is_ambiguous = wanted in ("date", "amount", "number") and match.row["value_type"] == wanted
    return match.normalized is not None or is_ambiguous


def _columns(wanted: FieldSpec, matches: Sequence[_Match]) -> Row:
    """The columns of a field of the specification."""
    used = (matches if wanted.many else [_best(matches)]) if matches else []
    values = [_value(wanted.type, match.normalized) for match in used]
    columns = {wanted.name: values}
    if wanted.type == "amount":
        columns[f"{wanted.name}_currency"] = [(match.normalized or "").partition(" ")[2] or None for match in used]
    return {name: column if wanted.many else next(iter(column), None) for name, column in columns.items()}


def _value(kind: ValueType, normalized: str | None) -> Any:
    if normalized is None:
        return None
    if kind == "date":
        return date.fromisoformat(normalized)
    if kind in ("amount", "number", "percent"):
        return float(normalized.partition(" ")[0])
    return normalized == "checked" if kind == "check_box" else normalized


def _shortened(value: str | None) -> str:
    text = " ".join((value or "")[:60].split())
    return repr(text if len(value or "") <= 60 else text + "…")

"""Fields of a document: the pairs and the form fields of its pages as rows of `pipelines.schema.FIELDS`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.fields.acceptance import FORM_SOURCE
from pipelines.fields.value_types import Conventions, TypedValue, ValueReader, learn_conventions
from pipelines.schema import Row

PAGE_COLUMNS = (
    "document_id", "uri", "page_index", "status", "error_kind", "text_source", "pairs", "form_fields", "needs_review",
)  # fmt: skip
"""Of a page's row: what the fields of a document and its record are made of."""

MIN_OVERLAP = 0.5
"""Share of the smaller box that two boxes have in common where they are of one field."""

MAX_ALIKE = 100
"""Form fields of a page with the same text that a pair is compared with: a page with thousands of them, which somebody
can send to an endpoint, costs no more than its size."""

_UNCHECKED = frozenset(("off", "unchecked"))
"""Values of a check box of an interactive form that is not ticked; that of a ticked one may be "0", "No" or empty."""


def document_fields(pages: Sequence[Row], reader: ValueReader, given: Conventions = Conventions()) -> list[Row]:  # noqa: B008
    """The fields of one document, in the order of its pages; of a page those of an interactive form come first.

    Args:
        pages: rows with `PAGE_COLUMNS`, in any order. Pages that failed have no fields.
        given: what is known of the document's values; the rest is learnt from them.
    """
    rows = [row for page in sorted(pages, key=lambda page: page["page_index"]) for row in _page_fields(page)]
    conventions = document_conventions(rows, given)
    return [row | _typed(row, reader, conventions) for row in rows]


def document_conventions(rows: Sequence[Row], given: Conventions) -> Conventions:
    """How a document writes its values, learnt from its fields."""
    return learn_conventions([(row["key"], row["value"]) for row in rows], given)


def _page_fields(page: Row) -> Iterator[Row]:
    form_fields = page["form_fields"] or ()
    review = True if page["needs_review"] else None
    identity = {name: page[name] for name in ("document_id", "uri", "page_index")}
    for field in form_fields:
        yield {
            **identity,
            "section": None,
            "key": field["label"] or field["name"] or "",
            "value": field["value"],
            "value_type": field["type"],
            "score": 1.0,
            "key_box": None,
            "value_box": field["box"],
            "text_source": FORM_SOURCE,
            "needs_review": None,  # exact, however well the page was read
        }
    for pair in pairs_beside_form(page["pairs"] or (), form_fields):
        yield {
            **identity,
            **{name: pair[name] for name in ("section", "key", "value", "score", "key_box", "value_box")},
            "value_type": None,
            "text_source": page["text_source"],
            "needs_review": review,
        }


def pairs_beside_form(pairs: Sequence[Row], form_fields: Sequence[Row]) -> list[Row]:
    """The pairs of a page that none of its form fields shows: those with another text, or at another place.

    Args:
        pairs, form_fields: of the same page.
    """
    shown = dict[str, set[tuple[int, ...]]]()
    for field in form_fields:
        if field["box"] is not None:
            boxes = shown.setdefault(_letters(field["value"]), set())
            if len(boxes) < MAX_ALIKE:
                boxes.add(tuple(field["box"]))
    return [
        pair
        for pair in pairs
        if pair["value_box"] is None
        or not any(_overlap(pair["value_box"], box) for box in shown.get(_letters(pair["value"]), ()))
    ]


def _typed(row: Row, reader: ValueReader, conventions: Conventions) -> Row:
    """`value_type` and `value_normalized` of a field; `value_type` holds the type of a form field before."""
    value = row["value"]
    if row["text_source"] == FORM_SOURCE and row["value_type"] == "check_box":
        is_checked = value is not None and value.casefold() not in _UNCHECKED
        typed = TypedValue("check_box", "checked" if is_checked else "unchecked")
    elif value is None or not value.strip():
        return {"value_type": None, "value_normalized": None}
    else:
        typed = reader.infer(value, row["key"], conventions)
    return {"value_type": typed.type, "value_normalized": typed.normalized}


def _letters(text: str | None) -> str:
    return "".join((text or "").casefold().split())


def _overlap(first: Sequence[int], second: Sequence[int]) -> bool:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width > 0 and height > 0 and width * height >= MIN_OVERLAP * smaller

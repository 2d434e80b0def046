"""Pages of a report: a picture with what was found drawn over it, and the table of fields beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.batch.connecting_lines import connecting_line
from pipelines.fields.document_fields import pairs_beside_form
from pipelines.runtime.html_report import label_color
from pipelines.schema import Row

WORD_COLOR = "#8888"

FORM_FIELD_COLOR = label_color("ANSWER")

LISTED_FIELDS = 60
"""The most fields that the table of a page lists, and that have lines."""


@dataclass(frozen=True)
class DrawnBox:
    """A rectangle on a page of 1000 by 1000, with its hover text."""

    x: int
    y: int
    width: int
    height: int
    color: str
    title: str


@dataclass(frozen=True)
class ListedField:
    """A row of the table of fields.

    Attributes:
        section: its heading, where it differs from the row before; else None.
        score: 0-1.
    """

    section: str | None
    key: str
    value: str | None
    score: float


@dataclass(frozen=True)
class PageFigure:
    """A page of the sample.

    Attributes:
        row: of `pages`.
        caption: file name and page number.
        error: why the page cannot be drawn; None if it can.
        jpeg: the image of the page; empty with an `error`.
        boxes: what was found on it.
        lines: from keys to values of its `fields`, as the `points` of SVG polylines on a page of 1000 by 1000.
        labels: of its entities, sorted.
        fields: its first `LISTED_FIELDS`, those of an interactive form before the pairs.
        field_count: how many there are.
    """

    row: Row
    caption: str
    error: str | None
    jpeg: bytes
    boxes: tuple[DrawnBox, ...] = ()
    lines: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    fields: tuple[ListedField, ...] = ()
    field_count: int = 0


def draw_page(row: Row, preview: Row) -> PageFigure:
    """A page with what was found on it; `preview`: its row of `PREVIEWED`."""
    caption = f"{row['uri'].rsplit('/', 1)[-1]}, page {row['page_index'] + 1} of {row['page_count']}"
    if preview["status"] == "failed":  # the source may have changed since; the page's row stays
        return PageFigure(row, caption, preview["error"], b"")
    form_fields = row.get("form_fields") or ()
    pairs = pairs_beside_form(row.get("pairs") or (), form_fields)
    listed = pairs[: max(0, LISTED_FIELDS - len(form_fields))]
    return PageFigure(
        row,
        caption,
        None,
        preview["preview"],
        boxes=tuple(_boxes(row)),
        lines=tuple(_lines(row, listed)),
        labels=tuple(sorted({entity["label"] for entity in row.get("entities") or ()})),
        fields=tuple(_fields(form_fields[:LISTED_FIELDS], listed)),
        field_count=len(form_fields) + len(pairs),
    )


def _boxes(row: Row) -> Iterator[DrawnBox]:
    """The entities of a page, or its answers, or else its words."""
    if row.get("entities") is not None:
        for entity in row["entities"]:
            title = f"{entity['label']} {entity['score']:.2f}: {entity['text']}"
            yield _box(entity["box"], label_color(entity["label"]), title)
        for field in row.get("form_fields") or ():
            if field["box"] is not None:
                yield _box(field["box"], FORM_FIELD_COLOR, f"{field['label'] or field['name']}: {field['value'] or ''}")
    elif row.get("answers") is not None:
        for answer in row["answers"]:
            title = f"{answer['question']} {answer['score']:.2f}: {answer['text']}"
            yield from (_box(box, label_color(answer["question"]), title) for box in answer["boxes"])
    else:
        yield from (_box(box, WORD_COLOR, word) for word, box in zip(row["words"], row["boxes"], strict=True))


def _box(box: Sequence[int], color: str, title: str) -> DrawnBox:
    x0, y0, x1, y1 = box
    return DrawnBox(x0, y0, max(1, x1 - x0), max(1, y1 - y0), color, title)


def _lines(row: Row, pairs: Sequence[Row]) -> Iterator[str]:
    aspect = row["height"] / row["width"] if row["width"] and row["height"] else 1.0
    for pair in pairs:
        if pair["key_box"] is None:  # the key is a label and stands nowhere
            continue
        own = {*(pair["key_words"] or ()), *(pair["value_words"] or ())}
        points = connecting_line(pair["key_box"], pair["value_box"], row["boxes"] or (), aspect, own)
        if points:
            yield " ".join(f"{x:g},{y:g}" for x, y in points)


def _fields(form_fields: Sequence[Row], pairs: Sequence[Row]) -> Iterator[ListedField]:
    """The fields of the interactive form of a page, then the pairs, as in the table of fields."""
    for field in form_fields:
        yield ListedField(None, field["label"] or field["name"], field["value"], 1.0)
    section = None
    for pair in pairs:
        heading = pair["section"] if pair["section"] != section else None
        section = pair["section"]
        yield ListedField(heading, pair["key"], pair["value"], pair["score"])

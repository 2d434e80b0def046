"""`report.html` of an evaluation: the figures, the most frequent mistakes, and the worst pages drawn.

One file that loads nothing from elsewhere; the plot of the scores and the drawn pages are written beside it as PNG too,
as `risk-coverage.png` and under `pictures/`.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from model.untrained import UNTRAINED
from pipelines.datasets.page_images import is_inside_file, read_image_file
from pipelines.documents.document import Document
from pipelines.documents.rendering import render_preview
from pipelines.errors import describe_error
from pipelines.evaluation.calibration_plot import plot_calibration
from pipelines.evaluation.overlays import (
    COLORS,
    DASHED,
    FILL_OPACITY,
    FILLED,
    LEGEND,
    Overlay,
    draw_overlays,
    page_overlays,
    page_quality,
    question_shares,
)
from pipelines.runtime.html_report import render_report
from pipelines.schema import Row, Task
from pipelines.storage.files import Storage, join_uri

PREVIEW_PIXELS = 1100
"""The longer side of a drawn page."""

JPEG_QUALITY = 72

PLOT_NAME = "risk-coverage.png"

MAX_MISTAKES = 15
MAX_CLASSES = 40
"""A larger confusion matrix is not readable and left out."""

VERDICTS = {
    "label": "read as another label",
    "boundary": "other words",
    "missed": "missed",
    "spurious": "spurious",
    "fragment": "further piece of a true one",
}

_PICTURE_NAME = re.compile(r"\d{3}-[\w.-]*\.png")
_METRIC_TITLES = {
    "f1": "F1",
    "anls": "ANLS",
    "macro_f1": "Macro F1",
    "ece": "Calibration error",
    "risk_area": "Area under risk-coverage",
}


@dataclass(frozen=True)
class Table:
    """Figures by name: a row is a name with a cell for each column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Confusion:
    """Classes, and for each true class how often each of them was predicted; empty where it is not shown."""

    labels: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class PageFigure:
    """A drawn page.

    Attributes:
        row: the page's row with its ground truth.
        caption: file name, and the page number in a longer document.
        error: why the page cannot be drawn; None if it can.
        jpeg: the image of the page; empty with an `error`.
        overlays: what is drawn on it.
        f1: of its entities; 0 for other tasks.
        questions: in words, each with how right its answer is, 0-1.
    """

    row: Row
    caption: str
    error: str | None = None
    jpeg: bytes = b""
    overlays: tuple[Overlay, ...] = ()
    f1: float = 0.0
    questions: tuple[tuple[str, float], ...] = ()


def write_evaluation_report(
    storage: Storage, output: str, task: Task, record: Mapping[str, Any], worst: Sequence[Row], failed: Sequence[Row]
) -> None:
    """Write `report.html`, `pictures/*.png` and, where predictions have scores, `risk-coverage.png`.

    Args:
        record: as `evaluate` returns it.
        worst: page rows with their ground truth, the worst first; all are drawn.
        failed: rows of pages that could not be read, for their reasons.
    """
    for stored in list(storage.list_existing(join_uri(output, "pictures"))):
        if _PICTURE_NAME.fullmatch(stored.uri.rsplit("/", 1)[-1]):
            storage.delete(stored.uri)
    plot = _write_plot(storage, output, record)
    mistakes = record.get("mistakes") or record.get("entities", {}).get("mistakes") or ()
    html = render_report(
        Path(__file__).with_name("report.html"),
        record=record,
        task=task,
        is_untrained=record["model"] == UNTRAINED,
        metric={"title": _metric_title(record["metric"]), "value": record[record["metric"]]},
        overall=[
            (_metric_title(name), _number(value)) for name, value in record.items() if isinstance(value, (int, float))
        ],
        breakdowns=_breakdowns(record),
        plot=base64.b64encode(plot).decode(),
        mistakes=mistakes[:MAX_MISTAKES],
        verdicts=VERDICTS,
        confusion=_confusion(record.get("confusion") or {}),
        problems=_problems(record, failed),
        figures=[_draw_page(storage, output, rank, row, task) for rank, row in enumerate(worst, start=1)],
        legend=() if task == "sequence-classification" else LEGEND,
        colors=COLORS,
        filled=FILLED,
        dashed=DASHED,
        fill_opacity=FILL_OPACITY,
    )
    storage.write(join_uri(output, "report.html"), html.encode())


def _write_plot(storage: Storage, output: str, record: Mapping[str, Any]) -> bytes:
    """The plot of the scores, written as a PNG too; empty without scores, and that of an earlier evaluation goes."""
    uri = join_uri(output, PLOT_NAME)
    if not record.get("calibration"):
        storage.delete(uri)
        return b""
    plot = plot_calibration(record["calibration"])
    storage.write(uri, plot)
    return plot


def page_preview(storage: Storage, row: Row) -> Image.Image:
    """The image of a labelled page, mode RGB, `PREVIEW_PIXELS` on its longer side.

    Raises:
        ProcessingError: its file cannot be read.
    """
    page_index = 0 if is_inside_file(row["uri"]) else row["page_index"]
    with Document(read_image_file(storage, row["uri"])) as document:
        return render_preview(document, page_index, PREVIEW_PIXELS)


def _draw_page(storage: Storage, output: str, rank: int, row: Row, task: Task) -> PageFigure:
    """A page with its overlays, which is written as a PNG too."""
    name = row["uri"].rsplit("/", 1)[-1]
    caption = f"{name}, page {row['page_index'] + 1} of {row['page_count']}" if row["page_count"] > 1 else name
    try:
        image = page_preview(storage, row)
    except Exception as error:  # the source may have changed since; the page's row stays
        return PageFigure(row, caption, describe_error(error)[1])
    overlays = page_overlays(row, task)
    jpeg, png = io.BytesIO(), io.BytesIO()
    image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    draw_overlays(image, overlays).save(png, "PNG")
    picture = f"{rank:03d}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:80]}-p{row['page_index'] + 1}.png"
    storage.write(join_uri(output, "pictures", picture), png.getvalue())
    return PageFigure(
        row,
        caption,
        jpeg=jpeg.getvalue(),
        overlays=tuple(overlays),
        f1=page_quality(row, task)[0] if task == "token-classification" else 0.0,
        questions=tuple(question_shares(row)) if task == "question-answering" else (),
    )


def _metric_title(name: str) -> str:
    return _METRIC_TITLES.get(name, name.replace("_", " ").capitalize())


def _number(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def _breakdowns(record: Mapping[str, Any]) -> list[Table]:
    """The figures by label and key that the record has."""
    entities, lenient = record.get("entities", {}), record.get("lenient", {})
    scores = {
        unit: {
            **{name: figures[name] for name in ("count", "mean_score", "right", "ece")},
            "risk_area": figures["risk_coverage"]["area"],
        }
        for unit, figures in record.get("calibration", {}).items()
    }
    by_title = {
        "By label": record.get("by_label"),
        "By key": record.get("by_key"),
        "By key, without case, spaces and punctuation": lenient.get("by_key"),
        "Entities by label": entities.get("by_label"),
        "Scores as probabilities": scores,
    }
    return [_table(title, figures) for title, figures in by_title.items() if figures]


def _table(title: str, figures: Mapping[str, Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    rows = tuple((label, tuple(_number(row.get(name)) for name in names)) for label, row in figures.items())
    return Table(title, tuple(map(_metric_title, names)), rows)


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> Confusion:
    if len(confusion) > MAX_CLASSES:
        return Confusion()
    labels = tuple(sorted({answer for row in confusion.values() for answer in row} | set(confusion)))
    return Confusion(
        labels, tuple((label, tuple(row.get(column, 0) for column in labels)) for label, row in confusion.items())
    )


def _problems(record: Mapping[str, Any], failed: Sequence[Row]) -> list[tuple[str, str]]:
    """URIs and messages: pages that failed, then the first problems with annotations."""
    pages = [
        (row["uri"], f"page {row['page_index'] + 1} failed ({row['error_kind']}): {row['error']}") for row in failed
    ]
    return pages + [(problem["uri"], problem["message"]) for problem in record["first_problems"]]

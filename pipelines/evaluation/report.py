"""`report.html` of an evaluation: the figures, what goes wrong most often, and the worst pages drawn.

One file, nothing loaded from elsewhere; the drawn pages stand beside it as PNG too, under `pictures/`.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from model.untrained import UNTRAINED
from pipelines.datasets.labelled_pages import is_embedded_image, read_embedded_image
from pipelines.documents.document import Document
from pipelines.documents.rendering import render_preview
from pipelines.errors import describe_error
from pipelines.evaluation.overlays import (
    COLORS,
    DASHED,
    FILL_OPACITY,
    FILLED,
    LEGEND,
    draw_overlays,
    page_overlays,
    page_quality,
    question_shares,
    svg_overlays,
)
from pipelines.runtime.html_report import STYLE
from pipelines.schema import Row, Task
from pipelines.storage.files import Storage, join_uri

PREVIEW_PIXELS = 1100
"""The longer side of a drawn page."""

MISTAKES_SHOWN = 15
CLASSES_SHOWN = 40
"""A larger confusion matrix is no longer readable."""

_PICTURE_NAME = re.compile(r"\d{3}-[\w.-]*\.png")

EVALUATION_STYLE = """
.figures { margin-bottom: 1rem; } .figures th { text-align: left; padding-right: .8rem; font-weight: 600; }
.figures th:not(:first-child), .figures td:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums; }
.figures td { border-top: 1px solid var(--line); }
.figures.mistakes :is(td, th):is(:nth-child(2), :nth-child(3)) { text-align: left; }
.diagonal { background: #16a34a44; } .off { background: #ea7a0044; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .4rem 0 1rem; }
.legend svg { width: 2rem; height: 1rem; vertical-align: -.15rem; margin-right: .35rem; }
.answers { margin: .3rem 0 0; padding-left: 1.1rem; } .bad { color: #dc2626; } .good { color: #16a34a; }
.page rect, .legend rect { fill: none; stroke-width: 1.6; }
""" + "\n".join(
    f".page rect.{style}, .legend rect.{style} {{ stroke: {color};"
    + (f" fill: {color}; fill-opacity: {FILL_OPACITY};" if style in FILLED else " fill: #fff; fill-opacity: 0;")
    + (" stroke-dasharray: 5 4;" if style in DASHED else "")
    + " }"
    for style, color in COLORS.items()
)


def write_evaluation_report(
    storage: Storage, output: str, task: Task, record: Mapping[str, Any], worst: Sequence[Row], failed: Sequence[Row]
) -> None:
    """Write `report.html` and `pictures/*.png`.

    Args:
        record: as `evaluate` returns it.
        worst: page rows with their truth, the worst first; all are drawn.
        failed: rows of pages that could not be read, for their reasons.
    """
    for stored in list(storage.list_existing(join_uri(output, "pictures"))):
        if _PICTURE_NAME.fullmatch(stored.uri.rsplit("/", 1)[-1]):
            storage.delete(stored.uri)
    figures = [_draw_page(storage, output, rank, row, task) for rank, row in enumerate(worst, start=1)]
    html = "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>Evaluation on {escape(record['dataset'])} {escape(record['split'])}</title>",
            f"<style>{STYLE}{EVALUATION_STYLE}</style></head><body>",
            _heading(record),
            "<section class='columns'>",
            _overall(record),
            *_breakdowns(record),
            "</section>",
            _mistakes(record.get("mistakes") or record.get("entities", {}).get("mistakes") or ()),
            _confusion(record.get("confusion") or {}),
            _problems(record, failed),
            _pages(figures, task),
            "</body></html>",
        ]
    )
    storage.write(join_uri(output, "report.html"), html.encode())


def page_preview(storage: Storage, row: Row) -> Image.Image:
    """The image of a labelled page, mode RGB.

    Raises:
        ProcessingError: its file cannot be read.
    """
    embedded = is_embedded_image(row["uri"])
    content = read_embedded_image(storage, row["uri"]) if embedded else storage.read(row["uri"])
    with Document(content) as document:
        return render_preview(document, 0 if embedded else row["page_index"], PREVIEW_PIXELS)


def _draw_page(storage: Storage, output: str, rank: int, row: Row, task: Task) -> str:
    name = row["uri"].rsplit("/", 1)[-1]
    caption = escape(name) + (f", page {row['page_index'] + 1} of {row['page_count']}" if row["page_count"] > 1 else "")
    try:
        image = page_preview(storage, row)
    except Exception as error:  # the source may have changed since; the page's row stands
        reason = escape(describe_error(error)[1])
        return f"<figure><figcaption>{caption}: cannot be drawn: {reason}</figcaption></figure>"
    overlays = page_overlays(row, task)
    jpeg, png = io.BytesIO(), io.BytesIO()
    image.save(jpeg, "JPEG", quality=72)
    draw_overlays(image, overlays).save(png, "PNG")
    picture = f"{rank:03d}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:80]}-p{row['page_index'] + 1}.png"
    storage.write(join_uri(output, "pictures", picture), png.getvalue())
    source = "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()
    return (
        f"<figure><div class='page'><img alt='{caption}' src='{source}'>"
        f"<svg viewBox='0 0 1000 1000' preserveAspectRatio='none'>{svg_overlays(overlays)}</svg></div>"
        f"<figcaption><b>{caption}</b> · {_verdict(row, task)}</figcaption></figure>"
    )


def _verdict(row: Row, task: Task) -> str:
    if task == "sequence-classification":
        tone = "good" if row["label"] == row["true_label"] else "bad"
        true, read = escape(str(row["true_label"])), escape(str(row["label"]))
        return f"true {true}, <span class='{tone}'>predicted {read} ({row['score']:.2f})</span>"
    if task == "question-answering":
        items = "".join(
            f"<li class='{'good' if share == 1 else 'bad'}'>{escape(told)} ({share:.2f})</li>"
            for told, share in question_shares(row)
        )
        return f"{len(row['words'])} words<ul class='answers'>{items}</ul>"
    if row["true_labels"] is None:
        return f"{len(row['words'])} words, not labelled"
    return f"F1 {page_quality(row, task)[0]:.3f} · {len(row['words'])} words"


def _heading(record: Mapping[str, Any]) -> str:
    metric = record["metric"]
    notice = ""
    if record["model"] == UNTRAINED:
        notice = (
            "<p class='notice'>The model is small and <b>untrained</b>: these figures are those of chance. "
            "Give <code>--model</code> a fine-tuned checkpoint for real ones.</p>"
        )
    return (
        f"<header><h1>{escape(_title(metric))} {record[metric]:.4f} on {escape(record['dataset'])}, "
        f"{escape(record['split'])}</h1><p>{record['pages']:,} pages of {record['documents']:,} documents, "
        f"{record['failed_pages']:,} failed. Task: {escape(record['task'])}. "
        f"Model: <code>{escape(record['model'])}</code>. Data: <code>{escape(record['data'])}</code>.</p>"
        f"{notice}</header>"
    )


def _title(name: str) -> str:
    known = {"f1": "F1", "anls": "ANLS", "macro_f1": "Macro F1"}
    return known.get(name, name.replace("_", " ").capitalize())


def _number(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def _overall(record: Mapping[str, Any]) -> str:
    body = "".join(
        f"<tr><td>{escape(_title(name))}</td><td>{_number(value)}</td></tr>"
        for name, value in record.items()
        if isinstance(value, (int, float))
    )
    return f"<div><h2>Overall</h2><table class='figures'>{body}</table></div>"


def _breakdowns(record: Mapping[str, Any]) -> list[str]:
    entities, lenient = record.get("entities", {}), record.get("lenient", {})
    return [
        _by_name("By label", record.get("by_label") or {}),
        _by_name("By key", record.get("by_key") or {}),
        _by_name("By key, without case, spaces and punctuation", lenient.get("by_key") or {}),
        _by_name("Entities by label", entities.get("by_label") or {}),
    ]


def _by_name(title: str, figures: Mapping[str, Mapping[str, Any]]) -> str:
    if not figures:
        return ""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    head = "".join(f"<th>{escape(_title(name))}</th>" for name in names)
    body = "".join(
        f"<tr><td>{escape(label)}</td>" + "".join(f"<td>{_number(row.get(name))}</td>" for name in names) + "</tr>"
        for label, row in figures.items()
    )
    return f"<div><h2>{title}</h2><table class='figures'><tr><th></th>{head}</tr>{body}</table></div>"


def _mistakes(mistakes: Sequence[Mapping[str, Any]]) -> str:
    if not mistakes:
        return ""
    meaning = {
        "label": "read as another label",
        "boundary": "other words",
        "missed": "missed",
        "spurious": "spurious",
        "fragment": "further piece of a true one",
    }
    body = "".join(
        f"<tr><td>{meaning[mistake['verdict']]}</td><td>{escape(mistake['true'] or '')}</td>"
        f"<td>{escape(mistake['predicted'] or '')}</td><td>{mistake['count']:,}</td></tr>"
        for mistake in mistakes[:MISTAKES_SHOWN]
    )
    head = "<tr><th>Mistake</th><th>True</th><th>Predicted</th><th>Entities</th></tr>"
    title = "<h2>Most frequent mistakes</h2>"
    return f"<section>{title}<table class='figures mistakes'>{head}{body}</table></section>"


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    if not confusion or len(confusion) > CLASSES_SHOWN:
        return ""
    columns = sorted({answer for row in confusion.values() for answer in row} | set(confusion))
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = ""
    for label, row in confusion.items():
        cells = "".join(
            f"<td class='{'diagonal' if column == label else 'off'}'>{row[column]:,}</td>"
            if row.get(column)
            else "<td></td>"
            for column in columns
        )
        body += f"<tr><td>{escape(label)}</td>{cells}</tr>"
    title = "<h2>Confusion: true classes down, predicted across</h2>"
    return f"<section>{title}<table class='figures'><tr><th></th>{head}</tr>{body}</table></section>"


def _problems(record: Mapping[str, Any], failed: Sequence[Row]) -> str:
    rows = [
        (row["uri"], f"page {row['page_index'] + 1} failed ({row['error_kind']}): {row['error']}") for row in failed
    ]
    rows += [(problem["uri"], problem["message"]) for problem in record["first_problems"]]
    if not rows:
        return ""
    body = "".join(f"<tr><td><code>{escape(uri)}</code></td><td>{escape(message)}</td></tr>" for uri, message in rows)
    counts = f"{record['failed_pages']:,} pages failed, {record['problems']:,} problems with annotations"
    return f"<details><summary>{counts}</summary><table class='wide'>{body}</table></details>"


def _pages(figures: Sequence[str], task: Task) -> str:
    if not figures:
        return ""
    legend = ""
    if task != "sequence-classification":
        legend = "".join(
            f"<span><svg viewBox='0 0 32 16'><rect x='1' y='1' width='30' height='14' class='{style}'/></svg>"
            f"{meaning}</span>"
            for style, meaning in LEGEND
        )
    return (
        f"<section><h2>Pages, the worst first</h2><div class='legend'>{legend}</div>"
        f"<div class='pages'>{''.join(figures)}</div></section>"
    )

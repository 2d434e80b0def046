"""`report.html`: a run told to people. One file, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from model.untrained import UNTRAINED
from pipelines.batch.audit import STAGES
from pipelines.extract import preview_pages
from pipelines.runtime.html_report import STYLE, label_color
from pipelines.schema import Row
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_tables, table_files

PREVIEW_PIXELS = 1100
"""The longer side of a drawn page."""


def write_report(
    storage: Storage, output: str, record: dict[str, Any], page_limit: int, limits: PageLimits | None = None
) -> None:
    """Write `report.html` beside `run.json`; `page_limit` pages are drawn, each within `limits`."""
    rows = sample_pages(storage, output, page_limit)
    previews = preview_pages(rows, PREVIEW_PIXELS, limits or PageLimits())
    pages = [draw_page(row, preview) for row, preview in zip(rows, previews, strict=True)]
    html = "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>Extraction report {escape(record['run_id'])}</title><style>{STYLE}</style></head><body>",
            _heading(record),
            "<section class='columns'>",
            _documents_table(record["documents"]),
            _pages_table(record["pages"]),
            _stages_table(record["seconds"]["by_stage"]),
            _limits_table(record["limits"]),
            "</section>",
            _failures(record["failures"]),
            _samples(pages),
            _details(record),
            "</body></html>",
        ]
    )
    storage.write(join_uri(output, "report.html"), html.encode())


def sample_pages(storage: Storage, output: str, limit: int) -> list[Row]:
    """Rows for drawing: from all over the output, of as many documents as there are, those with words first."""
    files = table_files(storage, output, "pages")
    step = max(1, len(files) // max(1, limit))
    rows: list[Row] = []
    for _, table in read_tables(storage, files[::step][: 4 * limit]):
        rows += [row for row in table.to_pylist() if row["status"] == "ok"]
    rows.sort(key=lambda row: (not row["words"], row["page_index"], row["uri"]))
    chosen = sorted(rows[:limit], key=lambda row: (row["uri"], row["page_index"]))
    return chosen


def draw_page(row: Row, preview: Row) -> str:
    """A page with what was found on it, as a `<figure>`; one that cannot be drawn any more is said in words."""
    name = escape(row["uri"].rsplit("/", 1)[-1])
    caption = f"{name}, page {row['page_index'] + 1} of {row['page_count']}"
    note = {"layer": "text layer", "ocr": "read by OCR", "none": "no words"}[row["text_source"]]
    if preview["status"] == "failed":  # the source may have changed since; the page's row stands
        return f"<figure><figcaption>{caption}: cannot be drawn: {escape(preview['error'])}</figcaption></figure>"
    source = "data:image/jpeg;base64," + base64.b64encode(preview["preview"]).decode()
    flags = "".join(_marks(row))
    return (
        f"<figure><div class='page'><img alt='{caption}' src='{source}'>"
        f"<svg viewBox='0 0 1000 1000' preserveAspectRatio='none'>{flags}</svg></div>"
        f"<figcaption><b>{caption}</b> · {note} · {len(row['words'])} words{_found(row)}</figcaption></figure>"
    )


def _marks(row: Row) -> list[str]:
    if row.get("entities") is not None:
        return [
            _rectangle(
                entity["box"],
                label_color(entity["label"]),
                f"{entity['label']} {entity['score']:.2f}: {entity['text']}",
            )
            for entity in row["entities"]
        ]
    if row.get("answers") is not None:
        return [
            _rectangle(
                box, label_color(answer["question"]), f"{answer['question']} {answer['score']:.2f}: {answer['text']}"
            )
            for answer in row["answers"]
            for box in answer["boxes"]
        ]
    return [_rectangle(box, "#8888", word) for word, box in zip(row["words"], row["boxes"], strict=True)]


def _rectangle(box: Sequence[int], color: str, title: str) -> str:
    x0, y0, x1, y1 = box
    return (
        f"<rect x='{x0}' y='{y0}' width='{max(1, x1 - x0)}' height='{max(1, y1 - y0)}' "
        f"style='fill:{color};stroke:{color}'><title>{escape(title)}</title></rect>"
    )


def _found(row: Row) -> str:
    if row.get("entities") is not None:
        labels = sorted({entity["label"] for entity in row["entities"]})
        return f" · {len(row['entities'])} entities {' '.join(map(_legend, labels))}"
    if row.get("answers") is not None:
        return "".join(f"<br>{_legend(answer['question'])} {_answer(answer)}" for answer in row["answers"])
    return f" · {escape(row['label'])} ({row['score']:.2f})"


def _legend(label: str) -> str:
    return f"<span class='label' style='background:{label_color(label)}'>{escape(label)}</span>"


def _answer(answer: Row) -> str:
    return "<i>no answer</i>" if answer["text"] is None else f"{escape(answer['text'])} ({answer['score']:.2f})"


def _heading(record: dict[str, Any]) -> str:
    documents, pages, seconds = record["documents"], record["pages"], record["seconds"]
    notice = ""
    if record["model"] == UNTRAINED:
        notice = (
            "<p class='notice'>The model behind this run is small and <b>untrained</b>: words and boxes are real, "
            "labels and scores are random. Give <code>--model</code> a fine-tuned checkpoint for real ones.</p>"
        )
    if pages["missing"]:
        notice += (
            f"<p class='notice'>{pages['missing']} expected pages are not written; run the same command again.</p>"
        )
    rate = f"{record['pages_per_second']:.2f} pages/s while extracting"
    return (
        f"<header><h1>{pages['ok']:,} pages of {documents['ok']:,} documents</h1>"
        f"<p>{pages['failed']:,} pages and {documents['failed']:,} documents failed. "
        f"This run did {record['pages_this_run']:,} pages in {seconds['total']:.1f} s ({rate}). "
        f"Model: <code>{escape(record['model'])}</code>. Finished {escape(record['finished'])}.</p>{notice}</header>"
    )


def _documents_table(documents: dict[str, Any]) -> str:
    rows = [("ok", documents["ok"])] + [
        (f"failed: {kind}", count) for kind, count in documents["by_error_kind"].items()
    ]
    return _table("Documents", rows, ("listed", documents["listed"]))


def _pages_table(pages: dict[str, Any]) -> str:
    sources = {"layer": "ok, from the text layer", "ocr": "ok, read by OCR", "none": "ok, without words"}
    rows = [(sources[source], count) for source, count in pages["by_text_source"].items()]
    rows += [(f"failed: {kind}", count) for kind, count in pages["by_error_kind"].items()]
    if pages["missing"]:
        rows.append(("not written", pages["missing"]))
    return _table("Pages", rows, ("expected", pages["expected"]))


def _table(title: str, rows: Sequence[tuple[str, int]], total: tuple[str, int]) -> str:
    body = "".join(f"<tr><td>{escape(name)}</td><td>{count:,}</td></tr>" for name, count in rows)
    foot = f"<tr class='total'><td>{total[0]}</td><td>{total[1]:,}</td></tr>"
    return f"<div><h2>{title}</h2><table>{body}{foot}</table></div>"


def _stages_table(seconds: dict[str, float]) -> str:
    total = max(sum(seconds.values()), 1e-9)
    body = "".join(
        f"<tr><td>{stage}</td><td>{seconds[stage]:.1f} s</td>"
        f"<td><span class='bar' style='width:{100 * seconds[stage] / total:.1f}px'></span></td></tr>"
        for stage in STAGES
    )
    note = "<p class='small'>Seconds over all pages and workers.</p>"
    return f"<div><h2>Work by stage</h2><table>{body}</table>{note}</div>"


def _limits_table(limits: Mapping[str, Any]) -> str:
    rows = [
        ("time a page", f"{limits['page_time_limit_seconds']:g} s"),
        ("memory a page", f"{limits['page_memory_limit_megabytes']:,} MB"),
        ("pages ended by them, or crashed", f"{limits['pages_ended']:,}"),
        ("work lost on these", f"{limits['seconds_lost']:.1f} s"),
    ]
    body = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows)
    return f"<div><h2>Limits</h2><table>{body}</table></div>"


def _failures(failures: Sequence[Mapping[str, Any]]) -> str:
    body = "".join(
        f"<tr><td><b>{escape(failure['error_kind'])}</b></td><td>{failure['count']:,}</td><td>"
        + "<br>".join(_example(example) for example in failure["examples"])
        + f"<p class='small'>{escape(failure['advice'])}<br><code>{escape(failure['command'])}</code></p></td></tr>"
        for failure in failures
    )
    return f"<section><h2>Failures by kind</h2><table class='wide'>{body}</table></section>" if body else ""


def _example(example: Mapping[str, Any]) -> str:
    page = "" if example["page_index"] is None else f", page {example['page_index'] + 1}"
    return f"<code>{escape(example['uri'])}</code>{page}: {escape(example['error'])}"


def _samples(pages: Sequence[str]) -> str:
    return f"<section><h2>A sample of pages</h2><div class='pages'>{''.join(pages)}</div></section>" if pages else ""


def _details(record: dict[str, Any]) -> str:
    lines = {
        **record["versions"],
        "inputs": ", ".join(record["inputs"]),
        "options": record["options"],
        "pools": record["pools"],
    }
    body = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(str(value))}</code></td></tr>" for name, value in lines.items()
    )
    return f"<details><summary>Options and versions</summary><table class='wide'>{body}</table></details>"

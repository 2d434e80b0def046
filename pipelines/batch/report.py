"""`report.html`: a run for people to read, in one file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from model.untrained import UNTRAINED
from pipelines.batch.output_files import list_uris
from pipelines.batch.page_counts import STAGES
from pipelines.batch.written_pages import page_uri
from pipelines.extract import preview_pages
from pipelines.options import InputAccess
from pipelines.runtime.html_report import label_color, render_report
from pipelines.schema import Row
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage, join_uri

PREVIEW_PIXELS = 1100
"""The longer side of a drawn page."""

WORD_COLOR = "#8888"
WELL_READ = 0.9
"""Pages of this read quality are not shown as badly read."""
TEXT_SOURCES = {"layer": "text layer", "ocr": "read by OCR", "mixed": "text layer and OCR", "none": "no words"}
TEXT_SOURCE_COUNTS = {
    "layer": "ok, from the text layer",
    "ocr": "ok, read by OCR",
    "mixed": "ok, from both",
    "none": "ok, without words",
}


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
class PageFigure:
    """A page of the sample.

    Attributes:
        row: of `pages`.
        caption: file name and page number.
        error: why the page cannot be drawn; None if it can.
        jpeg: the image of the page; empty with an `error`.
        boxes: what was found on it.
        labels: of its entities, sorted.
    """

    row: Row
    caption: str
    error: str | None
    jpeg: bytes
    boxes: tuple[DrawnBox, ...]
    labels: tuple[str, ...]


def write_report(
    storage: Storage,
    output: str,
    record: dict[str, Any],
    page_limit: int,
    limits: PageLimits | None = None,
    access: InputAccess | None = None,
) -> None:
    """Write `report.html` beside `run.json`; `page_limit` pages are drawn, each within `limits`."""
    rows = sample_pages(storage, output, page_limit, record["pages"].get("poorest", []))
    previews = preview_pages(rows, PREVIEW_PIXELS, limits or PageLimits(), access or InputAccess())
    figures = [draw_page(row, preview) for row, preview in zip(rows, previews, strict=True)]
    html = render_report(
        Path(__file__).with_name("report.html"),
        record=record,
        task=record["options"]["extract"]["task"],
        is_untrained=record["model"] == UNTRAINED,
        document_counts=_document_counts(record["documents"]),
        page_counts=_page_counts(record["pages"]),
        qualities=_qualities(record["pages"]),
        stages=_stages(record["seconds"]["by_stage"]),
        text_sources=TEXT_SOURCES,
        figures=figures,
        details=_details(record),
    )
    storage.write(join_uri(output, "report.html"), html.encode())


def sample_pages(storage: Storage, output: str, limit: int, poorest: Sequence[Mapping[str, Any]] = ()) -> list[Row]:
    """Up to `limit` rows for drawing, those that were read worst first.

    Half are the pages that were read worst, half are from all over the output, of many documents, and have words.

    Args:
        poorest: the pages that were read worst, as `run.json` names them; their tables are read too.
    """
    if not limit:
        return []
    files = [uri.rsplit("/", 1)[-1] for uri in list_uris(storage, output, "pages")]
    step = max(1, len(files) // max(1, limit))
    wanted: dict[str, set[tuple[str, int]]] = {name: set() for name in files[::step][: 4 * limit]}
    for page in poorest:
        wanted.setdefault(page["table"].rsplit("/", 1)[-1], set()).add((page["uri"], page["page_index"]))
    rows: list[Row] = []
    for name in wanted.keys() & set(files):
        rows += _sampled_rows(storage, page_uri(output, name), wanted[name], 4 * limit)
    rows.sort(key=lambda row: (_quality(row), row["uri"], row["page_index"]))
    poor = [row for row in rows[: limit // 2] if _quality(row) < WELL_READ]
    others = sorted(rows[len(poor) :], key=lambda row: (not row["words"], row["page_index"], row["uri"]))
    chosen = [*poor, *others[: limit - len(poor)]]
    return sorted(chosen, key=lambda row: (_quality(row), row["uri"], row["page_index"]))


def _sampled_rows(storage: Storage, uri: str, wanted: Set[tuple[str, int]], limit: int) -> list[Row]:
    """Rows of a file that could be read: those that are `wanted`, and up to `limit` from all over the file."""
    rows: list[Row] = []
    with storage.open(uri) as opened:
        file = pq.ParquetFile(opened)
        keys = file.read(["uri", "page_index", "status"]).to_pylist()
        step = max(1, len(keys) // max(1, limit))
        chosen = [
            index
            for index, key in enumerate(keys)
            if key["status"] == "ok" and (index % step == 0 or (key["uri"], key["page_index"]) in wanted)
        ]
        start = 0
        for number in range(file.num_row_groups):
            end = start + file.metadata.row_group(number).num_rows
            here = [index - start for index in chosen if start <= index < end]
            if here:
                rows += file.read_row_group(number).take(here).to_pylist()
            start = end
    return rows


def _quality(row: Row) -> float:
    quality = row.get("read_quality")
    return 1.0 if quality is None else quality


def draw_page(row: Row, preview: Row) -> PageFigure:
    """A page with what was found on it; `preview`: its row of `PREVIEWED`."""
    caption = f"{row['uri'].rsplit('/', 1)[-1]}, page {row['page_index'] + 1} of {row['page_count']}"
    if preview["status"] == "failed":  # the source may have changed since; the page's row stays
        return PageFigure(row, caption, preview["error"], b"", (), ())
    labels = sorted({entity["label"] for entity in row.get("entities") or ()})
    return PageFigure(row, caption, None, preview["preview"], tuple(_boxes(row)), tuple(labels))


def _boxes(row: Row) -> Iterator[DrawnBox]:
    """The entities of a page, or its answers, or else its words."""
    if row.get("entities") is not None:
        for entity in row["entities"]:
            title = f"{entity['label']} {entity['score']:.2f}: {entity['text']}"
            yield _box(entity["box"], label_color(entity["label"]), title)
    elif row.get("answers") is not None:
        for answer in row["answers"]:
            title = f"{answer['question']} {answer['score']:.2f}: {answer['text']}"
            yield from (_box(box, label_color(answer["question"]), title) for box in answer["boxes"])
    else:
        yield from (_box(box, WORD_COLOR, word) for word, box in zip(row["words"], row["boxes"], strict=True))


def _box(box: Sequence[int], color: str, title: str) -> DrawnBox:
    x0, y0, x1, y1 = box
    return DrawnBox(x0, y0, max(1, x1 - x0), max(1, y1 - y0), color, title)


def _document_counts(documents: dict[str, Any]) -> list[tuple[str, int]]:
    failed = [(f"failed: {kind}", count) for kind, count in documents["by_error_kind"].items()]
    return [("ok", documents["ok"]), *failed]


def _page_counts(pages: dict[str, Any]) -> list[tuple[str, int]]:
    counts = [(TEXT_SOURCE_COUNTS[source], count) for source, count in pages["by_text_source"].items()]
    counts += [(f"failed: {kind}", count) for kind, count in pages["by_error_kind"].items()]
    return [*counts, ("not written", pages["missing"])] if pages["missing"] else counts


def _qualities(pages: dict[str, Any]) -> list[dict[str, Any]]:
    """The pages by read quality, the best first: `name`, `count`, and `share` of the largest count, 0-1."""
    counts = pages.get("by_read_quality", {})
    largest = max([*counts.values(), 1])
    return [
        {"name": name, "count": count, "share": count / largest} for name, count in reversed(counts.items()) if count
    ]


def _stages(seconds: dict[str, float]) -> list[dict[str, Any]]:
    """The seconds of each stage, and its share of the work, 0-1."""
    total = max(sum(seconds.values()), 1e-9)
    return [{"name": stage, "seconds": seconds[stage], "share": seconds[stage] / total} for stage in STAGES]


def _details(record: dict[str, Any]) -> dict[str, Any]:
    return {
        **record["versions"],
        "inputs": ", ".join(record["inputs"]),
        "options": record["options"],
        "pools": record["pools"],
    }

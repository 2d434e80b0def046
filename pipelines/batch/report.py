"""`report.html`: a run for people to read, in one file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from model.untrained import UNTRAINED
from pipelines.batch.output_files import list_uris
from pipelines.batch.page_counts import STAGES
from pipelines.batch.page_figures import draw_page
from pipelines.batch.written_pages import page_uri
from pipelines.extract import preview_pages
from pipelines.options import InputAccess
from pipelines.runtime.html_report import render_report
from pipelines.schema import Row
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage, join_uri

PREVIEW_PIXELS = 1100
"""The longer side of a drawn page."""

WELL_READ = 0.9
"""Pages of this read quality are not shown as badly read."""
TEXT_SOURCES = {"layer": "text layer", "ocr": "read by OCR", "mixed": "text layer and OCR", "none": "no words"}
TEXT_SOURCE_COUNTS = {
    "layer": "ok, from the text layer",
    "ocr": "ok, read by OCR",
    "mixed": "ok, from both",
    "none": "ok, without words",
}


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
        field_counts=_field_counts(record),
        record_counts=_review_counts(record.get("records") or {}),
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


def _document_counts(documents: dict[str, Any]) -> list[tuple[str, int]]:
    failed = [(f"failed: {kind}", count) for kind, count in documents["by_error_kind"].items()]
    return [("ok", documents["ok"]), *failed]


def _page_counts(pages: dict[str, Any]) -> list[tuple[str, int]]:
    counts = [(TEXT_SOURCE_COUNTS[source], count) for source, count in pages["by_text_source"].items()]
    counts += [(f"failed: {kind}", count) for kind, count in pages["by_error_kind"].items()]
    missing = pages.get("by_missing_language", {})
    counts += [(f"in a language that is not installed: {language}", count) for language, count in missing.items()]
    return [*counts, ("not written", pages["missing"])] if pages["missing"] else counts


def _field_counts(record: dict[str, Any]) -> list[tuple[str, int]]:
    """The fields that were accepted and those to review; where no precision was asked for, only the latter."""
    if "fields_accepted" not in record:
        return _review_counts(record.get("fields") or {})
    return [("accepted", record["fields_accepted"]), ("to review", record["fields_needs_review"])]


def _review_counts(counts: dict[str, Any]) -> list[tuple[str, int]]:
    return [("to review", counts["needs_review"])] if counts else []


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

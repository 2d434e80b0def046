"""The report of a run whose record and pages are made by hand; `test_run.py` looks at that of a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.batch.audit import audit_output
from pipelines.batch.options import RunOptions
from pipelines.batch.record import PhaseSeconds, completed_fields, new_record
from pipelines.batch.report import sample_pages, write_report
from pipelines.extract import ExtractOptions
from pipelines.schema import Row
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, identity, name_of, page_row, write_rows

COMMAND = ("python", "-m", "jobs.extract", "--input", "<in>", "--output", "out")


def read_page(name: str, index: int, words: list[str]) -> Row:
    """A row of a page that was read."""
    label = "QUESTION" if words else "O"
    entity = {"label": label, "text": " ".join(words), "box": [0, 0, 9, 9], "score": 0.5}
    return page_row(name, index) | {
        "words": words,
        "boxes": [[0, 0, 9, 9]] * len(words),
        "word_confidences": [None] * len(words),
        "labels": [label] * len(words),
        "scores": [0.5] * len(words),
        "entities": [{**entity, "first_word": 0, "last_word": len(words) - 1}] if words else [],
    }


def report(output: Path, **others: Any) -> tuple[str, dict[str, Any]]:
    """The report of what the output holds, and the record that it is made of."""
    options = RunOptions(("<in>",), str(output), ExtractOptions("untrained"), command=COMMAND)
    record = new_record("untrained", options.inputs, options.result_options()) | {"pools": {"read_actors": 1}}
    audit = audit_output(Storage(), str(output))
    record |= completed_fields(options, audit, pages=1234, seconds=PhaseSeconds(1.0, 2.0, 3.0))
    record |= others
    write_report(Storage(), str(output), record, page_limit=2)
    return (output / "report.html").read_text(), record


def test_counts_failures_and_missing_pages_are_shown_and_names_are_escaped(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("<b>a", 3), document_row("c", 0, error_kind="encrypted")])
    write_rows(tmp_path, "pages", 1, [read_page("<b>a", 0, ["<i>"]), page_row("<b>a", 2, "timeout")])
    html, record = report(tmp_path)
    assert record["status"] == "incomplete"
    assert "1 pages of 1 documents" in html and "did 1,234 pages in 3.0 s" in html and "617.00 pages/s" in html
    assert "1 expected pages are not written" in html
    for name, count in (("failed: encrypted", 1), ("failed: timeout", 1), ("not written", 1), ("expected", 3)):
        assert f"<td>{name}</td><td>{count}</td>" in html
    assert "--input &#39;&lt;in&gt;&#39;" in html and "--page-time-limit-seconds 480" in html
    assert "<code>/in/&lt;b&gt;a.pdf</code>, page 3: a reason" in html
    assert "&lt;b&gt;a.pdf, page 1 of 9: cannot be drawn" in html, "its file is gone"
    assert "<b>a" not in html and "<i>" not in html and "<in>" not in html


def test_fields_and_records_are_counted(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 0)])
    fields, records = {"rows": 1240, "needs_review": 30}, {"rows": 7, "needs_review": 2}
    html, _ = report(tmp_path, fields=fields, records=records)
    for name, count in (("to review", "30"), ("fields", "1,240"), ("to review", "2"), ("records", "7")):
        assert f"<td>{name}</td><td>{count}</td>" in html
    html, _ = report(tmp_path, fields=fields, records=None, fields_accepted=1200, fields_needs_review=40)
    assert "<td>accepted</td><td>1,200</td>" in html and "<td>to review</td><td>40</td>" in html
    assert "<td>records</td>" not in html and "<h2>Fields</h2>" not in report(tmp_path)[0]


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (1, [("b", 0)]), (2, [("a", 1), ("b", 0)])])
def test_first_pages_with_words_are_preferred_for_drawing(
    limit: int, expected: list[tuple[str, int]], tmp_path: Path
) -> None:
    rows = [read_page("a", 0, []), read_page("a", 1, ["x"]), read_page("b", 0, ["y"]), page_row("b", 1, "timeout")]
    write_rows(tmp_path, "pages", 1, rows)
    sample = sample_pages(Storage(), str(tmp_path), limit)
    assert sorted((name_of(row["document_id"]), row["page_index"]) for row in sample) == expected


def test_the_pages_that_were_read_worst_come_first(tmp_path: Path) -> None:
    qualities = {0: 0.95, 1: 0.3, 2: 1.0, 3: 0.1, 4: 0.5}
    rows = [read_page("a", index, ["x"]) | {"read_quality": quality} for index, quality in qualities.items()]
    write_rows(tmp_path, "documents", 1, [document_row("a", 5)])
    write_rows(tmp_path, "pages", 1, rows)
    assert [row["page_index"] for row in sample_pages(Storage(), str(tmp_path), 4)] == [3, 1, 0, 2]
    html, _ = report(tmp_path)
    assert "<td>0.1-0.2</td><td>1</td>" in html and "<td>0.9-1.0</td><td>2</td>" in html


def test_the_tables_of_the_poorest_pages_are_read_however_many_there_are(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 40)])
    for index in range(40):
        quality = 0.2 if index == 33 else 1.0
        write_rows(tmp_path, "pages", 1, [read_page("a", index, ["x"]) | {"read_quality": quality}])
    poorest = audit_output(Storage(), str(tmp_path)).as_json()["pages"]["poorest"]
    table = f"pages/part-00000001-000000-{identity('a')}-000033.parquet"
    assert [(page["page_index"], page["table"]) for page in poorest] == [(33, table)]
    assert sample_pages(Storage(), str(tmp_path), 2, poorest)[0]["page_index"] == 33


def test_fields_are_drawn_with_lines_and_listed_beside_the_page(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (100, 140), "white").save(source)
    box = {"key_box": [100, 100, 200, 110], "value_box": [300, 100, 400, 110]}
    pair = {
        "section": "<i>A.",
        "key": "<b>Key",
        "value": "<u>Value",
        "score": 0.75,
        "key_words": [0],
        "value_words": [1],
    }
    row = read_page("a", 0, ["x", "y"]) | {"uri": str(source), "page_count": 1, "width": 100, "height": 140}
    form_field = {"name": "form.paid", "label": None, "value": None, "type": "text", "box": [0, 0, 9, 9]}
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [row | {"pairs": [pair | box], "form_fields": [form_field]}])
    html, _ = report(tmp_path)
    assert "<polyline points='200,105 300,105'/>" in html and "<figure class='with-fields'>" in html
    assert "<th class='section' colspan='3' dir='auto'>&lt;i&gt;A.</th>" in html
    assert "<td dir='auto'>&lt;b&gt;Key</td><td dir='auto'>&lt;u&gt;Value</td><td>0.75</td>" in html
    assert "<td dir='auto'>form.paid</td><td dir='auto'><i>empty</i></td><td>1.00</td>" in html

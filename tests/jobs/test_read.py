from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from jobs.found_fields import FoundFields
from jobs.read import Options, chosen_table, main
from jobs.tables import Format, Table, file_names, write_table
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.kept_sandboxes import kept_sandboxes

__all__ = ["kept_sandboxes"]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the job, run in this process."""
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def forms(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The sums of a scanned page, and a PDF of three pages of which one is asked for."""
    sums = tmp_path_factory.mktemp("scan") / "invoice.png"
    with Image.open(samples_directory / "invoice.png") as image:
        image.crop((0, image.height * 2 // 5, image.width, image.height * 3 // 5)).save(sums)
    return str(sums), str(samples_directory / "supplier-form.pdf")


def test_a_table_has_a_line_an_entity_with_its_file_page_and_box(
    forms: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = printed(capsys, *forms, "--pages", "1", "--show", "entities")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == ["file", "page", "label", "text", "score", "x0", "y0", "x1", "y1"]
    [total] = [line for line in lines if "2,289.12" in line]
    assert total.split()[:4] == ["invoice.png", "1", "ANSWER", "2,289.12"]
    assert any(line.startswith("supplier-form.pdf") for line in lines)
    assert len({line.find("ANSWER") for line in lines if "  ANSWER" in line}) == 1, "columns are aligned"


def test_json_holds_whole_rows_of_documents_and_pages(
    forms: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = printed(capsys, forms[1], "--pages", "2-3", "--format", "json", "--model", "untrained")
    told = json.loads(out)
    assert status == 0
    [document] = told["documents"]
    assert (document["page_count"], document["media_type"]) == (3, "application/pdf")
    assert [page["page_index"] for page in told["pages"]] == [1, 2]
    assert all(page["status"] == "ok" and len(page["words"]) == len(page["labels"]) for page in told["pages"])


def test_csv_of_words_has_every_word_with_its_confidence_and_box(
    small_scan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = printed(capsys, str(small_scan), "--format", "csv", "--show", "words", "--model", "untrained")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["word"] for row in rows[:3]] == ["Quillfeather", "&", "Sons,"]
    assert all(0 <= float(row["confidence"]) <= 1 and int(row["x0"]) < int(row["x1"]) for row in rows)


def test_answers_and_classes_are_lines_of_their_own(forms: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--task", "question-answering", "--questions", "What is the total?", "When?")
    given = (forms[1], "--pages", "1", "--model", "untrained", "--format", "csv")
    _, out, _ = printed(capsys, *given, *asked)
    assert [row["question"] for row in csv.DictReader(io.StringIO(out))] == ["What is the total?", "When?"]
    _, out, _ = printed(capsys, *given, "--task", "sequence-classification")
    [row] = csv.DictReader(io.StringIO(out))
    assert row["label"] in ("form", "receipt", "contract", "letter") and 0 < float(row["score"]) <= 1


def test_a_file_that_cannot_be_opened_is_said_and_the_others_are_printed(
    forms: tuple[str, str], samples_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, missing = samples_directory / "form-with-password.pdf", tmp_path / "nothing.pdf"
    files = (str(secret), str(missing), forms[1])
    status, out, err = printed(capsys, *files, "--pages", "1", "--model", "untrained", "--format", "json")
    assert status == 1
    assert f"error: {secret}: encrypted: " in err and f"error: {missing}: not_found: " in err
    assert [page["status"] for page in json.loads(out)["pages"]] == ["ok"]


def test_csv_of_fields_has_keys_with_their_values_types_and_boxes(
    forms: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = printed(capsys, forms[1], "--pages", "1", "--format", "csv")
    rows = {row["value"]: row for row in csv.DictReader(io.StringIO(out))}
    founded = rows["04/17/1998"]
    assert status == 0
    assert (founded["key"], founded["type"], founded["normalized"]) == ("Date founded", "date", "1998-04-17")
    assert (founded["file"], founded["page"], founded["source"]) == ("supplier-form.pdf", "1", "layer")
    assert 0 < float(founded["score"]) <= 1 and int(founded["x0"]) < int(founded["x1"])


FIELD = {
    "uri": "/in/a.pdf",
    "page_index": 0,
    "section": None,
    "key": "Total",
    "value": "$5",
    "value_type": "amount",
    "value_normalized": "5 $",
    "score": 0.5,
    "value_box": None,
    "text_source": "layer",
    "needs_review": True,
}
SPEC = """
fields:
  - {name: founded, keys: [Founded, Date founded], type: date, required: true}
  - {name: patience, keys: [Patience], type: number, required: true}
"""


def test_a_record_is_a_line_a_document_and_json_holds_fields_and_records(
    forms: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    asked = (forms[1], "--pages", "1", "--fields", str(spec), "--min-field-score", "0")
    _, out, _ = printed(capsys, *asked, "--format", "csv")
    [row] = csv.DictReader(io.StringIO(out))
    assert (row["founded"], row["patience"], row["review_reasons"]) == ("1998-04-17", "", "patience: missing")
    _, out, _ = printed(capsys, *asked)
    assert ["supplier-form.pdf", "founded", "1998-04-17"] in [line.split() for line in out.splitlines()]
    _, out, _ = printed(capsys, *asked, "--format", "json")
    told = json.loads(out)
    [record] = told["records"]
    assert (record["founded"], record["needs_review"]) == ("1998-04-17", True)
    assert "1998-04-17" in [field["value_normalized"] for field in told["fields"]]
    assert told["pages"][0]["pairs"]


def test_a_document_that_cannot_be_opened_has_a_record_with_the_reason(
    samples_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, secret = tmp_path / "spec.yaml", samples_directory / "form-with-password.pdf"
    spec.write_text(SPEC)
    status, out, _ = printed(capsys, str(secret), "gs://x/y", "--fields", str(spec), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 1 and [row["uri"] for row in rows] == [str(secret), "gs://x/y"]
    assert "encrypted: " in rows[0]["review_reasons"] and "only local paths" in rows[1]["review_reasons"]
    assert {row["needs_review"] for row in rows} == {"true"}


def test_files_of_the_same_name_are_shown_with_their_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / folder / "a.pdf" for folder in ("x", "y")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(draw_pdf(DrawnPage(show("Total 12.50", 20, 200))))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    given = (*map(str, paths), "--model", "untrained", "--fields", str(spec), "--format", "markdown")
    _, out, _ = printed(capsys, *given)
    assert {line.split("|")[1].strip() for line in out.splitlines()[2:]} == set(map(str, paths))
    assert file_names(["/x/a.png", "/y/a.png", "/y/b.png"]) == {
        "/x/a.png": "/x/a.png",
        "/y/a.png": "/y/a.png",
        "/y/b.png": "b.png",
    }


@pytest.mark.parametrize("style", ["csv", "markdown", "table"])
def test_findings_for_programs_have_the_same_columns_where_there_are_no_fields(style: Format) -> None:
    options = Options(("x.png",), format=style)
    columns = chosen_table(options, [], FoundFields([], []), "token-classification").columns
    filled = chosen_table(options, [], FoundFields([FIELD], []), "token-classification").columns
    assert (columns == filled) == (style != "table")
    assert (filled[-1] == "needs_review") == (style != "table")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("x.png", "--show", "fields", "--task", "sequence-classification"), "--show fields is for"),
        (("x.png", "--fields", "nothing.yaml"), "there is no such file"),
        ((), "name a file"),
        (("x.png", "--dpi", "0"), "--dpi is 0"),
        (("x.png", "--stride", "300"), "--stride is 300"),
        (("x.png", "--task", "question-answering", "--model", "untrained"), "at least one question"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_and_the_reason(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = printed(capsys, *arguments)
    assert status == 2 and reason in err


def test_pages_that_a_document_does_not_have_are_said_and_the_others_are_printed(
    forms: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.pdf"
    short.write_bytes(draw_pdf(DrawnPage(show("One page", 20, 200))))
    asked = (str(short), forms[1], "--pages", "1,3")
    status, out, err = printed(capsys, *asked, "--model", "untrained", "--format", "json")
    assert status == 1 and f"error: {short}: " in err and "the document has 1 page" in err
    assert [page["page_index"] for page in json.loads(out)["pages"]] == [0, 2]


def test_columns_stand_below_each_other_beside_chinese_and_japanese_texts() -> None:
    out = io.StringIO()
    write_table(out, "table", Table(("text", "page"), [("山田太郎", 1), ("e\u0301a", 12), ("字" * 40, 3)]))
    lines = out.getvalue().splitlines()
    assert lines[2:] == ["山田太郎" + " " * 51 + "     1", "e\u0301a" + " " * 57 + "    12", "字" * 29 + "…" + "     3"]


def test_markdown_escapes_what_would_end_a_cell() -> None:
    out = io.StringIO()
    write_table(out, "markdown", Table(("text", "page"), [("a|b\nc", 1)]))
    assert out.getvalue() == "| text | page |\n| --- | --- |\n| a\\|b c | 1 |\n"


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", " +1", "\uff1d1", "-1"])
def test_csv_of_any_table_holds_no_formulas(text: str) -> None:
    out = io.StringIO()
    write_table(out, "csv", Table(("text", "score"), [(text, -0.5)]))
    assert list(csv.reader(io.StringIO(out.getvalue())))[1] == [f"'{text}", "-0.5"]


def test_a_table_for_people_shortens_long_texts() -> None:
    out = io.StringIO()
    write_table(out, "table", Table(("text", "score"), [("x" * 200, 0.5)]))
    assert len(out.getvalue().splitlines()[-1]) < 80 and out.getvalue().endswith("…  0.500\n")

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.evaluation.metrics.scores import score_pages
from pipelines.evaluation.overlays import COLORS, draw_overlays, line_boxes, page_overlays, page_quality
from pipelines.evaluation.report import write_evaluation_report
from pipelines.schema import Row, Task
from pipelines.storage.files import Storage

WORDS = ["Name:", "Ann", "Berg", "Date:", "May", "12", "page"]
TRUE = ["B-QUESTION", "B-ANSWER", "I-ANSWER", "B-QUESTION", "B-ANSWER", "I-ANSWER", "O"]
READ = ["B-QUESTION", "B-QUESTION", "I-QUESTION", "O", "B-ANSWER", "O", "B-HEADER"]
BOXES = [[100 * place, 100, 100 * place + 90, 130] for place in range(len(WORDS))]


def row(uri: str = "/form.png", **columns: Any) -> Row:
    return {
        "document_id": uri,
        "uri": uri,
        "page_index": 0,
        "page_count": 1,
        "status": "ok",
        "error_kind": None,
        "error": None,
        "words": WORDS,
        "boxes": BOXES,
        "labels": READ,
        "true_labels": TRUE,
        "true_label": None,
        "questions": None,
        "keys": None,
        **columns,
    }


def question(text: str, answers: list[str], first_word: int, last_word: int) -> Row:
    return {"text": text, "answers": answers, "first_word": first_word, "last_word": last_word}


def answer(text: str | None, first_word: int, last_word: int) -> Row:
    boxes = BOXES[first_word : last_word + 1] if text else []
    return {
        "text": text,
        "score": 0.8 if text else 0.1,
        "boxes": boxes,
        "first_word": first_word,
        "last_word": last_word,
    }


def write(output: Path, task: Task, rows: list[Row], failed: list[Row], dataset: str = "funsd") -> str:
    scores = score_pages(dataset, task, [*rows, *failed])
    record = {
        "task": task,
        "dataset": dataset,
        "split": "dev",
        "data": "/data",
        "model": "m@1",
        "metric": scores.main_name,
        **scores.values,
        "calibration": scores.calibration,
        "problems": 1,
        "first_problems": [{"uri": "/broken.json", "message": "no <form>"}],
    }
    write_evaluation_report(Storage(), str(output), task, record, rows, failed)
    return (output / "report.html").read_text()


def test_every_entity_is_marked_as_right_wrong_missed_or_spurious() -> None:
    overlays = [(overlay.style, overlay.box) for overlay in page_overlays(row(), "token-classification")]
    assert overlays == [
        ("right", (0, 100, 90, 130)),
        ("spurious", (600, 100, 690, 130)),
        ("missed", (300, 100, 390, 130)),
        ("wrong", (100, 100, 290, 130)),
        ("wrong", (400, 100, 590, 130)),
        ("read", (100, 100, 290, 130)),
        ("read", (400, 100, 490, 130)),
    ]


def test_hovering_tells_true_and_predicted() -> None:
    titles = [overlay.title for overlay in page_overlays(row(), "token-classification")]
    assert 'label: true ANSWER "Ann Berg" | predicted QUESTION "Ann Berg"' in titles
    assert 'boundary: true ANSWER "May 12" | predicted ANSWER "May"' in titles
    assert 'missed: true QUESTION "Date:" | predicted nothing' in titles
    assert 'spurious: true nothing | predicted HEADER "page"' in titles


def test_an_entity_over_two_lines_is_marked_line_by_line() -> None:
    assert line_boxes([(700, 100, 800, 120), (810, 102, 900, 122), (50, 140, 200, 160)]) == [
        (700, 100, 900, 122),
        (50, 140, 200, 160),
    ]


def test_answers_are_marked_where_they_stand_and_where_they_should_have() -> None:
    page = row(
        questions=[question("who?", ["Ann Berg"], 1, 2), question("when?", ["May 12"], 4, 5)],
        answers=[answer("Ann Berg", 1, 2), answer("Date:", 3, 3)],
    )
    assert [(overlay.style, overlay.box) for overlay in page_overlays(page, "question-answering")] == [
        ("right", (100, 100, 290, 130)),
        ("spurious", (300, 100, 390, 130)),
        ("missed", (400, 100, 590, 130)),
    ]
    assert page_quality(page, "question-answering")[0] == 0.5


def test_a_page_that_rightly_says_nothing_counts_as_right() -> None:
    elsewhere = row(page_count=2, questions=[question("who?", ["Ann"], -1, -1)], answers=[answer(None, -1, -1)])
    assert page_quality(elsewhere, "question-answering")[0] == 1
    assert page_quality({**elsewhere, "page_count": 1}, "question-answering")[0] == 0


def test_the_worst_pages_come_first() -> None:
    perfect, empty = row(labels=TRUE), row(true_labels=["O"] * 7, labels=["O"] * 7)
    missed = row(labels=["O"] * 7)
    ordered = sorted([perfect, row(), missed, empty], key=lambda page: page_quality(page, "token-classification"))
    assert [ordered[0], ordered[1]] == [missed, row()]
    sure, unsure, right = (
        row(true_label="form", label=label, score=score)
        for label, score in (("memo", 0.9), ("memo", 0.4), ("form", 0.3))
    )
    assert sorted([right, unsure, sure], key=lambda page: page_quality(page, "sequence-classification")) == [
        sure,
        unsure,
        right,
    ]


def test_the_picture_has_the_colors_of_the_marks_and_the_page_beneath() -> None:
    page = Image.new("RGB", (1001, 1001), "white")
    drawn = draw_overlays(page, page_overlays(row(), "token-classification"))
    for place, style in ((0, "right"), (600, "spurious"), (300, "missed"), (400, "wrong")):
        assert "#{:02x}{:02x}{:02x}".format(*drawn.getpixel((place, 100))) == COLORS[style]  # type: ignore[index, misc]
    assert drawn.getpixel((500, 600)) == (255, 255, 255)
    assert drawn.getpixel((345, 115)) == (255, 255, 255), "what was missed is not filled"
    assert page.getpixel((0, 100)) == (255, 255, 255)


@pytest.fixture
def image(tmp_path: Path) -> str:
    Image.new("L", (300, 400), 230).save(tmp_path / "a form & more.png")
    return str(tmp_path / "a form & more.png")


def test_the_report_tells_figures_mistakes_problems_and_draws_pages(tmp_path: Path, image: str) -> None:
    gone = row(str(tmp_path / "gone.png"))
    failed = row("/blank.png", status="failed", error_kind="unreadable", error="no <image>", words=None, labels=None)
    html = write(tmp_path / "out", "token-classification", [row(image), gone], [failed])
    assert "F1 0.2000 on funsd, dev" in html
    assert "<td>ANSWER</td>" in html and "read as another label" in html
    assert "1 pages failed, 1 problems with annotations" in html
    assert "no &lt;image&gt;" in html and "no &lt;form&gt;" in html and "<form>" not in html
    assert {style: html.count(f"<rect x='{x}' y='100'") for style, x in (("right", 0), ("missed", 300))} == {
        "right": 1,
        "missed": 1,
    }
    assert "a form &amp; more.png" in html
    assert "gone.png: cannot be drawn" in html
    assert not re.search(r"(src|href)='(?!data:)", html), "nothing is loaded from elsewhere"
    (picture,) = (tmp_path / "out" / "pictures").iterdir()
    assert picture.name == "001-a_form___more.png-p1.png"
    with Image.open(picture) as drawn:
        assert drawn.size == (825, 1100)


def test_the_report_shows_whether_scores_are_probabilities(tmp_path: Path, image: str) -> None:
    scored = row(image, scores=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    html = write(tmp_path / "out", "token-classification", [scored], [])
    assert "<h2>Scores as probabilities</h2>" in html and "<th>Calibration error</th>" in html
    plot = (tmp_path / "out" / "risk-coverage.png").read_bytes()
    assert f"src='data:image/png;base64,{base64.b64encode(plot).decode()}'" in html
    with Image.open(tmp_path / "out" / "risk-coverage.png") as drawn:
        assert drawn.format == "PNG" and len(set(drawn.convert("L").tobytes())) > 10


def test_the_plot_of_an_earlier_evaluation_does_not_stay_without_scores(tmp_path: Path, image: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "risk-coverage.png").write_bytes(b"of an earlier evaluation")
    html = write(tmp_path / "out", "token-classification", [row(image)], [])
    assert not (tmp_path / "out" / "risk-coverage.png").exists()
    assert "<img class='plot'" not in html


def test_pictures_of_an_earlier_evaluation_do_not_stay(tmp_path: Path, image: str) -> None:
    write(tmp_path / "out", "token-classification", [row(image), row(image)], [])
    (tmp_path / "out" / "pictures" / "mine.png").write_bytes(b"")
    write(tmp_path / "out", "token-classification", [row(image)], [])
    assert sorted(path.name[:4] for path in (tmp_path / "out" / "pictures").iterdir()) == ["001-", "mine"]


def test_the_report_of_classes_shows_the_confusion_and_names_both_classes(tmp_path: Path, image: str) -> None:
    rows = [row(image, true_label="form", label=label, score=0.7) for label in ("memo", "form")]
    html = write(tmp_path / "out", "sequence-classification", rows, [], "rvl-cdip")
    assert "Accuracy 0.5000" in html and "Confusion" in html
    assert "true form, <span class='bad'>predicted memo (0.70)</span>" in html


def test_the_report_of_questions_says_which_answers_are_right(tmp_path: Path, image: str) -> None:
    page = row(image, questions=[question("who?", ["Ann"], 1, 1)], answers=[answer("Ann", 1, 1)])
    html = write(tmp_path / "out", "question-answering", [page], [], "docvqa")
    assert "ANLS 1.0000" in html
    assert "<li class='good'>who? | true: Ann | answered: Ann (1.00)</li>" in html

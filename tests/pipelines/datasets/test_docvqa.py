"""DocVQA's pages with their questions, from the published files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets import docvqa
from pipelines.datasets.types import LabelledPage
from pipelines.storage.files import Storage, join_uri

WORDS = ["Total", "paid", "to", "R.J.", "Reynolds:", "$1,234.50", "on", "Gilead", "Scences"]


def asked(number: int, text: str, image: str = "one", answers: list[str] | None = None) -> dict[str, Any]:
    question = {
        "questionId": number,
        "question": text,
        "image": f"documents/{image}.png",
        "docId": 7,
        "ucsf_document_page_no": "1",
        "data_split": "train",
    }
    return question if answers is None else {**question, "answers": answers}


def recognised(words: list[str] = WORDS, size: tuple[int, int] = (200, 1000)) -> dict[str, Any]:
    """Each word 10 wide and high, 20 apart."""
    corners = [[x, 10, x + 10, 10, x + 10, 20, x, 20] for x in range(0, 20 * len(words), 20)]
    found = [{"boundingBox": box, "text": text} for box, text in zip(corners, words, strict=True)]
    lines = [{"boundingBox": [], "text": "", "words": part} for part in (found[:3], found[3:])]
    page = {
        "page": 1,
        "clockwiseOrientation": 0.1,
        "width": size[0],
        "height": size[1],
        "unit": "pixel",
        "lines": lines,
    }
    return {"status": "Succeeded", "recognitionResults": [page]}


def write_page(root: Path, name: str = "one", ocr: Any = None, image: bool = True) -> None:
    for folder in ("documents", "ocr_results"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    content = ocr if isinstance(ocr, str) else json.dumps(ocr or recognised())
    (root / "ocr_results" / f"{name}.json").write_text(content)
    if image:
        Image.new("L", (20, 100), 255).save(root / "documents" / f"{name}.png")


def write_questions(root: Path, *questions: Any, file: str = "train_v1.0.json") -> None:
    root.mkdir(parents=True, exist_ok=True)
    content = {"dataset_name": "docvqa", "dataset_version": "1.0", "data": list(questions)}
    (root / file).write_text(json.dumps(content))


def read(data: Path | str, split: str = "train") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = docvqa.read(
        Storage(),
        str(data),
        split,
        "question-answering",
        lambda uri, text: problems.append(f"{Path(uri).name}: {text}"),
    )
    return pages, problems


def test_a_page_has_the_words_of_the_ocr_and_all_its_questions(tmp_path: Path) -> None:
    write_page(tmp_path)
    write_questions(
        tmp_path,
        asked(9, "Who was paid?", answers=["RJ Reynolds", "r.j. reynolds"]),
        asked(2, "How much?", answers=["1,234.50", "$1,234.50"]),
    )
    (page,), problems = read(tmp_path)
    assert problems == []
    assert (page.document_id, page.media_type) == ("docvqa/one", "image/png")
    assert page.uri == str(tmp_path / "documents" / "one.png")
    assert page.words == tuple(WORDS)
    assert page.boxes is not None and page.boxes[1] == (100, 10, 150, 20)
    assert [(one.text, one.first_word, one.last_word) for one in page.questions] == [
        ("How much?", 5, 5),
        ("Who was paid?", 3, 4),
    ]
    assert page.questions[1].answers == ("RJ Reynolds", "r.j. reynolds")


@pytest.mark.parametrize(
    ("answers", "place"),
    [
        (["absent", "paid to"], (1, 2)),
        (["Gilead Sciences"], (7, 8)),
        (["Gilead Sciences", "total"], (0, 0)),
        (["absent"], (-1, -1)),
        ([" "], (-1, -1)),
        ([], (-1, -1)),
    ],
)
def test_an_answer_is_the_first_found_exactly_else_misread(
    tmp_path: Path, answers: list[str], place: tuple[int, int]
) -> None:
    write_page(tmp_path)
    write_questions(tmp_path, asked(1, "What?", answers=answers))
    ((page,), _) = read(tmp_path)
    (question,) = page.questions
    assert (question.first_word, question.last_word) == place


def test_the_test_split_has_no_answers(tmp_path: Path) -> None:
    write_page(tmp_path)
    write_questions(tmp_path, asked(1, "What?"), file="test_v1.0.json")
    ((page,), _) = read(tmp_path, "test")
    assert [(one.text, one.answers, one.first_word) for one in page.questions] == [("What?", (), -1)]


def test_dev_is_the_published_validation_split(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_page(tmp_path, name)
    write_questions(tmp_path, asked(1, "What?", "b", ["paid"]), file="train_v1.0_withQT.json")
    write_questions(tmp_path, asked(2, "What?", "c", []), asked(3, "What?", "a", []), file="val_v1.0_withQT.json")
    assert [page.document_id for page in read(tmp_path, "dev")[0]] == ["docvqa/a", "docvqa/c"]
    assert [page.document_id for page in read(tmp_path, "train+dev")[0]] == ["docvqa/a", "docvqa/b", "docvqa/c"]


def test_a_folder_for_each_split_and_the_later_download_are_read(tmp_path: Path) -> None:
    write_page(tmp_path / "a" / "val")
    write_questions(tmp_path / "a" / "val", asked(1, "What?", answers=["paid"]), file="val_v1.0.json")
    assert len(read(tmp_path / "a", "dev")[0]) == 1
    later = tmp_path / "b"
    write_page(later)
    write_questions(later / "spdocvqa_qas", asked(1, "What?", answers=["paid"]))
    (later / "documents").rename(later / "spdocvqa_images")
    (later / "ocr_results").rename(later / "spdocvqa_ocr")
    ((page,), _) = read(later)
    assert page.uri.endswith("spdocvqa_images/one.png")


def test_turned_words_have_the_box_around_them_and_boxes_off_the_page_are_clipped(tmp_path: Path) -> None:
    ocr = recognised(["up", "off", " "])
    words = [word for line in ocr["recognitionResults"][0]["lines"] for word in line["words"]]
    words[0]["boundingBox"] = [10, 90, 10, 50, 20, 50, 20, 90]
    words[1]["boundingBox"] = [190, 10, 260, 10, 260, 20, 190, 20]
    write_page(tmp_path, ocr=ocr)
    write_questions(tmp_path, asked(1, "What?", answers=["up"]))
    (page,), problems = read(tmp_path)
    assert page.words == ("up", "off")
    assert page.boxes == ((50, 50, 100, 90), (950, 10, 1000, 20))
    assert problems == ["one.json: 1 boxes off the page were clipped to it"]


def without(name: str) -> dict[str, Any]:
    ocr = recognised()
    del ocr["recognitionResults"][0][name]
    return ocr


@pytest.mark.parametrize(
    ("ocr", "image"),
    [
        ("{", True),
        ("[]", True),
        ('{"recognitionResults": []}', True),
        ('{"recognitionResults": ["page"]}', True),
        (without("lines"), True),
        (without("width"), True),
        (recognised(size=(0, 100)), True),
        (recognised(), False),
    ],
)
def test_a_broken_page_is_left_out_and_named(tmp_path: Path, ocr: Any, image: bool) -> None:
    write_page(tmp_path, "bad", ocr, image)
    write_page(tmp_path, "good")
    write_questions(tmp_path, asked(1, "What?", "bad", ["paid"]), asked(2, "What?", "good", ["paid"]))
    pages, (issue,) = read(tmp_path)
    assert [page.document_id for page in pages] == ["docvqa/good"]
    assert issue.startswith("bad.png: left out: ")


def test_a_page_without_ocr_is_left_out(tmp_path: Path) -> None:
    write_page(tmp_path)
    (tmp_path / "ocr_results" / "one.json").unlink()
    write_questions(tmp_path, asked(1, "What?", answers=["paid"]))
    pages, (issue,) = read(tmp_path)
    assert pages == () and "no such file" in issue


def test_a_broken_question_is_left_out_and_named(tmp_path: Path) -> None:
    write_page(tmp_path)
    broken = [{"questionId": 5}, {**asked(6, "What?"), "answers": [7]}, {**asked(7, " ")}, "text"]
    write_questions(tmp_path, *broken, asked(8, "What?", answers=["paid"]))
    (page,), problems = read(tmp_path)
    assert len(page.questions) == 1
    assert [issue.split(" left out")[0] for issue in problems] == [
        f"train_v1.0.json: question {number}" for number in (5, 6, 7, 3)
    ]


def test_questions_that_cannot_be_read_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no val_v1\.0\.json .* DocVQA is laid out as train_v1\.0\.json"):
        read(tmp_path, "dev")
    (tmp_path / "train_v1.0.json").write_text('{"data": 7}')
    with pytest.raises(ValueError, match="not JSON with a list `data` of questions"):
        read(tmp_path)


def test_pages_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    write_page(tmp_path)
    write_questions(tmp_path, asked(1, "What?", answers=["paid to"]))
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            Storage().write(join_uri(s3_prefix, *path.relative_to(tmp_path).parts), path.read_bytes())
    ((there,), _), ((here,), _) = read(s3_prefix), read(tmp_path)
    assert (there.document_id, there.words, there.boxes, there.questions) == (
        *(here.document_id, here.words, here.boxes, here.questions),
    )

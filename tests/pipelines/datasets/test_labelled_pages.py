"""Labelled pages in the project's own schema: what an extraction wrote and people corrected, or a program drew."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.datasets import labelled_pages
from pipelines.datasets.types import LabelledPage, Question, hashed_split
from pipelines.errors import ProcessingError
from pipelines.schema import Task, page_schema
from pipelines.storage.files import Storage, join_uri


def png(grey: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (30, 40), grey).save(content, format="PNG")
    return content.getvalue()


def drawn(number: int, **values: Any) -> LabelledPage:
    return LabelledPage(
        **{
            "document_id": f"drawn/{number}",
            "uri": f"drawn/{number}",
            "media_type": "image/png",
            "words": ("Name:", "Ann"),
            "boxes": ((0, 0, 100, 20), (110, 0, 200, 20)),
            "labels": ("B-QUESTION", "B-ANSWER"),
            "questions": (Question("Name:", ("Ann",), 1, 1),),
            "keys": (("name", "Ann"),),
            "links": ((0, 1),),
            **values,
        }
    )


def read(data: str, split: str, task: Task = "token-classification") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = labelled_pages.read(Storage(), data, split, task, lambda uri, text: problems.append(f"{uri}: {text}"))
    return pages, problems


def extracted(**values: Any) -> dict[str, Any]:
    """A row as `jobs.extract` writes it."""
    return {
        "document_id": "doc",
        "uri": "/bucket/doc.pdf",
        "page_index": 0,
        "page_count": 1,
        "words": ["a", "b"],
        "boxes": [[0, 0, 10, 10], [20, 0, 30, 10]],
        "labels": ["O", "B-TOTAL"],
        "status": "ok",
        **values,
    }


def write_extraction(folder: Path, task: Task, rows: list[dict[str, Any]]) -> None:
    (folder / "pages").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=page_schema(task)), folder / "pages" / "one.parquet")


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_pages_with_their_pictures_come_back_as_they_were_written(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = str(tmp_path) if where == "folder" else request.getfixturevalue("s3_prefix")
    storage = Storage()
    uri = join_uri(data, "forms.parquet")
    pages = [(drawn(number), png(number), "dev" if number == 2 else "train") for number in range(4)]
    assert labelled_pages.write_labelled_pages(storage, uri, pages) == 4
    train, problems = read(data, "train")
    assert problems == []
    assert [page.document_id for page in train] == ["drawn/0", "drawn/1", "drawn/3"]
    assert train[2].uri == f"{uri}#3" and labelled_pages.is_embedded_image(train[2].uri)
    wanted = drawn(3)
    assert (train[2].words, train[2].boxes, train[2].labels) == (wanted.words, wanted.boxes, wanted.labels)
    assert (train[2].questions, train[2].keys, train[2].links) == (wanted.questions, wanted.keys, wanted.links)
    assert labelled_pages.read_embedded_image(storage, train[2].uri) == png(3)
    assert len(read(data, "all")[0]) == 4
    with pytest.raises(ProcessingError, match="no picture"):
        labelled_pages.read_embedded_image(storage, f"{uri}#9")


def test_an_extraction_with_corrected_labels_is_a_corpus(tmp_path: Path) -> None:
    rows = [
        extracted(labels=["B-TOTAL", None]),
        extracted(page_index=1, status="failed", words=None, boxes=None, labels=None),
    ]
    write_extraction(tmp_path, "token-classification", rows)
    (page,), problems = read(str(tmp_path), "all")
    assert problems == []
    assert page.uri == "/bucket/doc.pdf" and page.labels == ("B-TOTAL", "O")


def test_classes_and_answers_of_an_extraction_are_taken(tmp_path: Path) -> None:
    write_extraction(tmp_path / "classes", "sequence-classification", [extracted(label="form")])
    assert read(str(tmp_path / "classes"), "all", "sequence-classification")[0][0].label == "form"
    answers = [
        {"question": "Who?", "text": "b", "score": 1.0, "boxes": [[20, 0, 30, 10]], "first_word": 1, "last_word": 1},
        {"question": "When?", "text": None, "score": 0.1, "boxes": [], "first_word": -1, "last_word": -1},
    ]
    write_extraction(tmp_path / "answers", "question-answering", [extracted(labels=None, answers=answers)])
    (page,), _ = read(str(tmp_path / "answers"), "all", "question-answering")
    assert page.questions == (Question("Who?", ("b",), 1, 1), Question("When?", (), -1, -1))


def test_labels_are_those_of_all_splits_in_a_fixed_order(tmp_path: Path) -> None:
    pages = [
        (drawn(0, labels=("I-NAME", "B-DATE")), None, "train"),
        (drawn(1, labels=("O", "B-NAME"), label="memo"), None, "dev"),
        (drawn(2, label="form"), None, "test"),
    ]
    storage = Storage()
    labelled_pages.write_labelled_pages(storage, str(tmp_path / "a.parquet"), pages[:1])
    labelled_pages.write_labelled_pages(storage, str(tmp_path / "b.parquet"), pages[1:])
    words = labelled_pages.labels(storage, str(tmp_path), "token-classification")
    assert words == ("O", "B-ANSWER", "B-DATE", "B-NAME", "I-NAME", "B-QUESTION")
    assert labelled_pages.labels(storage, str(tmp_path), "sequence-classification") == ("form", "memo")
    assert labelled_pages.labels(storage, str(tmp_path), "question-answering") == ()


def test_without_a_split_the_hash_of_the_document_decides() -> None:
    splits = [hashed_split(f"document-{number}") for number in range(2000)]
    assert 0.76 < splits.count("train") / 2000 < 0.84
    assert 0.07 < splits.count("dev") / 2000 < 0.13
    assert splits == [hashed_split(f"document-{number}") for number in range(2000)]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"labels": ["O"]}, "2 words and 1 labels"),
        ({"boxes": [[0, 0, 10, 10]]}, "2 words and 1 boxes"),
        ({"boxes": None}, "2 words and 0 boxes"),
        ({"words": None, "boxes": None}, "0 words and 2 labels"),
        ({"words": ["a", None]}, "a word is no text"),
        ({"labels": None}, "no labels of words, which the task is about"),
    ],
)
def test_a_row_that_does_not_fit_together_is_left_out_and_named(
    values: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    write_extraction(tmp_path, "token-classification", [extracted(**values), extracted()])
    pages, (issue,) = read(str(tmp_path), "all")
    assert len(pages) == 1
    assert issue == f"{tmp_path}/pages/one.parquet#0: left out: {reason}"


def test_broken_boxes_are_repaired_and_told(tmp_path: Path) -> None:
    write_extraction(tmp_path, "token-classification", [extracted(boxes=[[30, 0, 20, 10], [990, -5, 1020, 10]])])
    (page,), (issue,) = read(str(tmp_path), "all")
    assert page.boxes == ((20, 0, 30, 10), (990, 0, 1000, 10))
    assert issue.endswith("one.parquet#0: 1 inverted boxes were put in order; 1 boxes off the page were clipped to it")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as they are, in a file whose columns are those of the rows."""
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_an_unknown_split_a_missing_column_and_a_false_span_are_named(tmp_path: Path) -> None:
    page = {**extracted(), "split": "dev", "questions": []}
    question = {"text": "Who?", "answers": ["b"], "first_word": 1, "last_word": 2}
    write_rows(tmp_path / "a.parquet", [page, {**page, "split": "valid"}, {**page, "questions": [question]}])
    write_rows(tmp_path / "b.parquet", [{name: value for name, value in page.items() if name != "document_id"}])
    pages, problems = read(str(tmp_path), "dev")
    assert len(pages) == 1
    assert [issue.removeprefix(f"{tmp_path}/") for issue in problems] == [
        "a.parquet#1: left out: the split is 'valid', which is none of train, dev, test",
        'a.parquet#2: left out: the answer to "Who?" is words 1 to 2 of 2',
        "b.parquet#0: left out: no document_id",
    ]


def test_links_that_are_none_of_two_entities_are_told_and_cost_nothing_else(tmp_path: Path) -> None:
    labels = ("B-HEADER", "I-HEADER", "O", "I-QUESTION", "I-ANSWER", "I-ANSWER")
    words, boxes = tuple("abcdef"), ((0, 0, 9, 9),) * 6
    links = ((0, 3), (3, 4), (4, 5), (1, 3), (2, 4), (-1, 0), (0, 6), (3, 3), (0, 3))
    page = drawn(0, words=words, boxes=boxes, labels=labels, links=links)
    labelled_pages.write_labelled_pages(Storage(), str(tmp_path / "a.parquet"), [(page, png(0), None)])
    (found,), (issue,) = read(str(tmp_path), "all")
    assert found.links == ((0, 3), (3, 4))
    assert "a.parquet#0: 6 links that are no first words of two entities are ignored: [[4, 5], [1, 3]" in issue


def test_pages_without_links_have_none_and_other_columns_of_the_name_are_told(tmp_path: Path) -> None:
    labelled_pages.write_labelled_pages(Storage(), str(tmp_path / "a.parquet"), [(drawn(0, links=None), png(0), None)])
    write_rows(tmp_path / "b.parquet", [extracted(), extracted(page_index=1)])
    write_rows(tmp_path / "c.parquet", [{**extracted(document_id="c"), "links": [{"from": 0, "to_word": None}]}])
    pages, (issue,) = read(str(tmp_path), "all")
    assert [page.links for page in pages] == [None, None, None, ()]
    assert "c.parquet#0: 1 links" in issue


def test_a_page_that_comes_again_is_named_and_taken_once(tmp_path: Path) -> None:
    write_extraction(tmp_path, "token-classification", [extracted(), extracted(page_index=1), extracted()])
    pages, (issue,) = read(str(tmp_path), "all")
    assert [page.page_index for page in pages] == [0, 1]
    assert issue.endswith("one.parquet#2: left out: page 0 of doc came before")


def test_a_row_without_a_picture_keeps_its_file(tmp_path: Path) -> None:
    storage, uri = Storage(), str(tmp_path / "a.parquet")
    labelled_pages.write_labelled_pages(storage, uri, [(drawn(0), png(0), None), (drawn(1, uri="/x.tif"), None, None)])
    first, second = read(str(tmp_path), "all")[0]
    assert (first.uri, first.media_type) == (f"{uri}#0", "image/png")
    assert (second.uri, second.media_type) == ("/x.tif", "image/tiff")


def test_a_picture_is_found_in_any_row_group_and_in_a_struct(tmp_path: Path) -> None:
    rows = [{**extracted(page_index=number), "image": {"bytes": png(number), "path": None}} for number in range(5)]
    rows[1]["image"] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=2)
    pages, _ = read(str(tmp_path / "a.parquet"), "all")
    assert [labelled_pages.is_embedded_image(page.uri) for page in pages] == [True, False, True, True, True]
    assert labelled_pages.read_embedded_image(Storage(), pages[3].uri) == png(3)


def test_a_picture_in_a_broken_file_is_a_page_error(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ProcessingError) as raised:
        labelled_pages.read_embedded_image(Storage(), f"{tmp_path}/a.parquet#0")
    assert raised.value.kind == "unreadable"


def test_a_file_that_is_no_parquet_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_extraction(tmp_path, "token-classification", [extracted()])
    (tmp_path / "pages" / "broken.parquet").write_bytes(b"PAR1 and no more")
    pages, (issue,) = read(str(tmp_path), "all")
    assert len(pages) == 1 and "broken.parquet: left out" in issue


def test_a_folder_without_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no \*\.parquet"):
        read(str(tmp_path), "train")

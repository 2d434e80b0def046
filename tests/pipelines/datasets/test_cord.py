"""CORD's receipts, in the archive's layout and in the Parquet files of version 2."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.datasets import cord
from pipelines.datasets.labelled_pages import read_embedded_image
from pipelines.datasets.types import LabelledPage
from pipelines.storage.files import Storage, join_uri

WIDTH, HEIGHT = 400, 800


def word(text: str, x0: int, y0: int, x1: int, y1: int, is_key: int = 0) -> dict[str, Any]:
    quad = {"x1": x0, "y1": y0, "x2": x1, "y2": y0, "x3": x1, "y3": y1, "x4": x0, "y4": y1}
    return {"quad": quad, "is_key": is_key, "row_id": 1, "text": text}


def annotation(*lines: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "valid_line": [{"words": words, "category": category, "group_id": 3} for category, words in lines],
        "meta": {"version": "0.1", "split": "train", "image_id": 0, "image_size": {"width": WIDTH, "height": HEIGHT}},
        "roi": {},
        "repeating_symbol": [],
    }


RECEIPT = annotation(
    ("menu.nm", [word("ICED", 40, 80, 80, 100), word("TEA", 90, 80, 130, 100)]),
    ("menu.price", [word("9,000", 300, 80, 360, 100)]),
    (
        "total.total_price",
        [word("TOTAL", 40, 200, 100, 220, is_key=1), word(" ", 0, 0, 1, 1), word("9,000", 300, 200, 360, 220)],
    ),
    ("other", [word("Thank", 40, 700, 90, 720), word("you", 95, 700, 120, 720)]),
    ("menu.cnt", [word("", 0, 0, 1, 1)]),
)
WORDS = ("ICED", "TEA", "9,000", "TOTAL", "9,000", "Thank", "you")
LABELS = (
    "B-MENU.NM",
    "I-MENU.NM",
    "B-MENU.PRICE",
    "B-TOTAL.TOTAL_PRICE",
    "I-TOTAL.TOTAL_PRICE",
    "O",
    "O",
)


def write_receipt(folder: Path, name: str, content: Any, image: bool = True) -> None:
    for part in ("json", "image"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "json" / f"{name}.json").write_text(text)
    if image:
        Image.new("L", (WIDTH, HEIGHT), 255).save(folder / "image" / f"{name}.png")


def read(data: Path | str, split: str = "train") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = cord.read(
        Storage(),
        str(data),
        split,
        "token-classification",
        lambda uri, text: problems.append(f"{uri.rsplit('/', 1)[-1]}: {text}"),
    )
    return pages, problems


def test_there_are_thirty_fields_under_four_categories_in_the_published_order() -> None:
    assert len(cord.FIELDS) == len(set(cord.FIELDS)) == 30
    assert {field.split(".")[0] for field in cord.FIELDS} == {"menu", "void_menu", "sub_total", "total"}
    assert len(cord.LABELS) == 61
    assert cord.LABELS[:3] == ("O", "B-MENU.NM", "B-MENU.NUM")
    assert cord.LABELS[30:32] == ("B-TOTAL.MENUQTY_CNT", "I-MENU.NM")


def test_words_boxes_and_labels_are_as_published(tmp_path: Path) -> None:
    write_receipt(tmp_path / "train", "receipt_00000", RECEIPT)
    (page,), problems = read(tmp_path)
    assert problems == []
    assert (page.words, page.labels) == (WORDS, LABELS)
    assert page.boxes is not None and page.boxes[:2] == ((100, 100, 200, 125), (225, 100, 325, 125))
    assert page.document_id == "cord/train/receipt_00000"
    assert page.uri == f"{tmp_path}/train/image/receipt_00000.png"


@pytest.mark.parametrize("wrapped", [{"ground_truth": RECEIPT}, {"ground_truth": json.dumps(RECEIPT)}])
def test_the_annotation_may_stand_in_ground_truth(wrapped: dict[str, Any], tmp_path: Path) -> None:
    write_receipt(tmp_path / "CORD" / "dev", "one", wrapped)
    (page,), problems = read(tmp_path, "dev")
    assert problems == [] and page.words == WORDS


def test_receipts_come_by_file_name_and_split(tmp_path: Path) -> None:
    for split, name in (("train", "b"), ("train", "a"), ("dev", "c"), ("test", "d")):
        write_receipt(tmp_path / split, name, RECEIPT)
    names = [[page.document_id for page in read(tmp_path, split)[0]] for split in cord.SPLITS]
    assert names == [["cord/train/a", "cord/train/b"], ["cord/dev/c"], ["cord/test/d"]]


def test_a_leaning_word_has_the_bounds_of_its_quadrilateral(tmp_path: Path) -> None:
    leaning = word("a", 0, 0, 0, 0)
    leaning["quad"] = {"x1": 40, "y1": 90, "x2": 80, "y2": 80, "x3": 84, "y3": 100, "x4": 44, "y4": 112}
    write_receipt(tmp_path / "train", "one", annotation(("menu.nm", [leaning])))
    (page,), problems = read(tmp_path)
    assert problems == [] and page.boxes == ((100, 100, 210, 140),)


def test_broken_boxes_are_repaired_and_told(tmp_path: Path) -> None:
    words = [word("a", 80, 100, 40, 80), word("b", -5, 0, 40, 900)]
    write_receipt(tmp_path / "train", "one", annotation(("menu.nm", words)))
    (page,), problems = read(tmp_path)
    assert page.boxes == ((100, 100, 200, 125), (0, 0, 100, 1000))
    assert problems == ["one.json: 1 inverted boxes were put in order; 1 boxes off the page were clipped to it"]


def test_an_unknown_category_is_told_and_counts_as_other(tmp_path: Path) -> None:
    write_receipt(tmp_path / "train", "one", annotation(("store_info.name", [word("SHOP", 1, 1, 9, 9)])))
    (page,), (issue,) = read(tmp_path)
    assert page.labels == ("O",)
    assert "'store_info.name', which is none of CORD's 30" in issue


@pytest.mark.parametrize(
    ("content", "image", "reason"),
    [
        ("{", True, "it is not JSON"),
        ({"ground_truth": "{"}, True, "it is not JSON"),
        ({"ground_truth": 7}, True, "7 stands where an object with 'valid_line' is expected"),
        ({"valid_line": [{"words": []}]}, True, "'category' is missing"),
        (annotation(("menu.nm", [{"text": "a", "quad": {"x1": 3}}])), True, "null in [3, null, null, null]"),
        (RECEIPT, False, "no such file"),
    ],
)
def test_a_broken_receipt_is_left_out_and_named(tmp_path: Path, content: Any, image: bool, reason: str) -> None:
    write_receipt(tmp_path / "train", "bad", content, image)
    write_receipt(tmp_path / "train", "good", RECEIPT)
    pages, (issue,) = read(tmp_path)
    assert [page.document_id for page in pages] == ["cord/train/good"]
    assert issue.startswith("bad.json: left out: ") and reason in issue


def test_the_parquet_files_of_version_2_are_read_with_their_pictures(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT), 255).save(picture, format="PNG")
    sizeless = {**RECEIPT, "meta": {}}
    rows = [
        {"image": {"bytes": picture.getvalue(), "path": None}, "ground_truth": json.dumps(content)}
        for content in (RECEIPT, sizeless, RECEIPT)
    ]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "validation-00000-of-00001-cc3c.parquet")
    pages, (issue,) = read(tmp_path, "dev")
    assert [page.document_id for page in pages] == ["cord/dev/00000", "cord/dev/00002"]
    assert (pages[1].words, pages[1].labels) == (WORDS, LABELS)
    assert read_embedded_image(Storage(), pages[1].uri) == picture.getvalue()
    assert issue.startswith("validation-00000-of-00001-cc3c.parquet#1: left out: 'image_size' is missing")


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "test-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    pages, (issue,) = read(tmp_path, "test")
    assert pages == () and issue.startswith("test-00000-of-00001.parquet: left out: ")


def test_receipts_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    write_receipt(tmp_path / "test", "one", RECEIPT)
    for path in tmp_path.rglob("*.*"):
        Storage().write(join_uri(s3_prefix, *path.relative_to(tmp_path).parts), path.read_bytes())
    (there,), problems = read(s3_prefix, "test")
    (here,), _ = read(tmp_path, "test")
    assert problems == []
    assert (there.document_id, there.words, there.boxes) == (here.document_id, here.words, here.boxes)


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no dev/json/\*\.json, nor data/validation-\*\.parquet; CORD is laid out as"):
        read(tmp_path, "dev")

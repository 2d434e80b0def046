"""SROIE's receipts: words shared out of lines, labels and answers found by the fields."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from pipelines.datasets import sroie
from pipelines.datasets.types import LabelledPage
from pipelines.storage.files import Storage, join_uri

WIDTH, HEIGHT = 500, 1000

LINES = [
    "100,10,400,10,400,40,100,40,ACME BOOKS (M) SDN BHD",
    "100,50,300,50,300,70,100,70,12, JALAN SATU,",
    "100,80,300,80,300,100,100,100,81100 JOHOR",
    "100,110,300,110,300,130,100,130,DATE: 25/12/2018 8:13",
    "100,200,200,200,200,220,100,220,TEA",
    "400,200,450,200,450,220,400,220,9.00",
    "100,300,200,300,200,320,100,320,SUB TOTAL",
    "400,300,450,300,450,320,400,320,9.00",
    "100,400,200,400,200,420,100,420,TOTAL",
    "400,402,450,402,450,422,400,422,RM9.00",
    "100,500,200,500,200,520,100,520,CASH",
    "400,500,450,500,450,520,400,520,9.00",
]
KEYS = {
    "company": "ACME BOOKS (M) SDN BHD",
    "date": "25/12/2018",
    "address": "12, JALAN SATU, 81100 JOHOR",
    "total": "9.00",
}


def write_receipt(
    folder: Path, name: str, lines: list[str] | bytes = LINES, keys: dict[str, str] | str = KEYS, image: bool = True
) -> None:
    for part in ("box", "key", "img"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "box" / f"{name}.csv").write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
    (folder / "key" / f"{name}.json").write_text(keys if isinstance(keys, str) else json.dumps(keys))
    if image:
        Image.new("L", (WIDTH, HEIGHT), 255).save(folder / "img" / f"{name}.jpg")


def read(data: Path | str, split: str = "train+dev") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = sroie.read(
        Storage(),
        str(data),
        split,
        "token-classification",
        lambda uri, text: problems.append(f"{Path(uri).name}: {text}"),
    )
    return pages, problems


def labelled(page: LabelledPage) -> list[tuple[str, str]]:
    assert page.words is not None and page.labels is not None
    return [(word, label) for word, label in zip(page.words, page.labels, strict=True) if label != "O"]


def test_labels_are_the_four_fields() -> None:
    assert (
        "O",
        *("B-COMPANY", "I-COMPANY", "B-DATE", "I-DATE"),
        *("B-ADDRESS", "I-ADDRESS", "B-TOTAL", "I-TOTAL"),
    ) == sroie.LABELS


def test_a_receipt_is_labelled_by_its_fields(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000")
    (page,), problems = read(tmp_path)
    assert problems == []
    assert labelled(page) == [
        *zip(["ACME", "BOOKS", "(M)", "SDN", "BHD"], ["B-COMPANY", *["I-COMPANY"] * 4], strict=True),
        *zip(["12,", "JALAN", "SATU,", "81100", "JOHOR"], ["B-ADDRESS", *["I-ADDRESS"] * 4], strict=True),
        ("25/12/2018", "B-DATE"),
        ("RM9.00", "B-TOTAL"),
    ]
    assert page.document_id == "sroie/000"
    assert page.uri.endswith("img/000.jpg") and page.media_type == "image/jpeg"
    assert page.keys == tuple(KEYS.items())


def test_a_line_is_shared_out_among_its_words_by_characters(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000", ["100,10,200,10,200,40,100,40,ab  cde, f"])
    (page,), _ = read(tmp_path)
    assert page.words == ("ab", "cde,", "f")
    assert page.boxes == ((200, 10, 240, 40), (280, 10, 360, 40), (380, 10, 400, 40))


def test_questions_ask_for_the_fields_and_show_their_place(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000", keys={**KEYS, "date": "01/01/2001"})
    (page,), _ = read(tmp_path)
    asked = {question.text: question for question in page.questions}
    total, date = asked["What is the total amount?"], asked["What is the date of the receipt?"]
    assert page.words is not None and page.words[total.first_word] == "RM9.00"
    assert total.answers == ("9.00",)
    assert (date.answers, date.first_word, date.last_word) == (("01/01/2001",), -1, -1)


def test_without_a_row_that_says_total_the_largest_and_last_number_is_it(tmp_path: Path) -> None:
    lines = [
        "0,100,50,100,50,120,0,120,9.00",
        "0,200,50,200,50,230,0,230,9.00",
        "0,300,50,300,50,330,0,330,9.00",
        "0,400,50,400,50,420,0,420,9.00",
        "60,400,99,400,99,420,60,420,SUBTOTAL",
    ]
    write_receipt(tmp_path, "000", lines, {"total": "9.00"})
    (page,), _ = read(tmp_path)
    assert page.labels == ("O", "O", "B-TOTAL", "O", "O")


def test_the_last_fifth_is_held_out_and_a_test_folder_is_the_test(tmp_path: Path) -> None:
    for number in range(11):
        write_receipt(tmp_path, f"{number:03d}")
    names = {split: [page.document_id for page in read(tmp_path, split)[0]] for split in ("train", "dev", "train+dev")}
    assert names["train"] == [f"sroie/{number:03d}" for number in range(9)]
    assert names["dev"] == ["sroie/009", "sroie/010"]
    assert names["train+dev"] == names["train"] + names["dev"]


def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    for folder, count in (("train", 5), ("test", 2)):
        for number in range(count):
            write_receipt(tmp_path / folder, f"X{number}")
    assert [page.document_id for page in read(tmp_path, "test")[0]] == ["sroie/test/X0", "sroie/test/X1"]
    assert [page.document_id for page in read(tmp_path, "dev")[0]] == ["sroie/train/X4"]
    write_receipt(tmp_path / "dev", "X9")
    assert [page.document_id for page in read(tmp_path, "dev")[0]] == ["sroie/dev/X9"]
    assert len(read(tmp_path, "train")[0]) == 5


def test_other_published_names_of_folders_and_files_are_read(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000")
    (tmp_path / "key").rename(tmp_path / "entities")
    (tmp_path / "entities" / "000.json").rename(tmp_path / "entities" / "000.txt")
    (tmp_path / "box" / "000.csv").rename(tmp_path / "box" / "000.txt")
    assert len(read(tmp_path)[0]) == 1


def test_broken_boxes_are_repaired_and_told(tmp_path: Path) -> None:
    lines = ["200,40,100,40,100,10,200,10,ab", "450,10,600,10,600,1200,450,1200,cd"]
    write_receipt(tmp_path, "000", lines)
    (page,), problems = read(tmp_path)
    assert page.boxes == ((200, 10, 400, 40), (900, 10, 1000, 1000))
    assert problems == ["000.csv: 1 inverted boxes were put in order; 1 boxes off the page were clipped to it"]


def test_a_line_that_is_none_is_left_out_and_told(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000", [*LINES, "", "1,2,3,lost", "a,b,c,d,e,f,g,h,lost", "nan,0,9,0,9,9,0,9,lost"])
    (page,), (issue,) = read(tmp_path)
    assert page.words is not None and "lost" not in page.words and page.words[-1] == "9.00"
    assert issue == "000.csv: 3 lines left out (number 14, 15, 16): not x1,y1,x2,y2,x3,y3,x4,y4,text"


def test_text_in_another_encoding_is_read(tmp_path: Path) -> None:
    write_receipt(tmp_path, "000", b"1,1,9,1,9,9,1,9,CAF\xc9\r\n")
    (page,), problems = read(tmp_path)
    assert page.words == ("CAFÉ",) and problems == []


@pytest.mark.parametrize(
    ("lines", "keys", "image", "reason"),
    [
        (LINES, KEYS, False, "no image of this name"),
        (LINES, "{", True, "not JSON"),
        (LINES, "[]", True, "holds no object"),
        (LINES, '{"name": "x"}', True, "has none of the fields company, date, address, total"),
        ([], KEYS, True, "no line of text could be read"),
        (["1,2,3"], KEYS, True, "no line of text could be read"),
    ],
)
def test_a_broken_receipt_is_left_out_and_named(
    tmp_path: Path, lines: list[str], keys: dict[str, str] | str, image: bool, reason: str
) -> None:
    write_receipt(tmp_path, "bad", lines, keys, image)
    write_receipt(tmp_path, "good")
    pages, problems = read(tmp_path)
    assert [page.document_id for page in pages] == ["sroie/good"]
    assert all(issue.startswith("bad.csv: ") for issue in problems)
    assert problems[-1].startswith("bad.csv: left out: ") and reason in problems[-1]


def test_a_receipt_without_keys_or_with_a_damaged_image_is_left_out(tmp_path: Path) -> None:
    write_receipt(tmp_path, "a")
    write_receipt(tmp_path, "b")
    (tmp_path / "key" / "a.json").unlink()
    (tmp_path / "img" / "b.jpg").write_bytes(b"no image")
    pages, problems = read(tmp_path)
    assert pages == () and len(problems) == 2


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no receipts of the split train; SROIE is laid out as box/, key/ and img/"):
        read(tmp_path, "train")
    write_receipt(tmp_path, "000")
    with pytest.raises(ValueError, match=r"no receipts of the split test; SROIE is laid out as test/ with"):
        read(tmp_path, "test")


def test_receipts_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    write_receipt(tmp_path, "000")
    for path in tmp_path.rglob("*.*"):
        Storage().write(join_uri(s3_prefix, *path.relative_to(tmp_path).parts), path.read_bytes())
    (there,), _ = read(s3_prefix)
    (here,), _ = read(tmp_path)
    assert (there.document_id, there.words, there.boxes, there.labels) == (
        *(here.document_id, here.words, here.boxes, here.labels),
    )


def test_the_fields_of_the_real_receipts_are_located(shared_directory: Path) -> None:
    pages, _ = read(shared_directory / "corpora" / "sroie")
    assert len(pages) == 150
    named: Counter[str] = Counter()
    located: Counter[str] = Counter()
    for page in pages:
        named.update(key for key, _ in page.keys)
        labels = set(page.labels or ())
        located.update(key for key, _ in page.keys if f"B-{key.upper()}" in labels)
        assert page.words is not None and len(page.words) == len(page.boxes or ())
    assert named == dict.fromkeys(sroie.KEYS, 150)
    assert all(located[key] >= 149 for key in sroie.KEYS), located

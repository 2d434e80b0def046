"""What is written in XFUND's format is read back the same, in scripts with spaces and without."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from pipelines.datasets import xfund
from pipelines.datasets.page_images import read_image_file
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.types import Box, LabelledPage
from pipelines.datasets.xfund_writer import write_xfund
from pipelines.storage.files import Storage, join_uri


def image_file(width: int = 777, height: int = 1003) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), 255).save(content, "PNG")
    return content.getvalue()


def page(words: tuple[str, ...], labels: tuple[str, ...], links: tuple[tuple[int, int], ...] = ()) -> LabelledPage:
    """Words side by side, 30 thousandths wide for each letter."""
    boxes = []
    x = 11
    for word in words:
        boxes.append((x, 101, x + 30 * len(word), 123))
        x += 30 * len(word)
    return LabelledPage("made", "", "image/png", words=words, boxes=tuple(boxes), labels=labels, links=links)


def written_and_read(folder: Path | str, language: str, pages: list[LabelledPage], image: bytes) -> list[LabelledPage]:
    storage, problems = Storage(), list[str]()
    assert write_xfund(storage, str(folder), language, "val", ((page, image) for page in pages)) == len(pages)
    read = xfund.read(
        storage, str(folder), "val", "token-classification", lambda _, text: problems.append(text), language
    )
    assert problems == []
    return list(read)


@pytest.mark.parametrize(
    ("language", "words", "labels"),
    [
        ("de", ("Name:", "Jürgen", "Groß", "Seite", "1"), ("B-QUESTION", "B-ANSWER", "I-ANSWER", "O", "O")),
        ("zh", ("姓名：", "王", "小明", "第", "1页"), ("B-QUESTION", "B-ANSWER", "I-ANSWER", "O", "O")),
        ("ja", ("氏名：", "山田", "太郎", "様式", "A"), ("B-QUESTION", "B-ANSWER", "I-ANSWER", "O", "O")),
    ],
)
def test_words_labels_boxes_links_and_questions_come_back(
    tmp_path: Path, language: str, words: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    given = page(words, labels, links=((0, 1),))
    (read,) = written_and_read(tmp_path, language, [given], image_file())
    assert (read.words, read.labels, read.boxes, read.links) == (words, labels, given.boxes, given.links)
    (question,) = read.questions
    assert (question.first_word, question.last_word) == (1, 2)


def entities(page: LabelledPage) -> list[tuple[str, str, Box]]:
    """Kind, characters and bounds of each entity."""
    found: list[tuple[str, str, Box]] = []
    assert page.words is not None and page.boxes is not None and page.labels is not None
    for word, box, label in zip(page.words, page.boxes, page.labels, strict=True):
        if label.startswith("B-"):
            found.append((label[2:], word, box))
        elif label != "O":
            kind, text, (x0, y0, x1, y1) = found[-1]
            bounds = min(x0, box[0]), min(y0, box[1]), max(x1, box[2]), max(y1, box[3])
            found[-1] = kind, text + word, bounds
    return found


def linked(page: LabelledPage) -> set[tuple[int, int]]:
    """The links, by the numbers of the entities."""
    firsts = [index for index, label in enumerate(page.labels or ()) if label.startswith("B-")]
    return {(firsts.index(source), firsts.index(target)) for source, target in page.links or ()}


@pytest.mark.parametrize("language", ["en", "de", "zh", "ja"])
def test_drawn_forms_come_back_whole(tmp_path: Path, language: str) -> None:
    """Words too in scripts with spaces; in others a misprint may be cut into other words than its correct spelling."""
    given = list(drawn_pages(range(2), language=language))
    write_xfund(Storage(), str(tmp_path), language, "train", given)
    read = xfund.read(Storage(), str(tmp_path), "train+dev", "token-classification", lambda *_: None)
    for (before, image), after in zip(given, read, strict=True):
        assert entities(after) == entities(before) and linked(after) == linked(before)
        if language in ("en", "de"):
            assert (after.words, after.labels, after.boxes) == (before.words, before.labels, before.boxes)
        size = Image.open(io.BytesIO(image)).size
        assert Image.open(io.BytesIO(read_image_file(Storage(), after.uri))).size == size


def test_the_file_is_as_published(tmp_path: Path) -> None:
    written_and_read(tmp_path, "zh", [page(("姓名：", "王"), ("B-QUESTION", "B-ANSWER"), ((0, 1),))], image_file())
    corpus = json.loads((tmp_path / "zh.val.json").read_text(encoding="utf-8"))
    assert (corpus["lang"], corpus["split"]) == ("zh", "val")
    (form,) = corpus["documents"]
    assert (form["id"], form["img"]) == ("zh_val_0", {"fname": "zh_val_0.jpg", "width": 777, "height": 1003})
    key, value = form["document"]
    assert (key["text"], key["label"], key["linking"]) == ("姓名：", "question", [[0, 1]])
    assert [word["text"] for word in key["words"]] == ["姓", "名", "："]
    assert (value["text"], value["label"], value["linking"]) == ("王", "answer", [[0, 1]])


def test_other_words_are_blocks_of_one_line(tmp_path: Path) -> None:
    boxes = ((10, 10, 20, 20), (30, 12, 40, 22), (10, 30, 20, 40))
    given = LabelledPage("made", "", "image/png", words=("a", "b", "c"), boxes=boxes, labels=("O",) * 3, links=())
    written_and_read(tmp_path, "de", [given], image_file())
    blocks = json.loads((tmp_path / "de.val.json").read_text())["documents"][0]["document"]
    assert [block["text"] for block in blocks] == ["a b", "c"]


def test_a_wide_gap_is_a_space_where_the_script_has_none(tmp_path: Path) -> None:
    boxes = ((10, 10, 60, 30), (62, 10, 80, 30), (95, 10, 130, 30))
    given = LabelledPage(
        "made", "", "image/png", words=("样品", "A", "三月"), boxes=boxes, labels=("B-ANSWER", "I-ANSWER", "I-ANSWER")
    )
    (read,) = written_and_read(tmp_path, "zh", [given], image_file())
    assert read.words == given.words
    blocks = json.loads((tmp_path / "zh.val.json").read_text(encoding="utf-8"))["documents"][0]["document"]
    assert [block["text"] for block in blocks] == ["样品A 三月"]


def test_a_page_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made has no words with labels"):
        written_and_read(tmp_path, "de", [LabelledPage("made", "", "image/png", words=("a",))], image_file())
    assert not (tmp_path / "de.val.json").exists()


def test_a_corpus_in_a_bucket_is_the_same(tmp_path: Path, s3_prefix: str) -> None:
    given = page(("Name:", "Ann"), ("B-QUESTION", "B-ANSWER"), ((0, 1),))
    (here,), (there,) = (written_and_read(folder, "de", [given], image_file()) for folder in (tmp_path, s3_prefix))
    assert (there.words, there.boxes) == (here.words, here.boxes)
    assert there.uri == join_uri(s3_prefix, "de.val.zip#de_val_0.jpg")

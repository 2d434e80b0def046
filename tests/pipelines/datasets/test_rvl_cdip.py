"""RVL-CDIP's label files, read without opening an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets import rvl_cdip
from pipelines.datasets.types import LabelledPage
from pipelines.storage.files import Storage, join_uri

LINES = "imagesq/q/o/c/qoc54c00/80035521.tif 15\nimagese/e/e/j/eej10e00/2072197187.tif 0\n"


def read(data: str, split: str = "train") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = rvl_cdip.read(
        Storage(), data, split, "sequence-classification", lambda uri, text: problems.append(f"{uri}: {text}")
    )
    return pages, problems


def write_labels(root: Path, name: str, lines: str) -> None:
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "labels" / f"{name}.txt").write_text(lines)


def test_there_are_the_sixteen_published_classes() -> None:
    assert len(set(rvl_cdip.LABELS)) == 16
    numbered = (rvl_cdip.LABELS[0], rvl_cdip.LABELS[8], rvl_cdip.LABELS[11], rvl_cdip.LABELS[15])
    assert numbered == ("letter", "file folder", "invoice", "memo")


def test_a_line_is_a_page_whose_words_have_still_to_be_read(tmp_path: Path) -> None:
    write_labels(tmp_path, "train", LINES)
    (first, second), problems = read(str(tmp_path))
    assert problems == []
    assert first == LabelledPage(
        document_id="rvl-cdip/imagesq/q/o/c/qoc54c00/80035521.tif",
        uri=f"{tmp_path}/images/imagesq/q/o/c/qoc54c00/80035521.tif",
        media_type="image/tiff",
        label="memo",
    )
    assert first.words is None and second.label == "letter"


@pytest.mark.parametrize(("split", "name"), [("train", "train"), ("dev", "val"), ("val", "val"), ("test", "test")])
def test_each_split_has_its_file(split: str, name: str, tmp_path: Path) -> None:
    write_labels(tmp_path, name, LINES)
    assert len(read(str(tmp_path), split)[0]) == 2


def test_lines_that_make_no_sense_are_told_with_their_number(tmp_path: Path) -> None:
    bad = [
        "",
        "imagesa/a.tif",
        "imagesa/b.tif 16",
        "imagesa/c.tif -1",
        "imagesa/d.tif x",
        "../secret.tif 1",
        "/e.tif 1",
    ]
    again = "imagese/e/e/j/eej10e00/2072197187.tif 3"
    write_labels(tmp_path, "train", LINES + "\n".join([*bad, again, "imagesa/with space.tif  2"]) + "\n")
    pages, problems = read(str(tmp_path))
    assert [page.document_id.rsplit("/", 1)[-1] for page in pages] == [
        "80035521.tif",
        "2072197187.tif",
        "with space.tif",
    ]
    assert [issue.split(": ")[1] for issue in problems] == [f"line {number} left out" for number in range(4, 11)]
    assert "has class 16, and they end at 15" in problems[1]
    assert problems[-1].endswith("is named again, here as handwritten; first as letter")


def test_the_published_archive_may_lie_in_its_folder_of_a_bucket(s3_prefix: str) -> None:
    Storage().write(join_uri(s3_prefix, "rvl-cdip", "labels", "test.txt"), LINES.encode())
    (first, _), _ = read(s3_prefix, "test")
    assert first.uri == join_uri(s3_prefix, "rvl-cdip", "images", "imagesq/q/o/c/qoc54c00/80035521.tif")


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no labels/val\.txt; RVL-CDIP is laid out as labels/train\.txt"):
        read(str(tmp_path), "dev")

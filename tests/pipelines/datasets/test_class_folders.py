"""Documents that people sorted into a folder a class."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipelines.datasets import class_folders
from pipelines.datasets.types import LabelledPage, hashed_split
from pipelines.storage.files import Storage, join_uri
from tests.drawn_pdf import DrawnPage, draw_pdf


def write_image(path: Path, frames: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.new("L", (30, 40), 255) for _ in range(frames)]
    pages[0].save(path, **({"save_all": True, "append_images": pages[1:]} if frames > 1 else {}))


def read(data: Path | str, split: str = "train") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = class_folders.read(
        Storage(),
        str(data),
        split,
        "sequence-classification",
        lambda uri, text: problems.append(f"{uri.removeprefix(str(data))}: {text}"),
    )
    return pages, problems


def labels(data: Path) -> tuple[str, ...]:
    return class_folders.labels(Storage(), str(data), "sequence-classification")


def test_split_folders_hold_class_folders(tmp_path: Path) -> None:
    for name in ("train/letter/b.png", "train/letter/a.jpg", "train/form/deep/c.PNG", "val/letter/d.png"):
        write_image(tmp_path / name)
    write_image(tmp_path / "test/memo/e.tif")
    pages, problems = read(tmp_path)
    assert problems == []
    assert [(page.document_id, page.label, page.media_type) for page in pages] == [
        ("class-folders/train/form/deep/c.PNG", "form", "image/png"),
        ("class-folders/train/letter/a.jpg", "letter", "image/jpeg"),
        ("class-folders/train/letter/b.png", "letter", "image/png"),
    ]
    assert pages[0].uri == f"{tmp_path}/train/form/deep/c.PNG"
    assert [page.document_id for page in read(tmp_path, "dev")[0]] == ["class-folders/val/letter/d.png"]
    assert labels(tmp_path) == ("form", "letter", "memo")


def test_without_split_folders_the_hash_of_the_name_decides(tmp_path: Path) -> None:
    names = [f"{label}/{number}.png" for label in ("letter", "form") for number in range(15)]
    for name in names:
        write_image(tmp_path / name)
    for split in class_folders.SPLITS:
        wanted = sorted(f"class-folders/{name}" for name in names if hashed_split(name) == split)
        assert wanted and [page.document_id for page in read(tmp_path, split)[0]] == wanted
    assert labels(tmp_path) == ("form", "letter")


def test_all_pages_of_a_document_have_its_class(tmp_path: Path) -> None:
    write_image(tmp_path / "train/fax/a.tiff", frames=3)
    (tmp_path / "train/fax/b.pdf").write_bytes(draw_pdf(DrawnPage(), DrawnPage()))
    pages, problems = read(tmp_path)
    assert problems == []
    assert [(Path(page.uri).name, page.page_index, page.page_count, page.label) for page in pages] == [
        ("a.tiff", 0, 3, "fax"),
        ("a.tiff", 1, 3, "fax"),
        ("a.tiff", 2, 3, "fax"),
        ("b.pdf", 0, 2, "fax"),
        ("b.pdf", 1, 2, "fax"),
    ]


def test_files_that_cannot_be_pages_are_named_and_hidden_ones_ignored(tmp_path: Path) -> None:
    write_image(tmp_path / "train/letter/a.png")
    for name in (
        "train/letter/broken.pdf",
        "train/letter/empty.tif",
        "train/letter/notes.txt",
        "train/letter/.DS_Store",
    ):
        (tmp_path / name).write_bytes(b"" if name.endswith("tif") else b"%PDF-1.4 and no more")
    write_image(tmp_path / "train/unsorted.png")
    (tmp_path / "readme.txt").write_text("of all this")
    pages, problems = read(tmp_path)
    assert [page.document_id for page in pages] == ["class-folders/train/letter/a.png"]
    assert [issue.split(": left out: ")[0] for issue in problems] == [
        "/train/letter/broken.pdf",
        "/train/letter/empty.tif",
        "/train/letter/notes.txt",
        "/train/unsorted.png",
    ]
    assert "lies in no class folder" in problems[-1]


def test_class_folders_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    for name in ("train/letter/b.png", "train/form/a.tif"):
        write_image(tmp_path / name)
        Storage().write(join_uri(s3_prefix, name), (tmp_path / name).read_bytes())
    there, here = read(s3_prefix)[0], read(tmp_path)[0]
    assert [(page.document_id, page.label) for page in there] == [(page.document_id, page.label) for page in here]
    assert there[0].uri == f"{s3_prefix}/train/form/a.tif"


def test_splits_beside_other_folders_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "train/letter/a.png")
    write_image(tmp_path / "letter/a.png")
    with pytest.raises(
        ValueError, match=r"has folders of splits \(train\) beside others \(letter\); class folders are"
    ):
        read(tmp_path)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_split_without_files_and_a_folder_without_classes_are_refused(split: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no class folders; class folders are laid out as"):
        read(tmp_path, split)
    write_image(tmp_path / "train/letter/a.png")
    with pytest.raises(ValueError, match=f"has no file for {split}; class folders are laid out as"):
        read(tmp_path, split)

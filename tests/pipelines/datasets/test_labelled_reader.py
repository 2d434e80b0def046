"""Files of corpora are untrusted input: they are parsed in a sandbox, and a hostile one costs its own page."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from model.ocr.engine import OcrOptions
from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.labelled_reader import ReadLabelled, open_documents
from pipelines.datasets.types import LABELLED_PAGE, LabelledPage, Question, labelled_row
from pipelines.documents.document import Document
from pipelines.schema import PAGE_IMAGE, Row
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.hostile.all_files import hostile_files
from tests.hostile.hostile_file import ENDED
from tests.hostile.raw_pdf import AFTER, BEFORE

LIMITS = PageLimits(seconds=3, megabytes=320)
"""Low, because the right end of a bomb is to be stopped."""


@pytest.fixture(scope="module")
def read() -> Iterator[ReadLabelled]:
    made = ReadLabelled(RasterizeOptions(text="layer"), OcrOptions(), LIMITS)
    yield made
    made.close()


@pytest.fixture
def nothing_opens_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process no document can be opened; those that it starts are left as they are."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a document is opened outside of the sandbox")

    monkeypatch.setattr(Document, "__init__", refuse)


def hostile(name: str, folder: Path) -> str:
    [file] = [file for file in hostile_files() if file.name == name]
    path = folder / name
    path.write_bytes(file.make())
    return str(path)


def rows_of(read: ReadLabelled, *pages: LabelledPage) -> list[Row]:
    return list(read(labelled_row(page) for page in pages))


def test_a_page_of_an_archive_is_read_without_unpacking_it(read: ReadLabelled, tmp_path: Path) -> None:
    image = tmp_path / "form.jpg"
    Image.new("L", (300, 400), 255).save(image)
    archive = f"{tmp_path}/de.val.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.write(image, "form.jpg")
    given = {"words": ("Name:",), "boxes": ((1, 1, 9, 9),), "labels": ("O",)}
    pages = [LabelledPage(name, f"{archive}#{name}", "image/jpeg", **given) for name in ("form.jpg", "gone.jpg")]
    good, gone = rows_of(read, *pages)
    assert (good["status"], good["words"], good["width"], good["height"]) == ("ok", ["Name:"], 300, 400)
    assert (gone["status"], gone["error_kind"]) == ("failed", "not_found")


@pytest.mark.usefixtures("nothing_opens_here")
def test_a_page_is_read_elsewhere_and_keeps_what_the_corpus_says_of_it(read: ReadLabelled, tmp_path: Path) -> None:
    path = tmp_path / "form.pdf"
    path.write_bytes(draw_pdf(DrawnPage(), DrawnPage(content=show("Name: Ann", 20, 200))))
    page = LabelledPage(
        "form",
        str(path),
        "application/pdf",
        1,
        2,
        labels=("B-QUESTION", "B-ANSWER"),
        label="form",
        questions=(Question("Name:", ("Ann",), 1, 1),),
        keys=(("name", "Ann"),),
    )
    (row,) = rows_of(read, page)
    assert (row["status"], row["words"], row["text_source"]) == ("ok", ["Name:", "Ann"], "layer")
    assert {name: row[name] for name in LABELLED_PAGE.names} == labelled_row(page)
    assert set(PAGE_IMAGE.names) <= set(row)


def test_a_hostile_pdf_and_a_hostile_embedded_image_cost_their_own_pages_alone(
    read: ReadLabelled, tmp_path: Path
) -> None:
    endless = hostile("forms-doubling.pdf", tmp_path)
    bomb = Path(hostile("bomb-13000.png", tmp_path)).read_bytes()
    good = tmp_path / "good.png"
    Image.new("L", (30, 40), 255).save(good)
    parquet = str(tmp_path / "pages.parquet")
    embedded = LabelledPage("embedded", "", "image/png", words=("Total",), boxes=((1, 1, 9, 9),), labels=("O",))
    write_labelled_pages(Storage(), parquet, [(embedded, bomb, "train"), (embedded, good.read_bytes(), "train")])
    pages = [LabelledPage("doubling", endless, "application/pdf", index, 3, label="x") for index in range(3)]
    pages += [LabelledPage(f"embedded-{row}", f"{parquet}#{row}", "image/png", 4, 5, label="x") for row in range(2)]
    before, ended, after, filled, last = rows_of(read, *pages)
    assert (before["status"], before["words"]) == ("ok", [BEFORE])
    assert (after["status"], after["words"]) == ("ok", [AFTER])
    assert ended["status"] == "failed" and ended["error_kind"] in ("timeout", "out_of_memory")
    assert filled["status"] == "failed" and filled["error_kind"] in ENDED
    assert (last["status"], last["width"], last["page_index"]) == ("ok", 30, 4)
    for page, row in zip(pages, (before, ended, after, filled, last), strict=True):
        assert {name: row[name] for name in LABELLED_PAGE.names} == labelled_row(page)


@pytest.mark.usefixtures("nothing_opens_here")
def test_documents_are_opened_elsewhere_and_those_that_cannot_be_are_failed_rows(tmp_path: Path) -> None:
    (tmp_path / "two.pdf").write_bytes(draw_pdf(DrawnPage(), DrawnPage()))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    locked = hostile("user-password.pdf", tmp_path)
    uris = [str(tmp_path / "two.pdf"), str(tmp_path / "broken.pdf"), locked, str(tmp_path / "gone.pdf")]
    two, *others = open_documents(uris)
    assert (two["status"], two["media_type"], two["page_count"]) == ("ok", "application/pdf", 2)
    assert [(row["uri"], row["error_kind"]) for row in others] == list(
        zip(uris[1:], ["unreadable", "encrypted", "not_found"], strict=True)
    )

"""Hostile files, each through the stages that open, render and read it, in the sandbox of the job."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipelines.schema import DOCUMENTS, LISTED, PAGE_TO_DO, RASTERIZED, Row
from pipelines.stages.count_pages import CountPages, ListingOptions
from pipelines.stages.fetch import Fetch
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_protocol import PageLimits
from tests.hostile.all_files import hostile_files
from tests.hostile.hostile_file import (
    LAUNCH_MARK,
    HostileFile,
    find_document_differences,
    find_page_differences,
)
from tests.hostile.raw_pdf import good_page, write_pdf

FILES = hostile_files()
LIGHT = [file for file in FILES if not file.needs_limits]
LASTING = {
    "contents-many-parts.pdf",
    "fax-bomb.pdf",
    "frame-many-strips.tiff",
    "image-jpeg-65500.pdf",
    "jbig2-bomb-by-fax.pdf",
    "many-annotations.pdf",
    "text-hundred-thousand-words.pdf",
}
"""Light ones that take seconds; each has neighbours of its kind that take less."""
HEAVY = [file for file in FILES if file.needs_limits]
LIMITS = PageLimits(seconds=20, megabytes=1000)
QUICK = PageLimits(seconds=2, megabytes=400)
"""For the bombs, of which the right end is to be stopped."""

WORD = "Untouched"


class Reader:
    """Counts the pages of a file and reads them, as the actors of the job do, and a good page after each file."""

    def __init__(self, limits: PageLimits, folder: Path) -> None:
        self.fetch = Fetch()
        self.count = Sandbox((partial(CountPages, ListingOptions()),), DOCUMENTS, LISTED, limits)
        self.read = Sandbox((partial(Rasterize, RasterizeOptions()),), RASTERIZED, PAGE_TO_DO, limits)
        self.good = folder / "good.pdf"
        self.good.write_bytes(write_pdf(good_page(WORD)))

    def document(self, path: Path) -> Row:
        listed = {"document_id": "d", "uri": str(path), "size_bytes": path.stat().st_size, "etag": "e"}
        listed |= {"media_type": None, "page_count": None, "pages_selected": 0}
        [row] = self.count(self.fetch([{**listed, "status": "ok", "error_kind": None, "error": None}]))
        return row

    def pages(self, path: Path, media_type: str, count: int, indices: list[int]) -> list[Row]:
        page = {"document_id": "d", "uri": str(path), "media_type": media_type, "page_count": count}
        return list(self.read(self.fetch({**page, "page_index": index} for index in indices)))

    def close(self) -> None:
        self.count.close()
        self.read.close()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(LIMITS, tmp_path_factory.mktemp("good"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def quick_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(QUICK, tmp_path_factory.mktemp("good"))
    yield made
    made.close()


def pages_to_read(file: HostileFile, count: int) -> list[int]:
    """All pages of a short document; of a long one the first, the last, and those with an expectation of their own."""
    if count <= 20:
        return list(range(count))
    special = {*file.page_errors, *file.may_fail, *file.words, 0, 1, count // 2, count - 1}
    return sorted(index for index in special if index < count)


def differences(file: HostileFile, reader: Reader, folder: Path) -> list[str]:
    path = folder / file.name
    path.write_bytes(file.make())
    document = reader.document(path)
    found = find_document_differences(file, document["error_kind"], document["page_count"])
    if document["status"] == "ok":
        indices = pages_to_read(file, document["page_count"])
        rows = reader.pages(path, document["media_type"], document["page_count"], indices)
        assert [row["page_index"] for row in rows] == indices
        for index, row in zip(indices, rows, strict=True):
            words = None if row["page_image"] is not None else row["words"]
            found += find_page_differences(file, index, row["error_kind"], words)
            assert row["status"] == ("failed" if row["error_kind"] else "ok") and (
                row["error"] or row["status"] == "ok"
            )
    else:
        assert document["error"], "a reason in words"
    [good] = reader.pages(reader.good, "application/pdf", 1, [0])
    assert (good["status"], good["words"]) == ("ok", [WORD]), "the next document is read as if nothing had been"
    return found


def test_there_are_at_least_forty_kinds_and_no_two_have_one_name() -> None:
    assert len(FILES) >= 40
    assert len({file.name for file in FILES}) == len(FILES)
    assert {file.name for file in LIGHT} > LASTING


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=[pytest.mark.slow] if file.name in LASTING else []) for file in LIGHT],
    ids=str,
)
def test_a_hostile_file_ends_as_pages_or_as_the_right_kind_of_error(
    file: HostileFile, reader: Reader, tmp_path: Path
) -> None:
    assert not differences(file, reader, tmp_path)
    assert not Path(LAUNCH_MARK).exists(), "what a document asks to be run is not run"


@pytest.mark.slow
@pytest.mark.parametrize("file", HEAVY, ids=str)
def test_a_bomb_ends_by_a_limit(file: HostileFile, quick_reader: Reader, tmp_path: Path) -> None:
    assert not differences(file, quick_reader, tmp_path)


@pytest.mark.parametrize("name", ["flate-bomb-in-content.pdf", "bomb-fax-13000.tiff"])
def test_some_bombs_end_by_a_limit(name: str, quick_reader: Reader, tmp_path: Path) -> None:
    [file] = [file for file in HEAVY if file.name == name]
    assert not differences(file, quick_reader, tmp_path)

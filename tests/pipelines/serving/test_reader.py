"""A reader replica by itself: nothing of a document is left when its request is over."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.serve import Options
from pipelines.serving.document_reader import DocumentReader, ReadRequest
from pipelines.serving.options import ServeOptions
from pipelines.serving.reader import Reader
from tests.drawn_pdf import DrawnPage, draw_pdf, show


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options().serve_options(cpus=1, gpus=0)


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this module's readers keep uploaded documents."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("temporary")
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(scope="module")
def reader(options: ServeOptions, temporary_folder: Path) -> Reader:
    return Reader(options)


def request(upload_id: str, pages: str | None = None, name: str = "deed.pdf") -> ReadRequest:
    listed = {"document_id": "d", "uri": name, "size_bytes": 1, "etag": None}
    return ReadRequest(upload_id, listed, "layoutlmv2-forms-small", pages=pages)


def deed(pages: int = 1) -> bytes:
    return draw_pdf(*[DrawnPage(show("A deed between the parties named below", 20, 200))] * pages)


def open_files(name: str) -> list[str]:
    """Paths with `name` that this process or one that it started holds open, removed ones too."""
    paths = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                paths.append(str(descriptor.readlink()))
            except FileNotFoundError:
                continue
    return [path for path in paths if name in path]


def uploaded_files(folder: Path) -> list[Path]:
    return list(folder.glob("layoutlmv2-uploads-*/[!.]*"))


def test_a_page_is_read_and_its_document_is_gone_afterwards(reader: Reader, temporary_folder: Path) -> None:
    async def read() -> None:
        result, row = await reader.open_and_read(request("only1"), deed())
        assert row is not None and row["words"][:2] == ["A", "deed"] and result.row["page_count"] == 1
        await reader.forget("only1")  # waits for what comes before it

    asyncio.run(read())
    assert open_files("only1") == [] and uploaded_files(temporary_folder) == []


def test_a_document_of_several_pages_is_kept_until_it_is_forgotten(reader: Reader, temporary_folder: Path) -> None:
    async def read() -> None:
        result = await reader.open(request("many1", "2-3"), deed(4))
        assert [page["page_index"] for page in result.pages] == [1, 2]
        for page in result.pages:
            row = await reader.read(request("many1", "2-3"), page, deed(4))
            assert (row["status"], row["page_index"]) == ("ok", page["page_index"])
        assert open_files("many1") and uploaded_files(temporary_folder)
        await reader.forget("many1")

    asyncio.run(read())
    assert open_files("many1") == [] and uploaded_files(temporary_folder) == []


def test_work_that_nobody_awaits_is_never_started(reader: Reader, temporary_folder: Path) -> None:
    async def go_away() -> None:
        first = asyncio.ensure_future(reader.open_and_read(request("first1"), deed()))
        second = asyncio.ensure_future(reader.open(request("second1"), deed()))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await first
        await reader.forget("first1")

    asyncio.run(go_away())
    assert uploaded_files(temporary_folder) == []


def test_a_page_that_nobody_awaits_any_longer_is_given_up(options: ServeOptions, samples_directory: Path) -> None:
    fax = samples_directory / "fax-two-pages.tiff"
    documents = DocumentReader(options)
    result, row = documents.open_and_read(request("fax1", "1", fax.name), fax.read_bytes(), lambda: False)
    given_up = row if row is not None else result.row  # on a busy machine opening takes long enough
    assert (given_up["status"], given_up["error_kind"]) == ("failed", "timeout")
    assert "cancelled" in given_up["error"]

"""A reader replica by itself: nothing of a document is left when its request is over."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jobs.serve import Options
from pipelines.serving.document_reader import DocumentReader, ReadRequest
from pipelines.serving.options import ServeOptions
from pipelines.serving.provided_words import ProvidedWords
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


def claimed_pages(count: int, bytes_a_page: int) -> bytes:
    """A PDF that claims to have `count` pages."""
    return deed().replace(b"/Count 1", f"/Count {count}".encode()) + b" " * (count * bytes_a_page)


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


def test_a_document_of_very_many_pages_gets_no_row_for_each_of_them(options: ServeOptions) -> None:
    documents = DocumentReader(options)
    content = claimed_pages(50_000, bytes_a_page=20)
    result = documents.open(request("many1"), content)
    assert (result.row["pages_selected"], result.pages, result.refusal) == (50_000, [], None)
    overlapping = documents.open(request("many2", ",".join(["1-"] * 1000)), content)
    assert (overlapping.row["pages_selected"], overlapping.pages) == (50_000, [])
    chosen = documents.open(request("many3", "7"), content)
    assert [page["page_index"] for page in chosen.pages] == [6]
    forged = documents.open(request("many4"), claimed_pages(1_000_000, bytes_a_page=1))
    assert forged.row["error_kind"] == "unreadable" and "1000000 pages" in forged.row["error"]


def test_words_that_need_too_many_windows_are_refused_for_their_size(options: ServeOptions) -> None:
    documents = DocumentReader(options)
    words = ProvidedWords(["total"] * 2000, [[0, 0, 10, 10]] * 2000)
    result, row = documents.open_and_read(replace(request("words1"), words=words, max_windows=4), deed())
    assert row is None and result.pages == [] and result.is_too_large
    assert result.refusal is not None and "more than 4 windows" in result.refusal
    result, row = documents.open_and_read(replace(request("words2"), words=words), deed())
    assert row is not None and (row["status"], len(row["windows"])) == ("ok", 5)


def test_a_page_that_needs_too_many_windows_is_a_row(options: ServeOptions) -> None:
    _, row = DocumentReader(options).open_and_read(replace(request("windows1"), max_windows=0), deed())
    assert row is not None and (row["status"], row["error_kind"]) == ("failed", "too_large")


def test_reading_stops_when_the_time_of_the_request_is_over(reader: Reader, samples_directory: Path) -> None:
    """A gateway that died cancels nothing."""
    fax = samples_directory / "fax-two-pages.tiff"

    async def read() -> None:
        late = replace(request("late1", "1", fax.name), seconds_left=0.0)
        result, row = await reader.open_and_read(late, fax.read_bytes())
        given_up = row if row is not None else result.row
        assert (given_up["status"], given_up["error_kind"]) == ("failed", "timeout")
        in_time = replace(request("time1"), seconds_left=60.0)
        _, row = await reader.open_and_read(in_time, deed())
        assert row is not None and row["status"] == "ok" and 0 < row["seconds_left"] < 60

    asyncio.run(read())


def test_a_reader_whose_thread_is_stuck_is_unhealthy_and_says_so_to_gateways(reader: Reader) -> None:
    async def get_stuck() -> None:
        await reader.ping()
        reader.check_health()
        has_begun, end = threading.Event(), threading.Event()

        def stuck() -> None:
            has_begun.set()
            end.wait(60)

        done = reader._thread.submit(stuck, silent_seconds=0.01)
        assert has_begun.wait(60)
        await asyncio.sleep(0.1)
        with pytest.raises(RuntimeError, match="reads-pages has made no progress"):
            reader.check_health()
        with pytest.raises(RuntimeError, match="reads-pages has made no progress"):
            await reader.ping()
        end.set()
        await asyncio.wrap_future(done)
        reader.check_health()

    asyncio.run(get_stuck())

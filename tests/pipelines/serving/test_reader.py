"""A text replica by itself: nothing of a document stays when its request is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from jobs.serve import Options
from pipelines.serving.reader import Reader, ReadRequest
from tests.drawn_pdf import DrawnPage, draw_pdf, show


@pytest.fixture(scope="module")
def text() -> Reader:
    return Reader(Options().serve_options(cpus=1, gpus=0))


def asked(upload_id: str, pages: str | None = None, *questions: str) -> ReadRequest:
    listed = {"document_id": "d", "uri": "deed.pdf", "size_bytes": 1, "etag": None}
    return ReadRequest(upload_id, listed, "layoutlmv2-forms-small", questions, pages)


def deed(pages: int = 1) -> bytes:
    return draw_pdf(*[DrawnPage(show("A deed between the parties named below", 20, 200))] * pages)


def files_held(name: str) -> list[str]:
    """Paths with `name` that this process or one that it started holds open, removed ones too."""
    held = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                held.append(str(descriptor.readlink()))
            except FileNotFoundError:
                continue
    return [path for path in held if name in path]


def test_a_page_is_read_and_its_document_is_gone_afterwards(text: Reader) -> None:
    async def read() -> None:
        opened, row = await text.open_and_read(asked("only1"), deed())
        assert row is not None and row["words"][:2] == ["A", "deed"] and opened.row["page_count"] == 1
        await text.forget("only1")  # waits for what comes before it

    asyncio.run(read())
    assert files_held("only1") == []


def test_a_document_of_several_pages_is_held_until_it_is_forgotten(text: Reader) -> None:
    async def read() -> None:
        opened = await text.open(asked("many1", "2-3"), deed(4))
        assert [page["page_index"] for page in opened.pages] == [1, 2]
        for page in opened.pages:
            row = await text.read(asked("many1", "2-3"), page, deed(4))
            assert (row["status"], row["page_index"]) == ("ok", page["page_index"])
        assert files_held("many1")
        await text.forget("many1")

    asyncio.run(read())
    assert files_held("many1") == []


def test_work_that_nobody_waits_for_is_not_begun(text: Reader) -> None:
    async def go_away() -> None:
        first = asyncio.ensure_future(text.open_and_read(asked("first1"), deed()))
        second = asyncio.ensure_future(text.open(asked("second1"), deed()))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await first
        await text.forget("first1")

    asyncio.run(go_away())
    assert not list(Path(text._files._folder.name).iterdir())

"""Pages and fields of an open document, with replicas that have answered and a thread for fields that is busy."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from pipelines.fields.value_types import TypedValue, ValueReader
from pipelines.schema import EMPTY_RESULT, Row, page_schema
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.open_document import OpenDocument
from pipelines.serving.options import RequestLimits
from pipelines.serving.probe import probe_page
from pipelines.serving.replica_client import ReplicaClient
from pipelines.serving.response_fields import FieldFinder
from pipelines.serving.row_json import row_json

PAIR = {
    **{"section": None, "key": "Date:", "value": "1 March 2026", "score": 0.5, "key_words": [0], "value_words": [1]},
    **{"key_box": [0, 0, 9, 9], "value_box": [10, 0, 19, 9]},
}


class ReadyPages:
    """A client of replicas that have answered these pages."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers

    async def answer_page(self, request: ReadRequest, page: Row, *_: Any) -> tuple[bytes, int]:
        return self.answers[page["page_index"]], 1


@pytest.fixture
def is_free(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reading a value waits for this event."""
    event, infer = threading.Event(), ValueReader.infer

    def wait_and_infer(self: ValueReader, *arguments: Any) -> TypedValue:
        event.wait(60)
        return infer(self, *arguments)

    monkeypatch.setattr(ValueReader, "infer", wait_and_infer)
    yield event
    event.set()


def answer(index: int) -> bytes:
    row = {**EMPTY_RESULT, **probe_page(), "page_index": index, "pairs": [PAIR]}
    return row_json(row, page_schema("token-classification"))


def open_document(finder: FieldFinder, *answers: bytes, seconds: float = 60.0) -> OpenDocument:
    pages = [{"page_index": index} for index in range(len(answers))]
    return OpenDocument(
        cast(ReplicaClient, ReadyPages(*answers)),
        finder,
        ReadRequest("upload", {}, "model", (), None, False, None, max_windows=1),
        b"",
        "token-classification",
        RequestLimits(),
        OpenResult({}, pages),
        time.monotonic() + seconds,
    )


def test_pages_do_not_wait_for_the_fields_of_other_documents(is_free: threading.Event) -> None:
    async def read() -> None:
        finder = FieldFinder()
        others = asyncio.ensure_future(finder.fields([answer(0)], time.monotonic() + 60))
        pages = open_document(finder, *map(answer, range(3))).answers_and_fields()
        for index in range(2):
            assert await asyncio.wait_for(anext(pages), 20) == (answer(index), None)
        last = asyncio.ensure_future(anext(pages))
        assert not (await asyncio.wait({last}, timeout=0.1))[0], "the fields come with the last page"
        is_free.set()
        assert len(json.loads((await last)[1] or b"[]")) == 3 and len(json.loads(await others)) == 1

    asyncio.run(read())


def test_the_last_page_comes_when_the_time_is_over_without_fields(is_free: threading.Event) -> None:
    async def read() -> list[tuple[bytes, bytes | None]]:
        finder = FieldFinder()
        others = asyncio.ensure_future(finder.fields([answer(0)], time.monotonic() + 60))
        await asyncio.sleep(0)
        found = [one async for one in open_document(finder, answer(0), answer(1), seconds=0.2).answers_and_fields()]
        is_free.set()
        await others
        return found

    assert asyncio.run(read()) == [(answer(0), None), (answer(1), b"null")]


def test_a_page_whose_fields_cannot_be_told_leaves_the_others_answered() -> None:
    broken = b'{"pairs":[{'

    async def read() -> list[tuple[bytes, bytes | None]]:
        return [one async for one in open_document(FieldFinder(), broken, answer(1)).answers_and_fields()]

    assert asyncio.run(read()) == [(broken, None), (answer(1), b"null")]

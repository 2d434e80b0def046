"""A gateway with its routes, by itself: replicas that answer at once, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import pytest
from ray.serve.handle import DeploymentHandle

from jobs.serve import Options
from pipelines.schema import EMPTY_RESULT, Row, page_schema
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.gateway import Gateway
from pipelines.serving.keys import ApiKeys
from pipelines.serving.options import RequestLimits, ServeOptions
from pipelines.serving.probe import probe_page
from pipelines.serving.row_json import row_json
from tests.pipelines.serving.local_replicas import LocalHandle

PATHS = ("/", "/web/app.js", "/healthz", "/v1/models", "/docs", "/openapi.json")

Use = Callable[[httpx.AsyncClient], Awaitable[None]]


@dataclass
class FakeReader:
    """Opens every document as one of `page_count` pages, and reads the first `readable` of them."""

    page_count: int
    readable: int
    is_broken: bool = False
    given_up: list[int] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    async def open(self, request: ReadRequest, content: bytes) -> OpenResult:
        row = {
            **request.listed,
            **{"media_type": "application/pdf", "page_count": self.page_count, "pages_selected": self.page_count},
            **{"status": "ok", "error_kind": None, "error": None},
        }
        pages = [{**EMPTY_RESULT, **probe_page(), "page_index": index} for index in range(self.page_count)]
        return OpenResult(row, pages)

    async def open_and_read(self, request: ReadRequest, content: bytes) -> tuple[OpenResult, Row]:
        if self.is_broken:
            raise OSError("no space left on device")
        result = await self.open(request, content)
        return result, result.pages[0]

    async def read(self, request: ReadRequest, page: Row, content: bytes) -> Row:
        if page["page_index"] >= self.readable:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up.append(page["page_index"])
                raise
        return page

    async def forget(self, upload_id: str) -> None:
        self.forgotten.append(upload_id)

    async def ping(self) -> None:
        pass


class FakePredictor:
    async def answer(self, row: Row) -> tuple[bytes, int]:
        return row_json(row, page_schema("token-classification")), 1

    async def answer_one(self, read: tuple[OpenResult, Row]) -> tuple[OpenResult, bytes]:
        return read[0], (await self.answer(read[1]))[0]

    async def ping(self) -> None:
        pass


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options().serve_options(cpus=1, gpus=0)


def with_gateway(options: ServeOptions, reader: FakeReader, use: Use) -> None:
    """Let `use` talk to a gateway through its routes."""

    async def run() -> None:
        handles = [cast(DeploymentHandle, LocalHandle(replica)) for replica in (reader, FakePredictor())]
        gateway = Gateway.__new__(Gateway)
        await cast(Any, gateway).__init__(options, *handles)  # as Serve does: it is asynchronous
        transport = httpx.ASGITransport(gateway.__serve_build_asgi_app__())
        async with httpx.AsyncClient(transport=transport, base_url="http://endpoint") as client:
            await asyncio.wait_for(use(client), 60)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}  # the gateway's own, which never end
        while tasks:  # `wait_for` of Python before 3.12 may swallow a cancellation
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)

    asyncio.run(run())


async def extract(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/v1/extract", files={"file": ("deed.pdf", b"%PDF-1.7")}, data=fields)


def test_pages_that_are_not_done_in_time_fail_and_the_next_request_is_answered(options: ServeOptions) -> None:
    reader = FakeReader(page_count=12, readable=2)
    limits = RequestLimits(seconds=3, pages_in_flight=4)

    async def use(client: httpx.AsyncClient) -> None:
        answer = (await extract(client)).json()
        states = [(page["page_index"], page["status"], page["error_kind"]) for page in answer["pages"]]
        assert states[:2] == [(0, "ok", None), (1, "ok", None)]
        assert states[2:] == [(index, "failed", "timeout") for index in range(2, 12)]
        assert "ask for fewer pages" in answer["pages"][-1]["error"]
        reader.readable = 12
        assert {page["status"] for page in (await extract(client)).json()["pages"]} == {"ok"}
        while len(reader.forgotten) < 2:  # the readers remove the files of both documents
            await asyncio.sleep(0.01)

    with_gateway(replace(options, limits=limits), reader, use)
    assert set(reader.given_up) >= {2, 3, 4, 5}, "nobody goes on reading them"


def test_a_gateway_is_ready_once_a_page_has_been_answered(options: ServeOptions) -> None:
    reader = FakeReader(1, 1, is_broken=True)

    async def use(client: httpx.AsyncClient) -> None:
        for _ in range(20):
            refused = await client.get("/healthz")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            await asyncio.sleep(0.01)
        reader.is_broken = False
        while (await client.get("/healthz")).status_code != 200:
            await asyncio.sleep(0.01)

    with_gateway(options, reader, use)


def test_the_limits_are_listed_as_they_are_by_default(options: ServeOptions) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        about = (await client.get("/v1/models")).json()
        assert about["limits"] == {"upload_megabytes": 50.0, "pages": 500, "questions": 20}
        assert [model["name"] for model in about["models"]] == ["layoutlmv2-forms-small"]

    with_gateway(options, FakeReader(1, 1), use)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("pages", 10_000), ("model", 200), ("previews", 20), ("questions", 2000), ("words", 1_000_000)],
)
def test_a_field_that_is_too_long_is_refused_before_a_reader_sees_it(
    options: ServeOptions, name: str, limit: int
) -> None:
    reader = FakeReader(1, 1, is_broken=True)

    async def use(client: httpx.AsyncClient) -> None:
        refused = await extract(client, **{name: "1" * (limit + 1)})
        assert (refused.status_code, refused.json()["error_kind"]) == (400, "invalid_request")
        size = "Part exceeded maximum size" if name == "words" else f"{limit + 1} characters, more than the {limit}"
        assert size in refused.json()["error"]

    with_gateway(options, reader, use)


@pytest.mark.parametrize(("keys", "open_paths"), [((), PATHS), (("secret",), PATHS[:3])], ids=["open", "with a key"])
def test_which_paths_need_a_key(options: ServeOptions, keys: tuple[str, ...], open_paths: tuple[str, ...]) -> None:
    async def admitted(client: httpx.AsyncClient, **headers: str) -> tuple[str, ...]:
        statuses = {path: (await client.get(path, headers=headers)).status_code for path in PATHS}
        return tuple(path for path, status in statuses.items() if status != 401)

    async def use(client: httpx.AsyncClient) -> None:
        assert await admitted(client) == open_paths
        assert await admitted(client, Authorization="Bearer secret") == PATHS
        assert (await extract(client)).status_code == (401 if keys else 200)

    with_gateway(replace(options, keys=ApiKeys.of(keys)), FakeReader(3, 3), use)

"""A gateway with its routes, by itself: replicas that answer at once, or never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import pytest
from ray.exceptions import ObjectLostError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from jobs.serve import Options
from pipelines.schema import EMPTY_RESULT, Row, page_schema
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.gateway import Gateway
from pipelines.serving.keys import ApiKeys
from pipelines.serving.options import RequestLimits, ServeOptions
from pipelines.serving.probe import probe_page
from pipelines.serving.response_fields import FieldFinder
from pipelines.serving.row_json import row_json
from tests.pipelines.serving.local_replicas import LocalHandle

PATHS = ("/", "/web/app.js", "/healthz", "/v1/models", "/docs", "/openapi.json")

Use = Callable[[httpx.AsyncClient], Awaitable[None]]


@dataclass
class FakeReader:
    """Opens every document as one of `page_count` pages, and reads the first `readable` of them.

    Words need a window each, and more than `max_windows` are refused.
    """

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

    async def open_and_read(self, request: ReadRequest, content: bytes) -> tuple[OpenResult, Row | None]:
        if self.is_broken:
            raise OSError("no space left on device")
        result = await self.open(request, content)
        if request.words is not None and len(request.words.words) > request.max_windows:
            return replace(result, pages=[], refusal="too many windows", is_too_large=True), None
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


@dataclass
class FakePredictor:
    """Answers every page, with `pairs`; those in `failures` raise, each once, and what was begun is counted."""

    windows: int = 1
    failures: dict[int, list[Exception]] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)
    pairs: list[Row] | None = None

    async def answer(self, row: Row) -> tuple[bytes, int]:
        self.begun.append(row["page_index"])
        if self.failures.get(row["page_index"]):
            raise self.failures[row["page_index"]].pop()
        return row_json(row | {"pairs": self.pairs}, page_schema("token-classification")), self.windows

    async def answer_one(self, read: tuple[OpenResult, Row | None]) -> tuple[OpenResult, bytes | None]:
        result, row = read
        return result, None if row is None else (await self.answer(row))[0]

    async def ping(self) -> None:
        pass


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options().serve_options(cpus=1, gpus=0)


def with_gateway(options: ServeOptions, reader: FakeReader, use: Use, predictor: FakePredictor | None = None) -> None:
    """Let `use` talk to a gateway through its routes."""
    predictor = FakePredictor() if predictor is None else predictor

    async def run() -> None:
        handles = [cast(DeploymentHandle, LocalHandle(replica)) for replica in (reader, predictor)]
        gateway = Gateway.__new__(Gateway)
        await cast(Any, gateway).__init__(options, *handles)  # as Serve does: it is asynchronous
        transport = httpx.ASGITransport(gateway.__serve_build_asgi_app__(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://endpoint") as client:
            await asyncio.wait_for(use(client), 60)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}  # the gateway's own, which never end
        while tasks:  # `wait_for` of Python before 3.12 may swallow a cancellation
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)

    asyncio.run(run())


async def become_ready(client: httpx.AsyncClient) -> None:
    """Wait until the gateway's own page has been answered."""
    while (await client.get("/healthz")).status_code != 200:
        await asyncio.sleep(0.01)


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


def test_bodies_that_do_not_arrive_keep_nobody_out_and_end_with_408(options: ServeOptions) -> None:
    """As in an attack on an endpoint of 32 places: 200 requests of headers and six bytes."""
    limits = RequestLimits(body_seconds=1.5)

    async def six_bytes() -> AsyncGenerator[bytes, None]:
        yield b"--b\r\n-"
        await asyncio.Event().wait()

    async def use(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        slow = [
            asyncio.ensure_future(client.post("/v1/extract", content=six_bytes(), headers=headers)) for _ in range(200)
        ]
        await asyncio.sleep(0.2)
        assert (await extract(client)).status_code == 200
        assert not any(request.done() for request in slow), "they are still waiting"
        responses = await asyncio.gather(*slow)
        assert {response.status_code for response in responses} == {408}
        assert {response.headers["connection"] for response in responses} == {"close"}
        assert "not arrived within 1.5 s" in responses[0].json()["error"]

    with_gateway(replace(options, limits=limits), FakeReader(3, 3), use)


def test_a_request_is_refused_before_its_body_is_received_if_there_is_no_place(options: ServeOptions) -> None:
    async def never() -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""

    async def use(client: httpx.AsyncClient) -> None:
        waiting = asyncio.ensure_future(extract(client))
        await asyncio.sleep(0.2)
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        refused = await client.post("/v1/extract", content=never(), headers=headers)
        assert refused.status_code == 429
        waiting.cancel()

    with_gateway(replace(options, requests_in_flight=1), FakeReader(3, 0), use)


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


def test_a_defect_has_the_form_of_other_errors(options: ServeOptions) -> None:
    reader = FakeReader(1, 1)

    async def use(client: httpx.AsyncClient) -> None:
        await become_ready(client)
        reader.is_broken = True
        failed = await extract(client, pages="1")
        assert (failed.status_code, failed.json()["error_kind"]) == (500, "internal")

    with_gateway(options, reader, use)


def test_a_gateway_is_ready_once_it_has_loaded_what_reads_values(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_loaded = asyncio.Event()

    async def warm(_: FieldFinder) -> None:
        await is_loaded.wait()

    async def use(client: httpx.AsyncClient) -> None:
        for _ in range(20):
            assert (await client.get("/healthz")).status_code == 503
            await asyncio.sleep(0.01)
        is_loaded.set()
        await become_ready(client)

    monkeypatch.setattr(FieldFinder, "warm", warm)
    with_gateway(options, FakeReader(1, 1), use)


@pytest.mark.parametrize("page_count", [1, 3])
def test_the_fields_of_all_pages_come_with_the_last_page(options: ServeOptions, page_count: int) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        whole = (await extract(client)).json()
        assert list(whole) == ["document", "pages", "fields"] and len(whole["pages"]) == page_count
        assert [(field["page_index"], field["value_type"]) for field in whole["fields"]] == [
            (index, "date") for index in range(page_count)
        ]
        lines = await client.post(
            "/v1/extract", files={"file": ("a.pdf", b"%PDF-1.7")}, headers={"Accept": "application/x-ndjson"}
        )
        parts = [json.loads(line) for line in lines.text.splitlines()]
        assert [list(part) for part in parts] == [["document"], *[["page"]] * (page_count - 1), ["page", "fields"]]
        assert parts[-1]["fields"] == whole["fields"]

    pair = {"section": None, "key": "Date:", "value": "1 March 2026", "score": 0.5, "key_words": [0]}
    pair |= {"value_words": [1, 2], "key_box": [0, 0, 9, 9], "value_box": [10, 0, 19, 9]}
    with_gateway(options, FakeReader(page_count, page_count), use, FakePredictor(pairs=[pair]))


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


def test_words_that_need_too_many_windows_are_refused_for_their_size(options: ServeOptions) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        for count, status in ((3, 200), (4, 413)):
            words = {"words": json.dumps(["a"] * count), "boxes": json.dumps([[0, 0, 1, 1]] * count)}
            response = await extract(client, **words)
            assert response.status_code == status
        assert response.json() == {"error_kind": "too_large", "error": "too many windows"}

    with_gateway(replace(options, limits=RequestLimits(page_windows=3)), FakeReader(1, 1), use)


def test_pages_after_those_that_used_up_the_windows_of_a_request_fail(options: ServeOptions) -> None:
    predictor = FakePredictor(windows=5)

    async def use(client: httpx.AsyncClient) -> None:
        await become_ready(client)
        answer = (await extract(client)).json()
        kinds = [page["error_kind"] for page in answer["pages"]]
        assert kinds == [None] * 4 + ["too_large"] * 8, "4 pages of 5 windows make 20"
        assert "ask for fewer pages" in answer["pages"][-1]["error"]

    with_gateway(
        replace(options, limits=RequestLimits(pages_in_flight=1, windows=20)), FakeReader(12, 12), use, predictor
    )


def test_a_page_is_not_sent_again_when_the_replica_that_worked_on_it_died(options: ServeOptions) -> None:
    lost = [RayActorError(), RayServeException("an upstream actor died"), WorkerCrashedError()]
    predictor = FakePredictor(failures={1: [lost[0]], 2: [lost[1]], 3: [lost[2]]})

    async def use(client: httpx.AsyncClient) -> None:
        await become_ready(client)
        predictor.begun.clear()
        answer = (await extract(client)).json()
        states = [(page["status"], page["error_kind"]) for page in answer["pages"]]
        assert states == [("ok", None), *[("failed", "crashed")] * 3, ("ok", None)]
        assert sorted(predictor.begun) == [0, 1, 2, 3, 4]
        predictor.failures[0] = [RayActorError()]
        predictor.begun.clear()
        refused = await extract(client, pages="1")
        assert (refused.status_code, refused.json()["error_kind"]) == (503, "crashed")
        assert predictor.begun == [0]

    with_gateway(options, FakeReader(5, 5), use, predictor)


def test_a_page_that_was_read_and_lost_on_its_way_is_read_again(options: ServeOptions) -> None:
    lost = ObjectLostError("0" * 56, None, "")
    predictor = FakePredictor(failures={1: [lost], 2: [lost, lost]})

    async def use(client: httpx.AsyncClient) -> None:
        await become_ready(client)
        predictor.begun.clear()
        answer = (await extract(client)).json()
        assert [page["error_kind"] for page in answer["pages"]] == [None, None, "crashed"]
        assert sorted(predictor.begun) == [0, 1, 1, 2, 2]

    with_gateway(options, FakeReader(3, 3), use, predictor)


@pytest.mark.parametrize("stuck", ["reader", "predictor"])
def test_a_gateway_whose_only_reader_or_predictor_is_stuck_is_not_ready(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    monkeypatch.setattr("pipelines.serving.gateway.WATCH_SECONDS", 0.01)
    replicas: dict[str, FakeReader | FakePredictor] = {"reader": FakeReader(1, 1), "predictor": FakePredictor()}

    async def complain() -> None:
        raise RuntimeError("the thread has made no progress for 200 s")

    async def use(client: httpx.AsyncClient) -> None:
        await become_ready(client)
        monkeypatch.setattr(replicas[stuck], "ping", complain)
        while (await client.get("/healthz")).status_code != 503:
            await asyncio.sleep(0.001)

    with_gateway(options, replicas["reader"], use, replicas["predictor"])  # type: ignore[arg-type]


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

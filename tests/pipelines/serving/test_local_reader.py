"""A local reader behind a gateway: the same answers as those of a reader and a predictor, through a socket."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from ray.serve.handle import DeploymentHandle

from jobs.serve import Options
from pipelines.schema import Row
from pipelines.serving.application import draining
from pipelines.serving.gateway import Gateway
from pipelines.serving.local_reader import LocalReader
from pipelines.serving.options import Lanes, RequestLimits, ServeOptions
from pipelines.serving.predictor import Predictor
from pipelines.serving.reader import Reader
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.pipelines.serving.local_replicas import LocalHandle

Use = Callable[[httpx.AsyncClient, Any], Awaitable[None]]

DEED = "A deed between the parties named below"


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    options = Options(model=("untrained",), task="token-classification", text="layer").serve_options(cpus=1, gpus=0)
    return replace(options, lanes=Lanes(1, 2), limits=replace(options.limits, seconds=120.0))


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this module's gateways and readers keep what is uploaded."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("t")  # a short name: sockets are below it
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


async def made(kind: Any, *arguments: Any) -> Any:
    """An object whose constructor is asynchronous, as Serve makes it."""
    replica = kind.__new__(kind)
    await cast(Any, replica).__init__(*arguments)
    return replica


async def talk(gateway: Gateway, use: Use, replica: Any) -> None:
    transport = httpx.ASGITransport(gateway.__serve_build_asgi_app__())
    async with httpx.AsyncClient(transport=transport, base_url="http://endpoint", timeout=120) as client:
        while (await client.get("/healthz")).status_code != 200:
            await asyncio.sleep(0.05)
        await use(client, replica)


def together(options: ServeOptions, use: Use) -> None:
    async def run() -> None:
        reader = await made(LocalReader, options)
        gateway = await made(Gateway, options, cast(DeploymentHandle, LocalHandle(reader)))
        await talk(gateway, use, reader)

    asyncio.run(run())


def apart(options: ServeOptions, use: Use) -> None:
    async def run() -> None:
        predictor = await made(Predictor, options)
        stages = await predictor.runner.load("")

        async def loaded(_: str) -> Any:
            return stages

        predictor._load = loaded  # kept in memory, as Serve's multiplexing does
        handles = [cast(DeploymentHandle, LocalHandle(replica)) for replica in (Reader(options), predictor)]
        await talk(await made(Gateway, options, *handles), use, None)

    asyncio.run(run())


async def ask(client: httpx.AsyncClient, content: bytes, name: str, **fields: str) -> dict[str, Any]:
    response = await client.post("/v1/extract", files={"file": (name, content)}, data=fields)
    return {"status_code": response.status_code, **response.json()}


def hold_answers(reader: LocalReader) -> tuple[asyncio.Event, asyncio.Event]:
    """An event that is set when the model is asked for a page, and one for which its answers wait."""
    began, end = asyncio.Event(), asyncio.Event()
    answer = reader._runner.answer

    async def held(model: str, row: Row) -> tuple[bytes, int]:
        began.set()
        await end.wait()
        return await answer(model, row)

    reader._runner.answer = held  # type: ignore[method-assign]
    return began, end


def without_seconds(answer: dict[str, Any]) -> dict[str, Any]:
    for page in answer.get("pages", ()):
        assert page.pop("seconds") is not None
    return answer


def test_both_placements_give_the_same_answers(
    options: ServeOptions, temporary_folder: Path, samples_directory: Path
) -> None:
    form = (samples_directory / "supplier-form.pdf").read_bytes()
    answers: dict[str, list[dict[str, Any]]] = {"together": [], "apart": []}

    def asking(placement: str) -> Use:
        async def use(client: httpx.AsyncClient, _: Any) -> None:
            given = {"words": json.dumps(["Total", "12"]), "boxes": json.dumps([[0, 0, 90, 20], [100, 0, 200, 20]])}
            for content, name, fields in (
                (form, "form.pdf", {"pages": "1", "previews": "true"}),
                (form, "form.pdf", {}),
                (draw_pdf(DrawnPage(show(DEED, 20, 200))), "deed.pdf", given),
                (b"%PDF-1.7 broken", "broken.pdf", {}),
                (form, "form.pdf", {"pages": "99"}),
            ):
                answers[placement].append(without_seconds(await ask(client, content, name, **fields)))

        return use

    together(options, asking("together"))
    apart(options, asking("apart"))
    assert [answer["status_code"] for answer in answers["together"]] == [200, 200, 200, 422, 400]
    assert answers["together"] == answers["apart"]


def test_nothing_of_a_document_is_left_when_its_request_is_over(options: ServeOptions, temporary_folder: Path) -> None:
    def kept() -> list[Path]:
        return list(temporary_folder.glob("layoutlmv2-uploads-*/[!.]*"))

    async def use(client: httpx.AsyncClient, reader: LocalReader) -> None:
        deed = draw_pdf(*[DrawnPage(show(DEED, 20, 200))] * 3)
        for fields in ({}, {"pages": "2"}, {"pages": "9"}):
            await ask(client, deed, "deed.pdf", **fields)
        await ask(client, b"nothing", "nothing.pdf")
        for _ in range(500):
            if not kept():
                break
            await asyncio.sleep(0.01)
        assert kept() == []

    together(options, use)


def test_a_reader_that_is_gone_is_told_and_later_requests_wait_for_the_next(
    options: ServeOptions, temporary_folder: Path
) -> None:
    deed = draw_pdf(DrawnPage(show(DEED, 20, 200)))

    async def use(client: httpx.AsyncClient, reader: LocalReader) -> None:
        began, end = hold_answers(reader)
        request = asyncio.create_task(ask(client, deed, "deed.pdf", pages="1"))
        await began.wait()
        assert reader._server is not None
        reader._server.close()
        lost = await request
        assert (lost["status_code"], lost["error_kind"]) == (503, "crashed")
        waiting = asyncio.create_task(ask(client, deed, "deed.pdf", pages="1"))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        end.set()
        await reader._server.start()
        found = await waiting
        assert found["status_code"] == 200

    together(options, use)


def test_a_reader_that_ends_in_good_order_answers_what_it_has_and_the_next_one_the_rest(
    options: ServeOptions, temporary_folder: Path
) -> None:
    deed = draw_pdf(DrawnPage(show(DEED, 20, 200)))

    async def use(client: httpx.AsyncClient, reader: LocalReader) -> None:
        began, end = hold_answers(reader)
        accepted = asyncio.create_task(ask(client, deed, "deed.pdf", pages="1"))
        await began.wait()
        draining = asyncio.create_task(reader.drain())
        await asyncio.sleep(0)
        refused = asyncio.create_task(ask(client, deed, "deed.pdf", pages="1"))
        await asyncio.sleep(0.5)
        assert not draining.done() and not accepted.done() and not refused.done()
        end.set()
        assert (await accepted)["status_code"] == 200
        await draining
        assert reader._server is not None
        await reader._server.start()  # what takes its place
        assert (await refused)["status_code"] == 200

    together(options, use)


def test_a_replica_that_is_stopped_while_it_starts_has_nothing_to_finish() -> None:
    for kind in (LocalReader, Gateway):
        assert vars(draining(kind))["__del__"] is kind.drain
        asyncio.run(kind.__new__(kind).drain())


def test_a_request_whose_time_is_over_ends_on_the_reader_too(options: ServeOptions, temporary_folder: Path) -> None:
    hurried = replace(options, limits=RequestLimits(seconds=1.0))
    deed = draw_pdf(DrawnPage(show(DEED, 20, 200)))

    async def use(client: httpx.AsyncClient, reader: LocalReader) -> None:
        cancelled = asyncio.Event()

        async def never(*_: Any) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        assert reader._server is not None
        reader._server._methods["open_and_answer"] = never  # a busy machine may not come to the model in time
        late = await ask(client, deed, "deed.pdf", pages="1")
        assert (late["status_code"], late["error_kind"]) == (503, "timeout")
        await asyncio.wait_for(cancelled.wait(), 30)

    together(hurried, use)

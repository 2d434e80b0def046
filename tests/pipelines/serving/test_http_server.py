"""The gateway's own HTTP server: clients that leave, responses that last too long, Serve's own routes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pipelines.serving import http_server
from pipelines.serving.http_server import HttpServer, bind
from tests.autoscaled_cluster import free_port

Use = Callable[["Application", int], Awaitable[None]]


@dataclass
class Application:
    """Answers at once, never, or without an end; `ended` is set when its work was cancelled."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["POST"]),
                Route("/never", self.never, methods=["POST"]),
                Route("/endless", self.endless),
                Route("/broken", self.broken, methods=["POST"]),
            ]
        )

    async def echo(self, request: Request) -> Response:
        return JSONResponse({"bytes": len(await request.body())})

    async def never(self, request: Request) -> Response:
        await request.body()
        await self._wait()
        return Response()

    async def broken(self, request: Request) -> Response:
        await request.body()
        raise ZeroDivisionError("a defect")

    async def endless(self, request: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes, None]:
            yield b"first"
            await self._wait()

        return StreamingResponse(parts())

    async def _wait(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.set()
            raise


def serve(use: Use, seconds: float = 60.0) -> None:
    async def run() -> None:
        application, port = Application(), free_port()
        server = HttpServer(application.routes(), "127.0.0.1", port, seconds)
        await server.start()
        server.check()
        await asyncio.wait_for(use(application, port), 30)

    asyncio.run(run())


def client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)


def test_requests_of_any_size_are_answered_on_one_connection() -> None:
    async def use(application: Application, port: int) -> None:
        async with client(port) as http:
            for size in (0, 1, 3_000_000):
                assert (await http.post("/echo", content=b"x" * size)).json() == {"bytes": size}
            assert not application.ended.is_set()

    serve(use)


def test_each_request_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def use(application: Application, port: int) -> None:
        with caplog.at_level("INFO", "ray.serve"):
            async with client(port) as http:
                await http.post("/echo")
                await http.get("/nothing%0AHERE")
        lines = [record.getMessage() for record in caplog.records]
        assert lines[0].startswith("POST '/echo' 200 ") and lines[1].startswith(r"GET '/nothing\nHERE' 404 ")

    serve(use)


def test_a_defect_is_a_500_and_stands_in_the_log_and_a_client_that_leaves_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def half() -> AsyncGenerator[bytes, None]:
        yield b"x"
        await asyncio.Event().wait()

    async def use(application: Application, port: int) -> None:
        with caplog.at_level("INFO", "ray.serve"):
            async with client(port) as http:
                assert (await http.post("/broken")).status_code == 500
                leaving = asyncio.create_task(http.post("/echo", content=half()))
                await asyncio.sleep(0.2)
                leaving.cancel()
                while not any("/echo" in record.getMessage() for record in caplog.records):
                    await asyncio.sleep(0.01)
        requests = [record.getMessage() for record in caplog.records if record.name == "ray.serve"]
        assert [line.split()[2] for line in requests] == ["500", "-"]
        failed = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [str(record.exc_info[1]) for record in failed if record.exc_info] == ["a defect"]

    serve(use)


def test_the_work_for_a_client_that_leaves_ends() -> None:
    async def use(application: Application, port: int) -> None:
        async with client(port) as http:
            request = asyncio.create_task(http.post("/never", content=b"x"))
            await application.started.wait()
            request.cancel()
            await application.ended.wait()

    serve(use)


def test_a_stream_whose_client_leaves_ends() -> None:
    async def use(application: Application, port: int) -> None:
        async with client(port) as http, http.stream("GET", "/endless") as response:
            assert response.status_code == 200
            await application.started.wait()
        await application.ended.wait()

    serve(use)


@pytest.mark.parametrize(("method", "path"), [("POST", "/never"), ("GET", "/endless")])
def test_a_request_ends_when_it_has_taken_too_long(method: str, path: str) -> None:
    async def use(application: Application, port: int) -> None:
        async with client(port) as http:
            try:
                response = await http.request(method, path)
                assert response.status_code == 500, "without a response"
            except httpx.RemoteProtocolError:
                pass  # it had begun
            await application.ended.wait()

    serve(use, seconds=0.2)


def test_serves_own_routes_answer_nobody_but_those_who_ask_for_health() -> None:
    async def use(application: Application, port: int) -> None:
        async with client(port) as http:
            assert (await http.get("/-/routes")).status_code == 404
            assert (await http.get("/-/healthz")).status_code == 200

    serve(use)


def test_a_port_that_is_being_given_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        port = free_port()
        before = socket.create_server(("127.0.0.1", port))
        asyncio.get_running_loop().call_later(0.3, before.close)
        (await bind("127.0.0.1", port)).close()
        monkeypatch.setattr(http_server, "BIND_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
            await bind("127.0.0.1", port)

    asyncio.run(run())

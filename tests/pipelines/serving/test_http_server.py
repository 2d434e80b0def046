"""The gateway's own HTTP server: clients that leave, requests that last too long, Serve's routes, start and end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator

import httpx
import pytest

from pipelines.serving import http_server
from pipelines.serving.http_server import bind
from tests.autoscaled_cluster import free_port
from tests.pipelines.serving.http_application import Served, serve


def test_requests_of_any_size_are_answered_on_one_connection() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http:
            for size in (0, 1, 3_000_000):
                assert (await http.post("/echo", content=b"x" * size)).json() == {"bytes": size}
            assert not served.application.ended.is_set()

    serve(use)


def test_each_request_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def use(served: Served) -> None:
        with caplog.at_level("INFO", "ray.serve"):
            async with served.client() as http:
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

    async def use(served: Served) -> None:
        with caplog.at_level("INFO", "ray.serve"):
            async with served.client() as http:
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
    async def use(served: Served) -> None:
        async with served.client() as http:
            request = asyncio.create_task(http.post("/wait", content=b"x"))
            await served.application.started.wait()
            request.cancel()
            await served.application.ended.wait()

    serve(use)


def test_a_stream_whose_client_leaves_ends() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http, http.stream("GET", "/endless") as response:
            assert response.status_code == 200
            await served.application.started.wait()
        await served.application.ended.wait()

    serve(use)


def test_a_request_that_has_taken_too_long_is_a_503() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http:
            response = await http.post("/wait")
            assert response.status_code == 503
            assert response.json() == {"error_kind": "timeout", "error": "the request has taken longer than 0.2 s"}
            assert response.headers["retry-after"] == "1" and response.headers["connection"] == "close"
            await served.application.ended.wait()

    serve(use, seconds=0.2)


def test_a_response_that_has_taken_too_long_ends_where_it_is() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http:
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                await http.get("/endless")
            await served.application.ended.wait()

    serve(use, seconds=0.2)


def test_serves_own_routes_answer_nobody_but_those_who_ask_for_health() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http:
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


def test_a_port_is_taken_from_others_once_it_is_bound() -> None:
    async def run() -> None:
        port = free_port()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            with await bind("127.0.0.1", port), pytest.raises(OSError, match="in use"):
                other.listen()

    asyncio.run(run())


def test_a_server_that_drains_answers_what_it_has_accepted_and_accepts_nothing_more() -> None:
    async def use(served: Served) -> None:
        async with served.client() as http:
            await http.post("/echo")
            unused = await served.connect()
            request = asyncio.create_task(http.post("/wait"))
            await served.application.started.wait()
            draining = asyncio.create_task(served.server.drain())
            assert await unused[0].read() == b"", "a connection without a request is closed"
            with pytest.raises(OSError, match=r"refused|Connect call failed"):
                await served.connect()
            assert not draining.done()
            served.application.told.set()
            response = await request
            assert (response.status_code, response.json()) == (200, {"waited": True})
            await draining
            with pytest.raises(RuntimeError, match="has ended"):
                served.server.check()
            unused[1].close()

    serve(use)

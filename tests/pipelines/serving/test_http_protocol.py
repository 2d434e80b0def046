"""Connections of the gateway's own HTTP server: bounded in number, in bytes and in time, without a key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from pipelines.serving.http_protocol import ConnectionLimits
from tests.pipelines.serving.http_application import Served, serve

HEAD = b"POST /echo HTTP/1.1\r\nHost: endpoint\r\n"

SMALL = ConnectionLimits(head_bytes=1000, headers=20)

SHORT = ConnectionLimits(head_seconds=0.25, stalled_seconds=0.25, watch_seconds=0.02)

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"

TOO_LARGE = {
    "a path": b"GET /" + b"a" * 2000,
    "the name of a header": HEAD + b"a" * 2000,
    "a header": HEAD + b"a: " + b"b" * 2000,
    "headers": HEAD + b"a: %s\r\n" % (b"b" * 100) * 15,
    "the number of headers": HEAD + b"a:\r\n" * 25 + b"\r\n",
    "the number of headers that do not end": HEAD + b"a:\r\n" * 25,
    "the number of trailers": CHUNKED + b"0\r\n" + b"a:\r\n" * 25,
    "what is before a request": b"\r\n" * 1000,
    "trailers": CHUNKED + b"0\r\na: " + b"b" * 2000,
    "a chunk's extension": CHUNKED + b"1;" + b"b" * 2000,
}


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Callable[[], Any]:
    made: Callable[[], Any] = request.param
    return made


def parse(response: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the only response that there is."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(body) == int(headers["content-length"])
    return int(first.split()[1]), headers, json.loads(body)


async def answered(served: Served, *parts: bytes, pause: float = 0.01) -> bytes:
    """What the server sends until it closes the connection."""
    reader, writer = await served.connect()
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_is_too_large_before_a_body_is_refused_and_the_connection_closed(
    what: str, new_loop: Callable[[], Any]
) -> None:
    async def use(served: Served) -> None:
        sent = TOO_LARGE[what]
        for parts in ((sent,), tuple(sent[start : start + 9] for start in range(0, 1100, 9))):
            status, headers, body = parse(await answered(served, *parts, pause=0))
            assert (status, headers["connection"], body["error_kind"]) == (431, "close", "too_large")

    serve(use, limits=SMALL, new_loop=new_loop)


def test_headers_up_to_the_limit_are_taken_whatever_follows_them(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        start, end = HEAD + b"Connection: close\r\nContent-Length: 5000\r\na: ", b"\r\n\r\n"
        for spare, status in ((0, 200), (-1, 431)):
            value = b"b" * (SMALL.head_bytes - spare - len(start + end))
            assert parse(await answered(served, start + value + end + b"x" * 5000))[0] == status

    serve(use, limits=SMALL, new_loop=new_loop)


def test_who_is_refused_reads_why_though_more_is_sent_than_is_read(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        assert parse(await answered(served, HEAD + b"a: " + b"b" * 3_000_000))[0] == 431

    serve(use, limits=SMALL, new_loop=new_loop)


def test_what_is_not_http_is_a_400(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        for first in (b"nonsense", b"GET http://[ HTTP/1.1", b"GET / HTTP/1.1\r\nno header", b"CONNECT a:1 HTTP/1.1"):
            status, _, body = parse(await answered(served, first + b"\r\n\r\n"))
            assert (status, body["error_kind"]) == (400, "invalid_request")

    serve(use, limits=SMALL, new_loop=new_loop)


def test_a_body_that_stops_being_http_ends_the_request(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        assert parse(await answered(served, CHUNKED, b"nonsense\r\n"))[0] == 400

    serve(use, limits=SMALL, new_loop=new_loop)


def test_headers_have_a_time_limit_however_they_are_sent(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        status, headers, body = parse(await answered(served, HEAD))
        assert (status, headers["connection"], body["error_kind"]) == (408, "close", "timeout")
        slowly = [HEAD, *(b"a: b\r\n" for _ in range(6))]
        assert parse(await answered(served, *slowly, pause=0.05))[0] == 408
        assert await answered(served) == b"", "nobody has asked for anything"

    serve(use, limits=SHORT, new_loop=new_loop)


def test_a_connection_that_has_had_a_response_has_longer_for_the_next_request(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        for _ in range(2):
            writer.write(HEAD + b"Content-Length: 1\r\n\r\nx")
            assert (await reader.readuntil(b"}")).endswith(b'{"bytes":1}')
            await asyncio.sleep(2 * SHORT.head_seconds)
        writer.write(HEAD)
        assert parse(await reader.read())[0] == 408, "but once it has begun, its headers have as long as others"
        writer.close()

    serve(use, limits=SHORT, new_loop=new_loop)


def test_the_rest_of_a_body_that_nobody_awaits_has_a_time_limit(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(b"POST /hasty HTTP/1.1\r\nHost: endpoint\r\nContent-Length: 1000\r\n\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        with pytest.raises((ConnectionError, RuntimeError)):  # the latter is uvloop's
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    serve(use, limits=SHORT, new_loop=new_loop)


def test_of_too_many_connections_the_one_that_has_been_idle_for_longest_is_closed(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        busy, used, new = [await served.connect() for _ in range(3)]
        busy[1].write(b"POST /wait HTTP/1.1\r\nHost: endpoint\r\nContent-Length: 0\r\n\r\n")
        await served.application.started.wait()
        used[1].write(HEAD + b"Content-Length: 1\r\n\r\nx")
        await used[0].readuntil(b"}")
        newest = [await served.connect()]
        assert await new[0].read() == b""
        newest.append(await served.connect())
        assert await used[0].read() == b""
        served.application.told.set()
        assert (await busy[0].readuntil(b"}")).endswith(b'{"waited":true}')
        for _, writer in (busy, used, new, *newest):
            writer.close()

    serve(use, limits=ConnectionLimits(connections=3), new_loop=new_loop)


def test_where_all_connections_have_requests_one_more_is_refused(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        busy = await served.connect()
        busy[1].write(b"POST /wait HTTP/1.1\r\nHost: endpoint\r\nContent-Length: 0\r\n\r\n")
        await served.application.started.wait()
        for _ in range(3):
            status, headers, body = parse(await answered(served, HEAD, HEAD))
            assert (status, headers["retry-after"], body["error_kind"]) == (503, "1", "overloaded")
        served.application.told.set()
        await busy[0].readuntil(b"}")
        busy[1].close()

    serve(use, limits=ConnectionLimits(connections=1), new_loop=new_loop)


def test_a_request_sent_ahead_is_not_answered_and_the_response_before_it_says_so(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        ahead = HEAD + b"Content-Length: 1\r\n\r\nx"
        status, headers, body = parse(await answered(served, ahead + ahead))
        assert (status, headers["connection"], body) == (200, "close", {"bytes": 1})

    serve(use, new_loop=new_loop)


def test_a_client_that_sends_a_request_ahead_and_leaves_has_left(new_loop: Callable[[], Any]) -> None:
    async def use(served: Served) -> None:
        _, writer = await served.connect()
        writer.write(b"POST /wait HTTP/1.1\r\nHost: endpoint\r\nContent-Length: 0\r\n\r\n")
        await served.application.started.wait()
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await served.application.ended.wait()

    serve(use, new_loop=new_loop)


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_a_client_that_takes_nothing_of_a_response_has_left_but_not_one_that_waits(
    path: str, new_loop: Callable[[], Any]
) -> None:
    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: endpoint\r\n\r\n".encode())
        if path == "/large":
            await served.application.ended.wait()
        else:
            await served.application.started.wait()
            await asyncio.sleep(3 * SHORT.stalled_seconds)
            served.application.told.set()
            assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"first\r\n0\r\n\r\n")
        writer.close()

    serve(use, limits=SHORT, new_loop=new_loop)


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_a_request_that_asks_for_another_protocol_is_answered_as_if_it_did_not(
    protocol: bytes, new_loop: Callable[[], Any]
) -> None:
    async def use(served: Served) -> None:
        wish = b"Connection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: eA==\r\n" % protocol
        reader, writer = await served.connect()
        for number in range(2):
            request = HEAD + wish + b"Content-Length: 3000\r\n\r\n" + b"x" * 3000
            for part in (request[:40], request[40:2000], request[2000:]) if number else (request,):
                writer.write(part)
                await asyncio.sleep(0.02)
            assert (await reader.readuntil(b"}")).endswith(b'{"bytes":3000}')
        writer.write(b"GET /nothing HTTP/1.1\r\n" + wish + b"\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404")
        writer.close()

    serve(use, new_loop=new_loop)

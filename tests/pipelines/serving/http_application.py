"""An application behind the gateway's own HTTP server, in this process, on an event loop as Ray's actors have it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from ray._private.async_compat import get_new_event_loop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pipelines.serving.http_protocol import ConnectionLimits
from pipelines.serving.http_server import HttpServer
from tests.autoscaled_cluster import free_port

LARGE_BYTES = 20_000_000
"""More than the system takes of a response that its client does not read."""


@dataclass
class Application:
    """Answers at once, when it is told to, or without an end; `ended` is set when its work was cancelled."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["POST"]),
                Route("/hasty", self.hasty, methods=["POST"]),
                Route("/wait", self.wait, methods=["POST"]),
                Route("/endless", self.endless),
                Route("/large", self.large),
                Route("/broken", self.broken, methods=["POST"]),
            ]
        )

    async def echo(self, request: Request) -> Response:
        return JSONResponse({"bytes": len(await request.body())})

    async def hasty(self, request: Request) -> Response:
        return JSONResponse({"body": "not awaited"})

    async def wait(self, request: Request) -> Response:
        await request.body()
        await self._wait()
        return JSONResponse({"waited": True})

    async def broken(self, request: Request) -> Response:
        await request.body()
        raise ZeroDivisionError("a defect")

    async def endless(self, request: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes, None]:
            yield b"first"
            await self._wait()

        return StreamingResponse(parts())

    async def large(self, request: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes, None]:
            yield b"x" * LARGE_BYTES
            await self._wait()

        return StreamingResponse(parts())

    async def _wait(self) -> None:
        self.started.set()
        try:
            await self.told.wait()
        except asyncio.CancelledError:
            self.ended.set()
            raise


@dataclass(frozen=True)
class Served:
    """A server, its port and what is behind it."""

    application: Application
    server: HttpServer
    port: int

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


def serve(
    use: Callable[[Served], Awaitable[None]],
    seconds: float = 60.0,
    limits: ConnectionLimits | None = None,
    new_loop: Callable[[], Any] = get_new_event_loop,
) -> None:
    """Call `use` beside a server, for half a minute at most."""

    async def run() -> None:
        application, port = Application(), free_port()
        server = HttpServer(application.routes(), "127.0.0.1", port, seconds, limits or ConnectionLimits())
        await server.start()
        server.check()
        await asyncio.wait_for(use(Served(application, server, port)), 30)

    loop = new_loop()
    try:
        loop.run_until_complete(run())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.wait({task}))
        loop.close()

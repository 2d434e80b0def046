"""HTTP server: a gateway that listens itself, on one machine, where Serve's proxy would only pass requests on.

The proxy takes some 8 ms of CPU time for each request. What it does for an application is done here: a request ends
when its client leaves and when it has taken too long, and Serve's own routes answer nobody. What it does not do is in
`http_protocol`: connections are bounded.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.serving.errors import RequestError
from pipelines.serving.http_protocol import ConnectionLimits, Connections, access_logger
from pipelines.serving.proxy_guard import OPEN_INTERNAL, ProxyGuard

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1
"""After which a request that has taken too long may be sent again."""

LOGGED_CHARACTERS = 200
"""Of a path, in the log."""

BIND_SECONDS, BIND_PAUSE_SECONDS = 30.0, 0.2
"""How long to wait for the port: the gateway whose place this one takes may still be ending."""

BACKLOG = 2048
"""Connections that the system makes before they are accepted."""

START_PAUSE_SECONDS = 0.005

DEFAULT_LIMITS = ConnectionLimits()


class HttpServer:
    """Answers HTTP on a port, from the event loop on which it is started."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, seconds: float, limits: ConnectionLimits = DEFAULT_LIMITS
    ) -> None:
        """
        Args:
            seconds: time limit of a request, from its headers to the last byte of its response.
            limits: of the connections.
        """
        self._host, self._port = host, port
        self._connections = Connections(limits)
        watched = ProxyGuard(WatchedRequests(app, seconds))
        config = uvicorn.Config(
            watched,
            http=self._connections.protocol(),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level=None,
            backlog=BACKLOG,
            timeout_keep_alive=limits.idle_seconds,
            server_header=False,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what fails is logged here, with its cause
        self._server = uvicorn.Server(config)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen; connections are accepted when it returns.

        Raises:
            OSError: the port stays taken.
            RuntimeError: the server has ended instead.
        """
        listening = await bind(self._host, self._port)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._server.serve(sockets=[listening])),
            loop.create_task(self._connections.watch()),
        ]
        while not self._server.started:
            await asyncio.sleep(START_PAUSE_SECONDS)
            self.check()

    async def drain(self) -> None:
        """Listen no longer, and answer the requests in progress."""
        self._server.should_exit = True
        if self._tasks:
            serving, watching = self._tasks
            await asyncio.wait({serving})
            watching.cancel()

    def check(self) -> None:
        """
        Raises:
            RuntimeError: it has ended.
        """
        for task in self._tasks:
            if task.done():
                raise RuntimeError(f"the HTTP server has ended: {task}")


async def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the first address of `host`.

    Raises:
        OSError: the port stays taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(BACKLOG)  # two sockets may be bound to one port; one of them can listen
            return listening
        except OSError:
            listening.close()
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(BIND_PAUSE_SECONDS)


class WatchedRequests:
    """Cancels the work on a request whose client has left, or that has taken too long; answers `/-/healthz`."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in OPEN_INTERNAL:
            await PlainTextResponse("success")(scope, receive, send)
            return
        client, started = _Client(receive, send), time.monotonic()
        answering = asyncio.ensure_future(self._app(scope, client.receive, client.send))
        client.answering = answering
        try:
            _, unfinished = await asyncio.wait({answering}, timeout=self._seconds)
            if unfinished:
                logger.warning("a request has taken longer than %g s and is ended", self._seconds)
                await _end(answering)
                if client.status is None:
                    await _refuse(self._too_late(), scope, client)
        finally:
            client.close()
            await _end(answering)
            error = None if answering.cancelled() else answering.exception()
            has_left = isinstance(error, ClientDisconnect)  # the 500 that the framework then sends reaches nobody
            status = "-" if has_left or client.status is None else str(client.status)
            path = repr(scope["path"][:LOGGED_CHARACTERS])
            access_logger.info("%s %s %s %.1f ms", scope["method"], path, status, 1000 * (time.monotonic() - started))
        if error is None or has_left:
            return  # uvicorn closes the connection of a request that has no whole response
        logger.error("a request has failed", exc_info=error)
        raise error

    def _too_late(self) -> RequestError:
        return RequestError(503, "timeout", f"the request has taken longer than {self._seconds:g} s", RETRY_SECONDS)


async def _end(answering: asyncio.Future[None]) -> None:
    if not answering.done():
        answering.cancel()
        await asyncio.wait({answering})


async def _refuse(error: RequestError, scope: Scope, client: _Client) -> None:
    """Answer, and close the connection: the rest of the request's body may not have arrived."""
    headers = {**error.headers(), "Connection": "close"}
    await JSONResponse(error.body(), error.status, headers)(scope, client.receive, client.send)


class _Client:
    """The client of one request: once its body is there, whether it is still there itself."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._watching: asyncio.Task[Message] | None = None
        self._is_answered = False
        self.status: int | None = None
        self.answering: asyncio.Future[None] | None = None

    async def receive(self) -> Message:
        if self._watching is not None:
            return await asyncio.shield(self._watching)
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._watching = asyncio.ensure_future(self._watch())
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_answered = True  # what uvicorn reports from now on is the end of the response
        await self._send(message)

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> Message:
        message = await self._receive()
        while message["type"] != "http.disconnect":
            message = await self._receive()
        if not self._is_answered and self.answering is not None:
            self.answering.cancel()
        return message

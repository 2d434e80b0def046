"""HTTP protocol: the connections of a gateway that listens itself, bounded in number, in bytes and in time.

What a client sends before its headers are complete needs no API key, and uvicorn bounds neither the size of it, nor
the time that it takes, nor the number of connections; nor does it end a connection whose client takes nothing of a
response. Bodies are bounded by `bodies`, and requests as a whole by `http_server`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import resource
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipelines.serving.errors import RequestError, bad_request, unavailable

access_logger = logging.getLogger("ray.serve")
"""Writes to the replica's log file, where Serve would have written what is requested."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Of the connections of one server.

    Attributes:
        connections: open at a time. When one more is made, the one that has been without a request for the longest is
            closed, so that idle clients keep out nobody; if all have requests in progress, the new one is refused.
        head_bytes: of a request line and its headers; also of trailers, and of the frame of a chunk.
        headers: of a request, with its trailers: each takes more memory than its bytes.
        head_seconds: from the connection, or from the first byte after a response, to the last header.
        idle_seconds: from a response to the first byte of the next request.
        stalled_seconds: in which a client takes nothing of a response.
        linger_seconds: in which what a refused client still sends is read and dropped. If the connection were closed at
            once, its system might drop the response too.
        watch_seconds: between two looks at these times.
    """

    connections: int = 4096
    head_bytes: int = 65_536
    headers: int = 100
    head_seconds: float = 20.0
    idle_seconds: int = 90
    stalled_seconds: float = 60.0
    linger_seconds: float = 2.0
    watch_seconds: float = 1.0


class Connections:
    """The open connections of one server; used from one event loop."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.most = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self.open: set[BoundedConnection] = set()
        self.idle: dict[BoundedConnection, None] = {}
        """Of the open ones, those without a request in progress; first the one that has been so for the longest."""
        self.refused: dict[BoundedConnection, None] = {}
        """Those that are about to be closed, of which there may be as many; first the one refused first."""

    def protocol(self) -> type[BoundedConnection]:
        """The class of the connections, as uvicorn takes it."""
        return type(BoundedConnection.__name__, (BoundedConnection,), {"shared": self})

    def add(self, connection: BoundedConnection) -> None:
        """A connection has been made."""
        if len(self.open) >= self.most:
            oldest = next(iter(self.idle), None)
            if oldest is None:
                connection.refuse(unavailable(f"all {self.most} connections are in use; try again later"))
                return
            self._abort(oldest)
        self.open.add(connection)
        self.idle[connection] = None

    def refuse(self, connection: BoundedConnection) -> None:
        """A connection is about to be closed."""
        self.remove(connection)
        if len(self.refused) >= self.most:
            self._abort(next(iter(self.refused)))
        self.refused[connection] = None

    def remove(self, connection: BoundedConnection) -> None:
        """A connection has been lost."""
        self.open.discard(connection)
        self.idle.pop(connection, None)
        self.refused.pop(connection, None)

    async def watch(self) -> None:
        """End the connections whose time is over, without an end."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.watch_seconds)
            now = loop.time()
            for connection in (*self.open, *self.refused):
                connection.check(now)

    def _abort(self, connection: BoundedConnection) -> None:
        self.remove(connection)
        connection.transport.abort()


class _StopParsing(Exception):
    """Ends the parsing of a connection from within a callback of the parser."""


class BoundedConnection(HttpToolsProtocol):
    """One connection, on which requests follow each other.

    A client that sends a request before it has the response to the one before gets no answer to it: the connection
    closes after the response in progress, as HTTP allows (RFC 9112, 9.6). uvicorn would stop reading instead, and not
    notice that the client leaves.
    """

    shared: Connections

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = self.shared.limits
        self._deadline = math.inf  # of what is awaited from the client, on the loop's clock
        self._framing_bytes = 0  # that have arrived since the last whole head, or byte of a body
        self._is_in_head = True
        self._is_upgrade = False
        self._is_deaf = False  # what arrives is dropped
        self._is_refused = False
        self._unsent_bytes, self._unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self._limits.head_seconds
        self.shared.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.shared.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._unset_keepalive_if_required()
        most = self._limits.head_bytes
        while data and not self._is_deaf:
            size = most - self._framing_bytes if self._is_in_head else len(data)
            piece, data = data[:size], data[size:]
            self._framing_bytes += len(piece)
            if piece:
                self._parse(piece)
            if self._is_deaf:
                break
            if not piece or self._framing_bytes > most:
                self.refuse(_too_large(f"more than {most} bytes"))
            elif self._has_too_many_headers():
                self.refuse(_too_large(f"more than {self._limits.headers} headers"))
        if self._deadline == math.inf and self in self.shared.idle:
            self._deadline = self.loop.time() + self._limits.head_seconds

    def on_message_begin(self) -> None:
        """Called by the parser, at the first byte of a request."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            self._is_deaf = True
            raise _StopParsing
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._is_in_head = False
        self._framing_bytes = 0
        if self._has_too_many_headers():
            raise _StopParsing  # the connection is refused where the parser was called
        self._is_upgrade = self.parser.should_upgrade()
        if self._is_upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.refuse(bad_request("this is no proxy"))
                raise _StopParsing
            return  # what follows is parsed again
        super().on_headers_complete()
        self._deadline = math.inf
        self.shared.idle.pop(self, None)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser, at the last byte of a request."""
        self._framing_bytes = 0
        self._is_in_head = True
        if not self._is_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Called by uvicorn, which now waits for the next request."""
        super().on_response_complete()
        self.shared.idle[self] = None

    def refuse(self, error: RequestError) -> None:
        """Answer, unless a response has begun, and close the connection."""
        access_logger.info("a connection is refused: %d, %s", error.status, error.message)
        self._is_deaf = self._is_refused = True
        is_answering = False
        if self.cycle is not None and not self.cycle.response_complete:
            is_answering = self.cycle.response_started
            self.cycle.disconnected = True  # nothing more is written for it
            self.cycle.message_event.set()
        elif self.scope is not None:
            self.headers = self.scope["headers"] = []
        if not is_answering:
            self.transport.write(self._response(error))
        self.flow.resume_reading()
        self.transport.write_eof()
        self._deadline = self.loop.time() + self._limits.linger_seconds
        self.shared.refuse(self)

    def check(self, now: float) -> None:
        """End the connection if its time is over; `now` on the loop's clock."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes != self._unsent_bytes or not unsent_bytes:
            self._unsent_bytes, self._unsent_since = unsent_bytes, now
        if self._is_stalled(now) or (self._is_refused and now > self._deadline):
            self.transport.abort()
        elif now > self._deadline and not self.transport.is_closing():
            if self._framing_bytes and self._is_in_head:
                seconds = self._limits.head_seconds
                self.refuse(RequestError(408, "timeout", f"the headers have not arrived within {seconds:g} s"))
            else:
                self.transport.close()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # Some clients, Java's among them, ask for another protocol with every request. The parser would drop the
            # body of one that does: it gets the request again, without the wish.
            self._parse(self._head_without_upgrade() + data[upgrade.args[0] :])
        except HttpParserError:
            if not self._is_deaf and not self._has_too_many_headers():
                self.refuse(bad_request("this is not HTTP/1.1"))

    def _head_without_upgrade(self) -> bytes:
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _has_too_many_headers(self) -> bool:
        return self.headers is not None and len(self.headers) > self._limits.headers

    def _is_stalled(self, now: float) -> bool:
        return now - self._unsent_since > self._limits.stalled_seconds

    def _response(self, error: RequestError) -> bytes:
        body = json.dumps(error.body()).encode()
        headers = {
            **error.headers(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()]
        lines += [name + b": " + value for name, value in self.server_state.default_headers]
        lines += [f"{name}: {value}".encode() for name, value in headers.items()]
        return b"\r\n".join([*lines, b"", body])


def _too_large(what: str) -> RequestError:
    return RequestError(
        431, "too_large", f"the request line, headers or trailers have {what}; send fewer or shorter ones"
    )

"""A proxy on loopback between a test and its S3 server, which can fail as servers and networks do."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Mode = Literal["pass", "down", "500", "503", "cut", "expired"]

CUT_AFTER_BYTES = 700
_STATUS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Service Unavailable", "SlowDown"),
    "expired": ("400 Bad Request", "ExpiredToken"),
}


class S3Proxy:
    """Passes bytes on, or not. `endpoint` is where clients find it; `connections` counts those of the present mode."""

    def __init__(self, server_endpoint: str) -> None:
        host, port = server_endpoint.removeprefix("http://").split(":")
        self._target = host, int(port)
        self._mode: Mode = "pass"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.connections = 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._handle(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, mode: Mode) -> None:
        """Behave so from now on; what is open is cut.

        down: connections are closed at once; 500, 503: errors of the server; expired: of the credentials;
        cut: answers break off in the middle.
        """
        with self._lock:
            self._mode = mode
            self.connections = 0
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop answering."""
        self.fail("down")
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, client: socket.socket) -> None:
        with self._lock:
            mode = self._mode
            self.connections += 1
            self._open.add(client)
        try:
            if mode in _STATUS:
                self._refuse(client, *_STATUS[mode])
            elif mode != "down":
                self._pass(client, CUT_AFTER_BYTES if mode == "cut" else None)
        except OSError:
            return  # one side hung up
        finally:
            with self._lock:
                self._open.discard(client)

    def _refuse(self, client: socket.socket, status: str, code: str) -> None:
        client.recv(65536)
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>try later</Message></Error>".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        client.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)

    def _pass(self, client: socket.socket, most_bytes: int | None) -> None:
        with socket.create_connection(self._target) as server:
            with self._lock:
                self._open.add(server)
            try:
                back = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
                back.start()
                _pump(server, client, most_bytes)
            finally:
                with self._lock:
                    self._open.discard(server)
                for side in (client, server):
                    with suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket, most_bytes: int | None) -> None:
    passed = 0
    with suppress(OSError):
        while content := source.recv(65536):
            if most_bytes is not None and passed + len(content) >= most_bytes:
                target.sendall(content[: most_bytes - passed])
                return
            target.sendall(content)
            passed += len(content)


@contextmanager
def start_s3_proxy(server_endpoint: str) -> Iterator[S3Proxy]:
    """A proxy that lives as long as the block."""
    proxy = S3Proxy(server_endpoint)
    try:
        yield proxy
    finally:
        proxy.close()

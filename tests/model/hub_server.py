"""A hub on loopback: as much of the Hugging Face hub's interface as an upload needs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Hub:
    """What was uploaded: `repositories` with their branches, the files of each branch, and the commits' headers."""

    endpoint: str = ""
    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and content of the answer to a POST."""
        parts = path.removeprefix("/api/").split("/")
        if parts[:2] == ["repos", "create"]:
            name = json.loads(body)["name"]
            repository = (
                f"me/{name}" if "organization" not in json.loads(body) else f"{json.loads(body)['organization']}/{name}"
            )
            existed = repository in self.repositories
            self.repositories.setdefault(repository, {"main": {}})
            return (409 if existed else 200), {"url": f"{self.endpoint}/{repository}"}
        repository, action, branch = "/".join(parts[1:3]), parts[3], unquote(parts[4])
        branches = self.repositories[repository]
        if action == "branch":
            if branch in branches:
                return 409, {"error": "exists"}
            branches[branch] = {}
            return 200, {}
        if branch not in branches:
            return 404, {"error": "no such branch"}
        if action == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for file in json.loads(body)["files"]
            ]
            return 200, {"files": files}
        lines = [json.loads(line) for line in body.splitlines()]
        self.commits.append(lines[0]["value"] | {"branch": branch})
        for line in lines[1:]:
            branches[branch][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return 200, {
            "success": True,
            "commitOid": "0" * 40,
            "commitUrl": f"{self.endpoint}/{repository}/commit/{'0' * 40}",
            "hookOutput": "",
        }


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.tokens.add(self.headers.get("Authorization", ""))
            self._send(*hub.answer(self.path.partition("?")[0], body))

        def do_GET(self) -> None:
            self._send(404, {"error": "not found"})

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

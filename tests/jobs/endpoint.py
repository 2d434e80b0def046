"""A running endpoint, started as a user starts it, with a Ray of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil

import model
from model.untrained import untrained_model
from pipelines.schema import Task
from pipelines.stages.model_loader import MODEL_CLASSES, load_tokenizer
from tests.autoscaled_cluster import free_port

REPOSITORY = Path(__file__).resolve().parents[2]

LIMITS = {
    "max-upload-megabytes": 2,
    "max-pages": 100,
    "max-questions": 2,
    "max-requests": 3,
    "max-text-replicas": 1,
    "max-page-windows": 60,
}
"""Options of the endpoint that the tests share: narrow, so that little is needed to exceed them."""

ANSWER_SECONDS = 120.0
"""The longest that a test waits for an answer."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: its URL, its process, and a key that opens it."""

    url: str
    process: subprocess.Popen[str]
    key: str | None = None

    def headers(self) -> dict[str, str]:
        """What a request needs to be admitted."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def client(self) -> httpx.Client:
        """A client that is admitted."""
        return httpx.Client(base_url=self.url, timeout=ANSWER_SECONDS, headers=self.headers(), trust_env=False)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The processes of a deployment's replicas."""
        name = f"ServeReplica:layoutlmv2:{deployment}"
        replicas = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if any(name in word for word in process.cmdline()):
                    replicas.append(process)
            except psutil.NoSuchProcess:
                continue
        return replicas

    @contextmanager
    def without_key(self) -> Iterator[str]:
        """A URL for clients that know no key: a proxy that adds it to their requests."""
        endpoint = self

        class AddKey(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                forwarded = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
                with endpoint.client() as client:
                    response = client.post(self.path, content=body, headers=forwarded)
                self.send_response(response.status_code)
                self.send_header("Content-Type", response.headers["content-type"])
                self.send_header("Content-Length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

        with ThreadingHTTPServer(("127.0.0.1", 0), AddKey) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()


@contextmanager
def start_endpoint(log: Path, *arguments: str, key: str | None = None) -> Iterator[Endpoint]:
    """An endpoint that answers, until the context ends.

    Args:
        log: file for its standard error.
    """
    port = free_port()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"LAYOUTLMV2_API_KEYS": f"another,{key}"} if key else {})
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.serve", "--port", str(port), *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    try:
        assert process.stdout is not None
        lines = ""
        for line in process.stdout:
            lines += line
            if line.startswith("serving on"):
                break
        else:
            raise AssertionError(f"the endpoint has ended: {lines}{log.read_text()}")
        yield Endpoint(f"http://127.0.0.1:{port}", process, key)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()


def write_untrained(folder: Path, task: Task) -> Path:
    """A small checkpoint for a task, whose configuration names the task; returns the folder."""
    untrained_model(getattr(model, MODEL_CLASSES[task]), task).save_pretrained(str(folder))
    load_tokenizer("untrained").save_pretrained(str(folder))
    return folder

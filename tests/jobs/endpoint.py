"""A running endpoint, started as a user starts it, with a Ray of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

import model
from model.untrained import untrained_model
from pipelines.schema import Task
from pipelines.stages.model_loader import MODEL_CLASSES, load_tokenizer
from tests.autoscaled_cluster import free_port

REPOSITORY = Path(__file__).resolve().parents[2]

ANSWER_SECONDS = 120.0
"""The longest that a test waits for an answer."""


@dataclass(frozen=True)
class Endpoint:
    """Where it listens, and which process it is."""

    url: str
    process: subprocess.Popen[str]
    key: str | None = None

    def client(self, **headers: str) -> httpx.Client:
        """A client with the key, if there is one."""
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        return httpx.Client(base_url=self.url, timeout=ANSWER_SECONDS, headers=headers, trust_env=False)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The processes of a deployment's replicas."""
        mark = f"ServeReplica:layoutlmv2:{deployment}"
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if any(mark in word for word in process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found


@contextmanager
def start_endpoint(log: Path, *arguments: str, key: str | None = None) -> Iterator[Endpoint]:
    """An endpoint that answers, until the context ends.

    Args:
        log: file for what it prints.
    """
    port = free_port()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LAYOUTLMV2_API_KEYS": f"another,{key}" if key else ""}
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
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("serving on"):
                break
        else:
            raise AssertionError(f"the endpoint has ended: {said}{log.read_text()}")
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
    """A small checkpoint for a task, which says by its configuration what it is for; returns the folder."""
    untrained_model(getattr(model, MODEL_CLASSES[task]), task).save_pretrained(str(folder))
    load_tokenizer("untrained").save_pretrained(str(folder))
    return folder

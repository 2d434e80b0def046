"""A Ray head on this machine, with its dashboard and token authentication, started as a user starts it."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.autoscaled_cluster import REPOSITORY, end_processes, free_port, names_head

PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class RunningHead:
    """Where its dashboard is; `environment` knows its token."""

    url: str
    environment: dict[str, str]

    def start(self, program: str, *arguments: str, token: bool = True) -> subprocess.Popen[str]:
        """`ray` or `serve`, as a user types it, in the repository."""
        environment = dict(self.environment)
        if not token:
            environment["RAY_AUTH_TOKEN"] = "0" * 32
        return subprocess.Popen(
            [str(PROGRAMS / program), *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextlib.contextmanager
def running_head(code: str = "") -> Iterator[RunningHead]:
    """A head with two CPUs, until the context ends; then none of its processes is left.

    Args:
        code: folder from which its workers import, beside what is installed.
    """
    port, dashboard = free_port(), free_port()
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment |= {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": code}
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        command = [str(PROGRAMS / "ray"), "start", "--head", "--num-cpus=2", f"--port={port}", f"--temp-dir={folder}"]
        command += ["--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        command += ["--dashboard-agent-listen-port=0", "--object-store-memory=200000000", "--disable-usage-stats"]
        command += ["--min-worker-port=0", "--max-worker-port=0"]
        try:
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
            yield RunningHead(f"http://127.0.0.1:{dashboard}", environment)
        finally:
            end_processes(lambda command: names_head(command, folder, port))

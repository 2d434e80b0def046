from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.runtime.local_ray import WITHOUT_DASHBOARD, finds_no_cluster
from tests.conftest import REPOSITORY

LISTENING = """
import json, os, sys
import psutil
from jobs.cli import connect_to_ray

connect_to_ray(None, workers_log=False)
import ray

environment = ray.get(ray.remote(lambda: dict(os.environ)).remote())
me = psutil.Process()
sockets = [one for each in (me, *me.children(recursive=True)) for one in each.net_connections("inet")]
addresses = sorted({one.laddr.ip for one in sockets if one.status == "LISTEN"})
print(json.dumps({"environment": environment, "addresses": addresses}))
ray.shutdown()
"""


@pytest.mark.xdist_group("ray of its own")
def test_a_ray_that_is_started_here_is_open_to_this_machine_with_a_token_and_collects_for_no_dashboard(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["HOME"] = str(tmp_path)
    command = [sys.executable, "-c", LISTENING]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["environment"]["RAY_AUTH_MODE"] == "token"
    assert WITHOUT_DASHBOARD.items() <= found["environment"].items()
    assert found["addresses"] and set(found["addresses"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert stat.S_IMODE((tmp_path / ".ray" / "auth_token").stat().st_mode) == 0o600


def test_a_cluster_that_is_named_or_was_begun_on_this_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert finds_no_cluster(None) and finds_no_cluster("local")
    assert not finds_no_cluster("auto") and not finds_no_cluster("10.0.0.1:6379")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.1:6379")
    assert not finds_no_cluster(None)
    (tmp_path / "ray" / "ray_current_cluster").unlink()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert not finds_no_cluster(None)

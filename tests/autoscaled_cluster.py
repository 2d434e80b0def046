"""A cluster on this machine that Ray's own autoscaler grows and shrinks, with the node types of `cluster.yaml`.

Nodes are processes: Ray's provider of fake nodes starts them. All are ended by their ids, and nothing else is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_TYPE, FakeMultiNodeProvider

from tests.cluster_file import load_cluster

REPOSITORY = Path(__file__).resolve().parent.parent
REDUCED_CPUS = 1
"""Of an ocr node here, instead of its 16."""

MEMORY_BYTES = 4_000_000_000
"""That a node here says it has; on AWS, Ray knows it by the type of the instance."""


class FakeNodes(FakeMultiNodeProvider):
    """Ray's provider under a name that a configuration can give. Its nodes find out what memory they have."""

    def create_node_with_resources_and_labels(
        self, node_config: dict[str, Any], tags: dict[str, str], count: int, resources: dict[str, Any], labels: Any
    ) -> Any:
        taken = {name: amount for name, amount in resources.items() if name != "memory"}
        return super().create_node_with_resources_and_labels(node_config, tags, count, taken, labels)


@dataclass
class AutoscaledCluster:
    """A running head.

    Attributes:
        address: what `--address` takes.
        environment: of programs that connect.
        log: what the head's processes print.
    """

    address: str
    environment: dict[str, str]
    folder: Path
    processes: list[int] = field(default_factory=list)

    def node_processes(self, node_type: str) -> list[psutil.Process]:
        """Raylets of the living nodes of a type."""
        return [process for process in self._raylets() if self._type_of(process) == node_type]

    def _raylets(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if (
                    command
                    and command[0].endswith("raylet/raylet")
                    and any(self._is_named_in(word) for word in command)
                ):
                    found.append(process)
        return found

    @staticmethod
    def _type_of(process: psutil.Process) -> str | None:
        with contextlib.suppress(psutil.Error):
            return process.environ().get("RAY_NODE_TYPE_NAME")
        return None

    def _is_named_in(self, command: str) -> bool:
        return names_head(command, str(self.folder), int(self.address.split(":")[1]))

    def end(self) -> None:
        """End every process of the cluster: they all name its address or its session's folder."""
        end_processes(self._is_named_in)


def names_head(command: str, folder: str, port: int) -> bool:
    """Whether a command is of a head's cluster: its nodes name it by one of its addresses, or work in its folder."""
    return folder in command or re.search(rf":{port}\b", command) is not None


def end_processes(is_mine: Callable[[str], bool]) -> None:
    """Kill all processes of this machine, but this one, whose commands are said to be ours."""
    mine = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and is_mine(" ".join(process.cmdline())):
                mine.append(process)
    for process in mine:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(mine, timeout=30)


def reduced_types(counts: dict[str, int]) -> dict[str, Any]:
    """The node types of `cluster.yaml` with so many nodes at most, and few CPUs each."""
    types = {}
    for name, node in load_cluster()["available_node_types"].items():
        resources = dict(node["resources"])
        if resources["CPU"]:
            resources["CPU"] = REDUCED_CPUS
        resources |= {"object_store_memory": 100_000_000, "memory": MEMORY_BYTES}
        most = counts.get(name, 0)
        name = FAKE_HEAD_NODE_TYPE if name == "head" else name
        types[name] = {**node, "node_config": {}, "resources": resources, "min_workers": 0, "max_workers": most}
    return types


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@contextlib.contextmanager
def autoscaled_cluster(counts: dict[str, int], idle_seconds: float, **environment: str) -> Iterator[AutoscaledCluster]:
    """A bare head without CPUs, whose autoscaler may start nodes of `cluster.yaml`'s types.

    Args:
        counts: the most nodes by type.
        idle_seconds: after which a node without work leaves.
    """
    port, head_id = free_port(), secrets.token_hex(28)
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        source = load_cluster()
        config = {
            "cluster_name": source["cluster_name"],
            "max_workers": sum(counts.values()),
            "idle_timeout_minutes": idle_seconds / 60,
            "upscaling_speed": source["upscaling_speed"],
            "provider": {
                "type": "external",
                "module": "tests.autoscaled_cluster.FakeNodes",
                "launch_multiple": True,
                "gcs_address": address,
                "head_node_id": head_id,
            },
            "auth": {},
            "available_node_types": reduced_types(counts),
            "head_node_type": FAKE_HEAD_NODE_TYPE,
            "file_mounts": {},
            "cluster_synced_files": [],
            "file_mounts_sync_continuously": False,
            "rsync_exclude": [],
            "rsync_filter": [],
            "initialization_commands": [],
            "setup_commands": [],
            "head_setup_commands": [],
            "worker_setup_commands": [],
            "head_start_ray_commands": [],
            "worker_start_ray_commands": [],
        }
        path = Path(folder, "autoscaling.json")
        path.write_text(json.dumps(config))
        variables = {
            "PYTHONPATH": str(REPOSITORY),
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_CLOUD_INSTANCE_ID": head_id,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": head_id,
            "RAY_AUTH_MODE": "disabled",
            **environment,
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--num-cpus=0", f"--port={port}"]
        command += ["--node-ip-address=127.0.0.1", f"--autoscaling-config={path}", f"--temp-dir={folder}"]
        command += ["--include-dashboard=false", "--min-worker-port=0", "--max-worker-port=0"]
        command += ["--dashboard-agent-listen-port=0", "--object-store-memory=100000000", "--disable-usage-stats"]
        cluster = AutoscaledCluster(address, {"PYTHONPATH": str(REPOSITORY), "RAY_AUTH_MODE": "disabled"}, Path(folder))
        try:
            started = subprocess.run(
                command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False
            )
            if started.returncode:
                raise RuntimeError(f"the head does not start: {started.stdout}{started.stderr}")
            yield cluster
        finally:
            cluster.end()


def wait_until(what: Callable[[], object], seconds: float, saying: str) -> None:
    """Wait for a condition, looking often."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {saying}")
        time.sleep(0.2)

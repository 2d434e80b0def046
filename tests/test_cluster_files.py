"""`cluster.yaml` and `kuberay.yaml`: what Ray's own code and KubeRay's schema ask of them, and what security does."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import hash_launch_conf, prepare_config, validate_config

from pipelines.runtime.pools import POOL_LABEL, READING
from tests.cluster_file import CLUSTER, load_cluster

KUBERAY = CLUSTER.parent / "kuberay.yaml"
SECRETS = (
    r"AKIA[0-9A-Z]{16}",
    r"ASIA[0-9A-Z]{16}",
    r"-----BEGIN",
    r"(?i)(secret|password|token|access_key)[a-z_]*\s*[:=]\s*['\"]?[A-Za-z0-9/+]{20,}",
    r"hf_[A-Za-z0-9]{20,}",
)
WORLD = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]


def secrets_in(text: str) -> list[str]:
    return [found[0] for pattern in SECRETS for found in re.finditer(pattern, text)]


def networks_in(value: Any) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """All networks that are named anywhere in a configuration."""
    if isinstance(value, dict):
        for part in value.values():
            yield from networks_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from networks_in(part)
    elif isinstance(value, str) and "/" in value:
        try:
            yield ipaddress.ip_network(value, strict=False)
        except ValueError:
            return


@pytest.fixture
def cluster() -> dict[str, Any]:
    return load_cluster()


@pytest.fixture
def kuberay() -> dict[str, dict[str, Any]]:
    return {part["kind"]: part for part in yaml.safe_load_all(KUBERAY.read_text())}


def test_ray_up_prepares_and_accepts_the_cluster(cluster: dict[str, Any]) -> None:
    prepared = prepare_config(copy.deepcopy(cluster))
    validate_config(prepared)
    types = prepared["available_node_types"]
    assert set(types) == {"head", "ocr_a", "ocr_b", "gpu"}
    assert {name: (node["min_workers"], node["max_workers"]) for name, node in types.items() if name != "head"} == {
        "ocr_a": (0, 20),
        "ocr_b": (0, 20),
        "gpu": (0, 4),
    }
    assert prepared["max_workers"] == sum(node["max_workers"] for name, node in types.items() if name != "head")
    for node in types.values():
        assert hash_launch_conf(node["node_config"], prepared["auth"])


@pytest.mark.parametrize("wrong", [{"max_worker": 3}, {"max_workers": -1}, {"provider": {}}])
def test_ray_would_notice_a_mistake(cluster: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"."):
        validate_config(prepare_config({**copy.deepcopy(cluster), **wrong}))


def test_the_head_runs_no_tasks_and_only_ocr_nodes_read(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert types[cluster["head_node_type"]]["resources"]["CPU"] == 0
    assert any("--num-cpus=0" in command for command in cluster["head_start_ray_commands"])
    reading = {name for name, node in types.items() if node.get("labels", {}).get(POOL_LABEL) == READING}
    assert reading == {"ocr_a", "ocr_b"}
    assert {name for name, node in types.items() if node["resources"].get("GPU")} == {"gpu"}
    for name in ("ocr_a", "ocr_b"):
        assert types[name]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert types["ocr_a"]["resources"] == types["ocr_b"]["resources"]
    assert types["ocr_a"]["node_config"]["InstanceType"] != types["ocr_b"]["node_config"]["InstanceType"]


def test_no_node_gets_the_security_group_that_ray_opens_to_the_world(cluster: dict[str, Any]) -> None:
    for name, node in cluster["available_node_types"].items():
        assert node["node_config"].get("SecurityGroupIds"), f"without a group of its own, {name} gets Ray's"
    assert "security_group" not in cluster["provider"]


def test_nothing_is_open_to_the_world_and_tokens_are_asked_for(cluster: dict[str, Any]) -> None:
    assert not [network for network in networks_in(cluster) if network in WORLD]
    for command in cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]:
        assert "ray start" not in command or "RAY_AUTH_MODE=token" in command
    [start] = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]
    assert "--dashboard-host=127.0.0.1" in start
    for node in cluster["available_node_types"].values():
        assert node["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_an_opening_to_the_world_would_be_found() -> None:
    opened = {"IpPermissions": [{"FromPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
    assert [network for network in networks_in(opened) if network in WORLD]


@pytest.mark.parametrize("path", [CLUSTER, KUBERAY], ids=lambda path: path.name)
def test_no_secret_is_in_the_file(path: Path) -> None:
    assert secrets_in(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "aws_access_key_id: AKIA" + "A" * 16,
        "RAY_AUTH_TOKEN=" + "0123456789abcdef" * 2,
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_would_be_found(line: str) -> None:
    assert secrets_in(line)


def test_all_that_a_user_sets_is_used(cluster: dict[str, Any]) -> None:
    text = CLUSTER.read_text()
    anchors = set(re.findall(r": &(\w+)", text))
    assert set(cluster["metadata"]) <= anchors
    for anchor in anchors:
        assert len(re.findall(rf"\*{anchor}\b", text)) >= 1, f"{anchor} is set and not used"


def test_the_nodes_install_what_is_locked(cluster: dict[str, Any]) -> None:
    for target, source in cluster["file_mounts"].items():
        assert source == "~/.ray/auth_token" or (CLUSTER.parent / source).is_file(), target
    commands = " ".join(cluster["setup_commands"])
    makefile = (CLUSTER.parent / "Makefile").read_text()
    [packages] = re.findall(r"^SYSTEM_PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert all(package in commands for package in packages.split())
    assert "-c ~/layoutlmv2/requirements.lock" in commands
    lock = (CLUSTER.parent / "requirements.lock").read_text()
    assert len(re.findall(r"^torch==[0-9.]+", lock, re.MULTILINE)) == 1


def spec_of_cluster(part: dict[str, Any]) -> dict[str, Any]:
    return part["spec"]["rayClusterSpec" if part["kind"] == "RayJob" else "rayClusterConfig"]


@pytest.mark.parametrize("kind", ["RayJob", "RayService"])
def test_kuberay_gets_a_whole_cluster(kuberay: dict[str, dict[str, Any]], kind: str) -> None:
    part = kuberay[kind]
    assert part["apiVersion"] == "ray.io/v1"
    spec = spec_of_cluster(part)
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        [container] = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        [container] = group["template"]["spec"]["containers"]
        assert (group.get("labels") == {POOL_LABEL: READING}) == (group["groupName"] == "ocr")
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (group["groupName"] == "gpu")


def test_the_rays_that_are_asked_for_are_the_locked_one(kuberay: dict[str, dict[str, Any]]) -> None:
    [locked] = re.findall(r"^ray==([0-9.]+)$", (CLUSTER.parent / "requirements.lock").read_text(), re.MULTILINE)
    assert {spec_of_cluster(part)["rayVersion"] for part in kuberay.values()} == {locked}


def test_the_job_and_the_service_say_what_they_run(kuberay: dict[str, dict[str, Any]]) -> None:
    assert kuberay["RayJob"]["spec"]["entrypoint"].startswith("python -m jobs.extract ")
    assert kuberay["RayJob"]["spec"]["shutdownAfterJobFinishes"] is True
    [application] = yaml.safe_load(kuberay["RayService"]["spec"]["serveConfigV2"])["applications"]
    assert re.fullmatch(r"[\w.]+:\w+", application["import_path"])

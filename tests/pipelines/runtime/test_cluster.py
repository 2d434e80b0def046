from __future__ import annotations

import os

import pytest

from pipelines.runtime.cluster import ClusterSize, cluster_size, node_cpus


@pytest.mark.xdist_group("ray")
def test_the_size_is_that_of_the_nodes_that_are_there(ray_cluster: None) -> None:
    assert cluster_size() == ClusterSize(cpus=2, gpus=cluster_size().gpus, grows=False)
    assert node_cpus() == 2


def test_a_head_without_cpus_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    head = {"Alive": True, "Resources": {"memory": 1.0}, "Labels": {}, "NodeID": "a"}
    monkeypatch.setattr(ray, "nodes", lambda: [head])
    assert cluster_size() == ClusterSize(cpus=0, gpus=0, grows=True)


def test_without_ray_the_cpus_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    assert node_cpus() == len(os.sched_getaffinity(0))

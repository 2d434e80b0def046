"""Chooses the pools for a cluster, and warns the user when no node can run a stage.

On a cluster of identical nodes, each stage gets a share of the current resources. On one with node types (see
`cluster.yaml`), readers run on nodes with the reading label and models on GPUs, and the pools grow and shrink with it.
Such a cluster is recognized by that label, or by a single head node without CPUs: its nodes start on demand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.runtime.machine import available_cores
from pipelines.runtime.pools import POOL_LABEL, READING, Pools, plan_autoscaling_pools, plan_pools

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 45.0
"""How long requested nodes may take to start before a warning names the missing ones; the job keeps waiting."""


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster of a run, connected by the first stage that needs it: a small run needs none.

    Attributes:
        connect: connects to it; None if it is connected already, and then it is used for all work.
        read_workers, model_workers, device, model_bytes: see `pools_for_cluster`.
    """

    connect: Callable[[], None] | None
    read_workers: int | None = None
    model_workers: int | None = None
    device: str = "auto"
    model_bytes: int = 0

    @property
    def is_optional(self) -> bool:
        """Whether work may be done in this process instead."""
        return self.connect is not None and (self.model_workers or 1) == 1

    @cached_property
    def pools(self) -> Pools:
        """The pools of the cluster, which is connected now.

        Raises:
            ConnectionError: it cannot be reached.
            ValueError: fewer than one worker asked for.
        """
        from pipelines.runtime.ray_data import set_data_context

        if self.connect is not None:
            self.connect()
        set_data_context()
        return pools_for_cluster(self.read_workers, self.model_workers, self.device, self.model_bytes)


def pools_for_cluster(read_workers: int | None, model_workers: int | None, device: str, model_bytes: int = 0) -> Pools:
    """Pools for the connected cluster; on one with node types, a warning is logged if required nodes do not start.

    Args:
        read_workers, model_workers: numbers of workers; on an autoscaling cluster, the maximum. None is automatic.
        device: "cpu" requests no GPU.
        model_bytes: memory of the model's weights; 0 is next to nothing.

    Raises:
        ValueError: a number of workers is below one.
    """
    import ray  # loaded by the first stage that needs it

    nodes = [node for node in ray.nodes() if node["Alive"]]
    if not is_autoscaling(nodes):
        working = [node["Resources"] for node in nodes if node["Resources"].get("CPU", 0) >= 1]
        return plan_pools(
            sum(node["Resources"].get("CPU", 0) for node in nodes),
            0 if device == "cpu" else sum(node["Resources"].get("GPU", 0) for node in nodes),
            node_cpus=max(node["Resources"].get("CPU", 0) for node in nodes),
            cpu_bytes=min((node.get("memory", 0) / node["CPU"] for node in working), default=0),
            read_workers=read_workers,
            model_workers=model_workers,
            model_bytes=model_bytes,
        )
    pools = plan_autoscaling_pools(
        on_gpus=device != "cpu", read_workers=read_workers, model_workers=model_workers, model_bytes=model_bytes
    )
    threading.Thread(target=_warn_if_nodes_missing, args=(pools,), name="placement", daemon=True).start()
    return pools


def is_autoscaling(nodes: Sequence[dict[str, Any]]) -> bool:
    """Whether the cluster of these nodes (as `ray.nodes` lists them) has node types, of which some may still come."""
    alive = [node for node in nodes if node["Alive"]]
    has_cpus = any(node["Resources"].get("CPU", 0) for node in alive)
    return not has_cpus or any(POOL_LABEL in node["Labels"] for node in alive)


@dataclass(frozen=True)
class ClusterSize:
    """What a cluster offers.

    Attributes:
        cpus, gpus: of the nodes that are there now.
        grows: whether further nodes may start, see `is_autoscaling`.
        nodes: number of those that are there now.
    """

    cpus: float
    gpus: float = 0.0
    grows: bool = False
    nodes: int = 1


def cluster_size() -> ClusterSize:
    """That of the connected cluster."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    cpus, gpus = (sum(node["Resources"].get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    return ClusterSize(cpus, gpus, is_autoscaling(nodes), len(nodes))


def node_cpus() -> int:
    """CPUs of the node on which this process runs, as Ray counts them; without Ray, those that it may use."""
    import ray

    if ray.is_initialized():
        own = ray.get_runtime_context().get_node_id()
        for node in ray.nodes():
            if node["NodeID"] == own and node["Resources"].get("CPU", 0) >= 1:
                return int(node["Resources"]["CPU"])
    return available_cores()


def unmet_requirements(pools: Pools, nodes: Sequence[dict[str, Any]]) -> list[str]:
    """Descriptions of what the stages of `pools` require and no living node offers; `nodes` come from `ray.nodes`."""
    alive = [node for node in nodes if node["Alive"]]
    readers = [node for node in alive if node["Labels"].get(POOL_LABEL) == READING]
    unmet = []
    read_bytes = pools.page_bytes if pools.whole_pages else pools.read_bytes
    if pools.read_labels and not _any_has(readers, CPU=pools.read_cpus, memory=read_bytes or 0):
        reader = f"{pools.read_cpus:g} CPU{_memory(read_bytes)}"
        unmet.append(f"reading: a node with the label {POOL_LABEL}={READING}, {reader}")
    if pools.whole_pages:
        return unmet
    if not pools.infer_gpus and pools.infer_labels and not _any_has(readers, memory=pools.infer_bytes or 0):
        unmet.append(f"the model: {(pools.infer_bytes or 0) / 1e9:g} GB of memory on a node for reading")
    if pools.infer_gpus and not _any_has(alive, GPU=pools.infer_gpus, memory=pools.infer_bytes or 0):
        model = f"{pools.infer_gpus:g} GPU{_memory(pools.infer_bytes)}"
        unmet.append(f"the model: a node with {model} (--device cpu needs no GPU)")
    return unmet


def _memory(size_bytes: int | None) -> str:
    return f" and {size_bytes / 1e9:g} GB of memory" if size_bytes else ""


def _any_has(nodes: Sequence[dict[str, Any]], **required: float) -> bool:
    return any(all(node["Resources"].get(name, 0) >= amount for name, amount in required.items()) for node in nodes)


def _warn_if_nodes_missing(pools: Pools) -> None:
    """Check once after `PATIENCE_SECONDS`, in a thread of its own."""
    import ray

    threading.Event().wait(PATIENCE_SECONDS)
    if not ray.is_initialized():
        return  # the job has already ended
    unmet = unmet_requirements(pools, ray.nodes())
    if unmet:
        logger.warning(
            "still waiting after %.0f s for %s. `ray status` shows why the cluster does not grow: no such node is "
            "available, a limit is reached, or no node type fits",
            PATIENCE_SECONDS,
            "; ".join(unmet),
        )

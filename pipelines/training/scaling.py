"""What Ray books for the workers that train."""

from __future__ import annotations

import ray
import ray.train

from pipelines.runtime.cluster import is_autoscaling

WORKER_CPUS = 0.7
"""Share of the cluster's CPUs that all workers together book: the rest is for the tasks that load their batches."""

GPU_WORKER_CPUS = 1.0
"""CPUs that a worker books beside its GPU on a cluster whose nodes are still to come."""


def plan_scaling(workers: int) -> ray.train.ScalingConfig:
    """What Ray books for the workers: a GPU each where the cluster has GPUs, else a share of its CPUs.

    A cluster that scales by itself may have no node yet: each worker then asks for a GPU, which a node comes for.

    Raises:
        ValueError: more workers than GPUs, on a cluster of fixed size.
    """
    if is_autoscaling(ray.nodes()):
        return _scaling(workers, GPU_WORKER_CPUS, on_gpus=True)
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), resources.get("CPU", 0)
    if gpus and workers > gpus:
        raise ValueError(f"--workers is {workers} and the cluster has {gpus} GPUs: each worker takes one")
    return _scaling(workers, min(1.0, int(WORKER_CPUS * cpus / workers * 1000) / 1000), on_gpus=gpus > 0)


def _scaling(workers: int, cpus: float, *, on_gpus: bool) -> ray.train.ScalingConfig:
    return ray.train.ScalingConfig(
        num_workers=workers, use_gpu=on_gpus, resources_per_worker={"CPU": cpus} | ({"GPU": 1} if on_gpus else {})
    )

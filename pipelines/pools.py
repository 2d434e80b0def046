"""How many workers of each kind a cluster gets, and what each of them asks of Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace

READ_CPUS, INFER_CPUS, TASK_CPUS = 0.35, 0.2, 0.1
"""What Ray books for each worker. A reading worker really uses one core whenever it reads, and the model's threads use
what the others leave. Everything fits at once on the smallest machine, and from two CPUs on a whole one is left for
operators that stand before the pipeline: none waits for CPUs that the actors of another one hold for ever."""

PAGES_PER_BLOCK = 16
"""The most pages of one block: one task, one retry, one written file."""

BLOCKS_PER_READER = 4
"""A small job is cut finer, so that each reading worker has several blocks and none waits long for the last."""


@dataclass(frozen=True)
class Pools:
    """Sizes of the actor pools and what an actor or task books, in Ray's CPUs and GPUs.

    Attributes:
        infer_threads: threads of PyTorch in each model actor on a CPU.
    """

    read_actors: int
    read_cpus: float
    infer_actors: int
    infer_cpus: float
    infer_gpus: float
    infer_threads: int
    task_cpus: float


def plan_pools(
    cluster_cpus: float,
    cluster_gpus: float,
    *,
    node_cpus: float | None = None,
    read_workers: int | None = None,
    model_workers: int | None = None,
) -> Pools:
    """Pools that fit a cluster as it is now.

    Args:
        cluster_cpus: CPUs of the cluster; at least 1.
        cluster_gpus: its GPUs; each gets one model actor.
        node_cpus: CPUs of its largest node, for the threads of a model on a CPU; None where there is one node.
        read_workers: actors that render and read pages; None gives one a CPU.
        model_workers: actors that run the model; None gives one a GPU, or one for 16 CPUs.

    Raises:
        ValueError: no CPU, or fewer than one worker asked for.
    """
    if cluster_cpus < 1:
        raise ValueError(f"the cluster has {cluster_cpus:g} CPUs; at least 1 is needed")
    if any(workers is not None and workers < 1 for workers in (read_workers, model_workers)):
        raise ValueError("a stage needs at least one worker")
    cpus, gpus = int(cluster_cpus), int(cluster_gpus)
    read_actors = read_workers or cpus
    infer_actors = model_workers or gpus or -(-cpus // 16)
    return Pools(
        read_actors=read_actors,
        read_cpus=_booked(READ_CPUS * cpus / read_actors, READ_CPUS),
        infer_actors=infer_actors,
        infer_cpus=_booked(INFER_CPUS / 2 * cpus / infer_actors, INFER_CPUS),
        infer_gpus=1 / -(-infer_actors // gpus) if gpus else 0.0,
        infer_threads=max(1, int(min(cpus, node_cpus or cpus)) // infer_actors),
        task_cpus=TASK_CPUS,
    )


def fit_pools(pools: Pools, blocks: int) -> Pools:
    """No more actors than there are blocks for them."""
    return replace(pools, read_actors=min(pools.read_actors, blocks), infer_actors=min(pools.infer_actors, blocks))


def pages_per_block(pages: int, pools: Pools) -> int:
    """How many pages a block gets, for a job of so many."""
    return max(1, min(PAGES_PER_BLOCK, pages // (pools.read_actors * BLOCKS_PER_READER)))


def _booked(cpus: float, most: float) -> float:
    """Rounded down, for Ray counts in ten-thousandths of a CPU."""
    return min(most, int(cpus * 1000) / 1000)

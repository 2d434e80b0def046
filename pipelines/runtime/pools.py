"""How many workers of each kind a cluster gets, and what each of them asks of Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ray.data

POOL_LABEL, READING = "layoutlmv2/pool", "ocr"
"""Label of nodes that are kept for a stage, and its value for those that read."""

READ_CPUS, INFER_CPUS, TASK_CPUS = 0.35, 0.2, 0.1
"""What Ray books for each worker. A reading worker really uses one core whenever it reads, and the model's threads use
what the others leave. Everything fits at once on the smallest machine, and from two CPUs on a whole one is left for
operators that stand before the pipeline: none waits for CPUs that the actors of another one hold for ever."""

TYPED_READ_CPUS, TYPED_INFER_CPUS, TYPED_INFER_THREADS = 0.7, 0.1, 4
"""The same on nodes of types: a core's worth of reading leaves room for the tasks that merge and write, and for a model
beside the readers where there is no GPU."""

TYPED_READ_BYTES, TYPED_INFER_BYTES = 700_000_000, 2_000_000_000
"""Memory of a reading worker with its parser, where pages are as usual, and of a model's worker. Where a core has 2 GB,
of which Ray gives out 0.7, all fit that fit by their cores."""

MAX_READERS, MAX_MODELS = 320, 4
"""Workers of a cluster that grows, where the user does not say: 20 nodes of 16 cores, and 4 GPUs. What the cluster does
not give is not waited for: the job runs with those that come."""

PAGES_PER_BLOCK = 32
"""The most pages of one block until it is known that they are light: one task, one retry, one written file. Of heavy
pages that is 16 s of work."""

MAX_PAGES_PER_BLOCK, BLOCK_SECONDS = 128, 2.0
"""Of light pages, after a job's first round, a block is so many seconds of work, up to so many pages: Ray takes about a
tenth of a second of CPU for each block (`benchmarks/overhead.py`)."""

BLOCKS_PER_READER = 4
"""A small job is cut finer, so that each reading worker has several blocks and none waits long for the last."""

PAGES_PER_ROUND_AND_READER, MIN_PAGES_PER_ROUND, MAX_PAGES_PER_ROUND = 5_000, 20_000, 500_000
"""The most pages that Ray Data is given at once, and the bounds of that: the driver keeps something of every block
until Ray Data has done all that it was given, and the actors of each round start anew."""


@dataclass(frozen=True)
class Pools:
    """Sizes of the actor pools and what an actor or task books, in Ray's CPUs and GPUs.

    Attributes:
        read_actors, infer_actors: the most of them; without `..._first` exactly so many.
        infer_threads: threads of PyTorch in each model actor on a CPU.
        read_first, infer_first: actors that are asked for at the start, which nodes come for; the pools shrink to one
            and grow to the most as pages wait.
        read_bytes, infer_bytes: of memory that an actor books; None books none, for on one machine that saves nothing.
        read_labels: of the nodes that reading workers, and models without GPUs, are kept to; None is any node.
    """

    read_actors: int
    read_cpus: float
    infer_actors: int
    infer_cpus: float
    infer_gpus: float
    infer_threads: int
    task_cpus: float
    read_first: int | None = None
    infer_first: int | None = None
    read_bytes: int | None = None
    infer_bytes: int | None = None
    read_labels: dict[str, str] | None = None

    def read_strategy(self) -> ray.data.ActorPoolStrategy:
        """The pool of reading actors."""
        return _strategy(self.read_actors, self.read_first)

    def infer_strategy(self) -> ray.data.ActorPoolStrategy:
        """The pool of model actors."""
        return _strategy(self.infer_actors, self.infer_first)

    @property
    def infer_labels(self) -> dict[str, str] | None:
        """Of the nodes that models are kept to: a GPU is found by itself."""
        return None if self.infer_gpus else self.read_labels


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
    _check_workers(read_workers, model_workers)
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


def plan_autoscaling_pools(
    *, on_gpus: bool, read_workers: int | None = None, model_workers: int | None = None
) -> Pools:
    """Pools that follow a cluster whose nodes are of types, and may not be there yet.

    Args:
        on_gpus: the model runs on GPUs, and else beside the readers. One worker of it is asked for at the start, and
            more when pages wait for it.
        read_workers, model_workers: at most so many.

    Raises:
        ValueError: fewer than one worker asked for.
    """
    _check_workers(read_workers, model_workers)
    return Pools(
        read_actors=read_workers or MAX_READERS,
        read_cpus=TYPED_READ_CPUS,
        infer_actors=model_workers or MAX_MODELS,
        infer_cpus=TYPED_INFER_CPUS,
        infer_gpus=1.0 if on_gpus else 0.0,
        infer_threads=TYPED_INFER_THREADS,
        task_cpus=TASK_CPUS,
        read_first=read_workers or MAX_READERS,
        infer_first=1,
        read_bytes=TYPED_READ_BYTES,
        infer_bytes=TYPED_INFER_BYTES,
        read_labels={POOL_LABEL: READING},
    )


def cap_pools(pools: Pools, blocks: int) -> Pools:
    """No more actors than there are blocks for them; nodes are not asked for to read only a block or two."""
    first = pools.read_first and max(1, min(pools.read_first, -(-blocks // BLOCKS_PER_READER)))
    readers, models = min(pools.read_actors, blocks), min(pools.infer_actors, blocks)
    return replace(pools, read_actors=readers, infer_actors=models, read_first=first)


def pages_per_block(pages: int, pools: Pools) -> int:
    """How many pages a block gets, for a job of so many."""
    return max(1, min(PAGES_PER_BLOCK, pages // (pools.read_actors * BLOCKS_PER_READER)))


def pages_per_round(pages: int, pools: Pools, most: int | None = None) -> int:
    """How many pages Ray Data is given at once, the rounds of a job being as long as each other.

    Args:
        pages: of the whole job.
        most: pages of a round; None takes what serves.
    """
    if most is None:
        most = min(MAX_PAGES_PER_ROUND, max(MIN_PAGES_PER_ROUND, PAGES_PER_ROUND_AND_READER * pools.read_actors))
    rounds = max(1, -(-pages // most))
    return -(-pages // rounds)


def pages_per_later_block(block_pages: int, seconds_a_page: float) -> int:
    """How many pages a block gets when it is known what a page of this job takes: more of them where they are light."""
    if seconds_a_page <= 0:
        return block_pages
    return max(block_pages, min(MAX_PAGES_PER_BLOCK, int(BLOCK_SECONDS / seconds_a_page)))


def _check_workers(*asked: int | None) -> None:
    if any(workers is not None and workers < 1 for workers in asked):
        raise ValueError("a stage needs at least one worker")


def _strategy(most: int, first: int | None) -> ray.data.ActorPoolStrategy:
    import ray.data  # sizes are planned, and explained, without it

    if first is None:
        return ray.data.ActorPoolStrategy(size=most, max_tasks_in_flight_per_actor=2)
    return ray.data.ActorPoolStrategy(
        min_size=1, max_size=most, initial_size=max(1, min(first, most)), max_tasks_in_flight_per_actor=2
    )


def _booked(cpus: float, most: float) -> float:
    """Rounded down, for Ray counts in ten-thousandths of a CPU."""
    return min(most, int(cpus * 1000) / 1000)

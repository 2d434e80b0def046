"""How many workers of each kind run on a cluster, and the resources that each one requests from Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ray.data

POOL_LABEL, READING = "layoutlmv2/pool", "ocr"
"""Label of nodes that are reserved for a stage, and its value for the nodes that read pages."""

READ_CPUS, INFER_CPUS, TASK_CPUS = 0.35, 0.2, 0.1
"""CPUs that each worker requests. A reading worker actually uses one core while it reads, and the model's threads use
what is left. All workers fit at once on the smallest machine, and with two or more CPUs a whole one stays free for
operators before the pipeline: none waits for CPUs that the actors of another operator never release."""

TYPED_READ_CPUS, TYPED_INFER_CPUS, TYPED_INFER_THREADS = 0.7, 0.1, 4
"""The same on a cluster with node types: one reader per core leaves room for the tasks that merge and write, and for a
model beside the readers if there is no GPU."""

TYPED_READ_BYTES, TYPED_INFER_BYTES = 700_000_000, 2_000_000_000
"""Memory of a reading worker with its parser, for ordinary pages, and of a model worker. With 2 GB per core, of which
Ray offers 70%, memory does not limit how many workers fit on a node."""

MODEL_PROCESS_BYTES, TYPED_CPU_BYTES = 500_000_000, 1_400_000_000
"""Memory that a worker takes for running a model, without its weights (PyTorch's code and the tensors of a batch), and
what Ray offers for each CPU of a node with 2 GB per core."""

MAX_READERS, MAX_MODELS = 320, 4
"""Default maximum of workers on an autoscaling cluster: 20 nodes of 16 cores, and 4 GPUs. The job does not wait for
all of them: it runs with those that start."""

PAGES_PER_BLOCK = 32
"""Maximum pages of a block until they are known to be fast: one task, one retry, one written file. For slow pages that
is 16 s of work."""

MAX_PAGES_PER_BLOCK, BLOCK_SECONDS = 128, 2.0
"""After the first round of a job, a block of fast pages holds `BLOCK_SECONDS` of work, up to this many pages: Ray takes
0.12 s of CPU per block of three operators, and 0.01 s with one (`benchmarks/ray_alone.py`)."""

BLOCKS_PER_READER = 4
"""A small job has smaller blocks, so that each reading worker gets several and none waits long for the last one."""

PAGES_PER_ROUND_AND_READER, MIN_PAGES_PER_ROUND, MAX_PAGES_PER_ROUND = 5_000, 20_000, 500_000
"""How many pages Ray Data gets at once, and its bounds: the driver keeps metadata of every block until an execution
ends, and each round starts new actors."""


@dataclass(frozen=True)
class Pools:
    """Sizes of the actor pools, and the resources that an actor or task requests, in Ray's CPUs and GPUs.

    Attributes:
        read_actors, infer_actors: the maximum; the exact number if `..._first` is None.
        infer_threads: PyTorch's threads in each model actor on a CPU.
        read_first, infer_first: actors requested at the start, for which the cluster adds nodes; the pools shrink to
            one actor and grow to the maximum with the number of waiting pages.
        read_bytes, infer_bytes: memory that an actor requests; None requests none, which is enough on one machine.
        read_labels: labels of the nodes on which readers, and models without GPUs, run; None is any node.
        whole_pages: each reading actor also holds the model and merges, so that a page never leaves it; there are no
            other actors then.
        page_threads: PyTorch's threads in each such actor.
        page_bytes: memory that each such actor requests.
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
    whole_pages: bool = False
    page_threads: int = 1
    page_bytes: int | None = None

    def read_strategy(self) -> ray.data.ActorPoolStrategy:
        """The pool of reading actors."""
        return _strategy(self.read_actors, self.read_first)

    def infer_strategy(self) -> ray.data.ActorPoolStrategy:
        """The pool of model actors."""
        return _strategy(self.infer_actors, self.infer_first)

    @property
    def infer_labels(self) -> dict[str, str] | None:
        """Labels of the nodes on which models run; None with GPUs, whose nodes Ray finds without a label."""
        return None if self.infer_gpus else self.read_labels


def plan_pools(
    cluster_cpus: float,
    cluster_gpus: float,
    *,
    node_cpus: float | None = None,
    cpu_bytes: float | None = None,
    read_workers: int | None = None,
    model_workers: int | None = None,
    model_bytes: int = 0,
) -> Pools:
    """Pools that fit a cluster as it is now.

    Args:
        cluster_cpus: CPUs of the cluster; at least 1.
        cluster_gpus: its GPUs; each gets one model actor.
        node_cpus: CPUs of its largest node, for the threads of a model on a CPU; None for a single node.
        cpu_bytes: memory that Ray offers for each CPU, of the node that has the least; None is enough.
        read_workers: actors that render and read pages; None is one per CPU.
        model_workers: actors that run the model; None is one per GPU. Without GPUs, a number gives the model actors of
            its own, and None gives one to every reading actor, or one to 16 CPUs where memory does not allow that.
        model_bytes: memory of the model's weights.

    Raises:
        ValueError: the cluster has no CPU, or a number of workers is below one.
    """
    if cluster_cpus < 1:
        raise ValueError(f"the cluster has {cluster_cpus:g} CPUs; at least 1 is needed")
    _check_workers(read_workers, model_workers)
    cpus, gpus = int(cluster_cpus), int(cluster_gpus)
    read_actors = read_workers or cpus
    infer_actors = model_workers or gpus or -(-cpus // 16)
    page_bytes = _page_bytes(model_bytes)
    fits = cpu_bytes is None or read_actors * page_bytes <= cpus * cpu_bytes
    return Pools(
        read_actors=read_actors,
        read_cpus=_requested_cpus(READ_CPUS * cpus / read_actors, READ_CPUS),
        infer_actors=infer_actors,
        infer_cpus=_requested_cpus(INFER_CPUS / 2 * cpus / infer_actors, INFER_CPUS),
        infer_gpus=1 / -(-infer_actors // gpus) if gpus else 0.0,
        infer_threads=max(1, int(min(cpus, node_cpus or cpus)) // infer_actors),
        task_cpus=TASK_CPUS,
        whole_pages=not gpus and model_workers is None and fits,
        page_threads=max(1, int(min(cpus, node_cpus or cpus)) // read_actors),
    )


def plan_autoscaling_pools(
    *, on_gpus: bool, read_workers: int | None = None, model_workers: int | None = None, model_bytes: int = 0
) -> Pools:
    """Pools that grow and shrink with an autoscaling cluster with node types, whose nodes may not exist yet.

    Args:
        on_gpus: whether the model runs on GPUs or beside the readers. One model worker is requested at the start, and
            more when pages wait for it.
        read_workers, model_workers: the maximum; None is `MAX_READERS`, `MAX_MODELS`. Without GPUs, None gives a model
            to every reading actor if `TYPED_CPU_BYTES` allow that.
        model_bytes: memory of the model's weights.

    Raises:
        ValueError: a number of workers is below one.
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
        whole_pages=not on_gpus and model_workers is None and _page_bytes(model_bytes) <= TYPED_CPU_BYTES,
        page_bytes=_page_bytes(model_bytes),
    )


def cap_pools(pools: Pools, blocks: int) -> Pools:
    """Limit the actors to the number of blocks; no nodes are requested to read only a block or two."""
    first = pools.read_first and max(1, min(pools.read_first, -(-blocks // BLOCKS_PER_READER)))
    readers, models = min(pools.read_actors, blocks), min(pools.infer_actors, blocks)
    return replace(pools, read_actors=readers, infer_actors=models, read_first=first)


def pages_per_block(pages: int, pools: Pools) -> int:
    """Pages per block for a job of `pages` pages."""
    return max(1, min(PAGES_PER_BLOCK, pages // (pools.read_actors * BLOCKS_PER_READER)))


def pages_per_round(pages: int, pools: Pools, most: int | None = None) -> int:
    """How many pages Ray Data gets at once; the rounds of a job are equally long.

    Args:
        pages: of the whole job.
        most: maximum pages of a round; None depends on the number of readers.
    """
    if most is None:
        most = min(MAX_PAGES_PER_ROUND, max(MIN_PAGES_PER_ROUND, PAGES_PER_ROUND_AND_READER * pools.read_actors))
    rounds = max(1, -(-pages // most))
    return -(-pages // rounds)


def pages_per_later_block(block_pages: int, seconds_a_page: float) -> int:
    """Pages per block once the time per page of this job is known: more if the pages are fast."""
    if seconds_a_page <= 0:
        return block_pages
    return max(block_pages, min(MAX_PAGES_PER_BLOCK, int(BLOCK_SECONDS / seconds_a_page)))


def _page_bytes(model_bytes: int) -> int:
    """Memory of a worker that reads pages and holds a model of this size as well."""
    return TYPED_READ_BYTES + MODEL_PROCESS_BYTES + model_bytes


def _check_workers(*counts: int | None) -> None:
    if any(count is not None and count < 1 for count in counts):
        raise ValueError("a stage needs at least one worker")


def _strategy(maximum: int, first: int | None) -> ray.data.ActorPoolStrategy:
    import ray.data  # pools are planned, and explained, without it

    if first is None:
        return ray.data.ActorPoolStrategy(size=maximum, max_tasks_in_flight_per_actor=2)
    return ray.data.ActorPoolStrategy(
        min_size=1, max_size=maximum, initial_size=max(1, min(first, maximum)), max_tasks_in_flight_per_actor=2
    )


def _requested_cpus(cpus: float, maximum: float) -> float:
    """Rounded down to thousandths: Ray counts in ten-thousandths of a CPU."""
    return min(maximum, int(cpus * 1000) / 1000)

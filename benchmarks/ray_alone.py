"""What does Ray take by itself? CPU time by the second and by the block of one operator whose actors only sleep.

    python -m benchmarks.ray_alone [--pauses 0.8 0.15] [--seconds 15]

The actors are as many as the job's, and their pause is the time that a block takes; the CPU time of all processes is
counted between two blocks near the ends. Two pauses give the parts that go with time and with the number of blocks.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import tyro

from benchmarks.cpu_time import measured_cpu_time
from benchmarks.extraction_ways import CPUS, machine_load
from pipelines.runtime.pools import PAGES_PER_BLOCK, cap_pools, plan_pools

WARM_BLOCKS = 8
"""Blocks at the beginning that are not counted, for the actors start with them; half as many at the end."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.ray_alone`."""

    pauses: tuple[float, ...] = (0.8, 0.15)
    """Seconds of a block in an actor; at least two of them."""
    seconds: float = 15.0
    """About how long each is measured."""


class Pause:
    """Takes a time for a block, and nothing of a core."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, block: pa.Table) -> pa.Table:
        """Returns one row."""
        time.sleep(self.seconds)
        return pa.table({"pages": [block.num_rows]})


@dataclass(frozen=True)
class Taken:
    """What was counted: seconds by the clock, blocks, and CPU seconds by kind of process."""

    seconds: float
    blocks: int
    spent: Counter[str]


def measure(pause: float, seconds: float) -> Taken:
    """Send blocks through one operator, whose actors are as many as there are CPUs."""
    import ray.data

    counted = max(2, int(CPUS * seconds / pause))
    blocks = [pa.table({"page_index": range(PAGES_PER_BLOCK)})] * (WARM_BLOCKS + counted + WARM_BLOCKS // 2)
    pools = cap_pools(plan_pools(CPUS, 0), len(blocks))
    paused = ray.data.from_blocks(blocks).map_batches(
        Pause,
        fn_constructor_args=(pause,),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.read_cpus,
        compute=pools.read_strategy(),
    )
    with measured_cpu_time() as cpu:
        for number, _ in enumerate(paused.iter_batches(batch_size=None, batch_format="pyarrow"), start=1):
            if number == WARM_BLOCKS:
                cpu.mark()
                started = time.monotonic()
            if number == WARM_BLOCKS + counted:
                taken = Taken(time.monotonic() - started, counted, cpu.by_kind())
    return taken


def main() -> None:
    """Measure each pause, fit the two parts, print both."""
    options = tyro.cli(Options, description=__doc__)
    if len(options.pauses) < 2:
        raise SystemExit("give at least two --pauses: one cannot tell blocks from seconds")
    import ray

    from jobs.cli import connect_to_ray
    from pipelines.runtime.ray_data import set_data_context

    print(f"{machine_load()}\n\n| pause, s | blocks a second | CPU ms a second | by kind |\n|---|---|---|---|")
    connect_to_ray("local", workers_log=False)
    set_data_context()
    try:
        measured = [measure(pause, options.seconds) for pause in options.pauses]
    finally:
        ray.shutdown()
    for pause, taken in zip(options.pauses, measured, strict=True):
        each = {kind: 1000 * spent / taken.seconds for kind, spent in taken.spent.most_common()}
        kinds = ", ".join(f"{kind} {milliseconds:.1f}" for kind, milliseconds in each.items())
        print(f"| {pause:g} | {taken.blocks / taken.seconds:.2f} | {sum(each.values()):.0f} | {kinds} |")
    rows = np.array([[taken.seconds, taken.blocks] for taken in measured])
    spent = np.array([1000 * sum(taken.spent.values()) for taken in measured])
    (by_second, by_block), *_ = np.linalg.lstsq(rows, spent, rcond=None)
    print(f"\n{by_second:.0f} ms of CPU a second and {by_block:.1f} ms a block; at the end: {machine_load()}")


if __name__ == "__main__":
    main()

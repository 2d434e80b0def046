"""A program: blocks that are slow in the model, then blocks that are slow to read, on two GPUs that Ray only assumes.

Its last line is the number of model actors from beginning to end, without repetitions, as JSON.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import replace

import pyarrow as pa
import ray
import ray.data
from ray._private.state import actors

from pipelines.runtime.pools import PAGES_PER_BLOCK, plan_autoscaling_pools
from pipelines.runtime.ray_data import set_data_context

SLOW_MODEL, SLOW_READING = (0.02, 0.5), (1.0, 0.02)
"""Seconds that a block takes to be read, and the model."""


class Read:
    """A stage that takes the time that its block says."""

    column = "read"

    def __call__(self, block: pa.Table) -> pa.Table:
        time.sleep(block[self.column][0].as_py())
        return block


class Infer(Read):
    """The same for the model."""

    column = "infer"


def block_of(read: float, infer: float) -> pa.Table:
    """A block as long as the pipeline's."""
    return pa.table({"read": [read] * PAGES_PER_BLOCK, "infer": [infer] * PAGES_PER_BLOCK})


def main() -> None:
    """Run the pipeline and count."""
    ray.init(num_cpus=4, num_gpus=2, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    set_data_context()
    pools = replace(plan_autoscaling_pools(on_gpus=True, read_workers=2, model_workers=2), read_labels=None)
    blocks = [block_of(*SLOW_MODEL)] * 50 + [block_of(*SLOW_READING)] * 60
    read = ray.data.from_blocks(blocks).map_batches(
        Read,
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.read_cpus,
        memory=pools.read_bytes,
        compute=pools.read_strategy(),
    )
    inferred = read.map_batches(
        Infer,
        batch_size=PAGES_PER_BLOCK,
        batch_format="pyarrow",
        num_cpus=pools.infer_cpus,
        num_gpus=pools.infer_gpus,
        memory=pools.infer_bytes,
        compute=pools.infer_strategy(),
    )
    seen, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            alive = [actor["ActorClassName"] for actor in actors().values() if actor["State"] == "ALIVE"]
            models = sum(Infer.__name__ in name for name in alive)
            if models != seen[-1]:
                seen.append(models)

    watcher = threading.Thread(target=watch)
    watcher.start()
    pages = sum(1 for _ in inferred.iter_rows())
    ended.set()
    watcher.join()
    assert pages == len(blocks) * PAGES_PER_BLOCK
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

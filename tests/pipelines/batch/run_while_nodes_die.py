"""A run on a cluster of several nodes in this process, of which some are killed while it works.

python -m tests.pipelines.batch.run_while_nodes_die INPUT OUTPUT
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions


def main() -> None:
    source, output = sys.argv[1:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    doomed = [cluster.add_node(num_cpus=1)]
    cluster.wait_for_nodes()
    done, killed = threading.Event(), []

    def kill_nodes() -> None:
        while not done.is_set() and not list(Path(output).glob("pages/*.parquet")):
            time.sleep(0.05)
        while doomed and not done.is_set():
            cluster.remove_node(doomed.pop(), allow_graceful=False)
            killed.append(time.monotonic())
            cluster.add_node(num_cpus=1)

    killer = threading.Thread(target=kill_nodes)
    killer.start()
    record = run(RunOptions((source,), output, ExtractOptions(model="untrained")))
    done.set()
    killer.join()
    print(json.dumps({"status": record["status"], "nodes_killed": len(killed)}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()

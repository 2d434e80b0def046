"""What Ray books for the workers, on a cluster of fixed size and on a head that waits for its first node."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipelines.training.scaling import plan_scaling
from tests.conftest import REPOSITORY

ON_A_LONELY_HEAD = """
import json, logging, ray
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.training.scaling import plan_scaling
ray.init(address="local", num_cpus=0, include_dashboard=False, logging_level=logging.ERROR)
scaling, reading, models = plan_scaling(3), *(pools_for_cluster(None, None, device) for device in ("cpu", "auto"))
print(json.dumps([scaling.num_workers, scaling.use_gpu, scaling.resources_per_worker,
                  reading.read_first, reading.infer_gpus, models.infer_gpus]))
"""


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_workers_share_most_of_the_cpus_of_a_cluster_without_gpus() -> None:
    one, two, four = (plan_scaling(workers) for workers in (1, 2, 4))
    assert [scaling.num_workers for scaling in (one, two, four)] == [1, 2, 4]
    assert [scaling.resources_per_worker for scaling in (one, two, four)] == [
        {"CPU": 1.0},
        {"CPU": 0.7},
        {"CPU": 0.35},
    ]
    assert not any(scaling.use_gpu for scaling in (one, two, four))


def test_on_a_head_without_cpus_workers_ask_for_gpus_and_readers_for_nodes_to_come() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_LONELY_HEAD], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    workers, on_gpus, booked, readers, reading_gpus, model_gpus = json.loads(done.stdout.splitlines()[-1])
    assert (workers, on_gpus, booked) == (3, True, {"CPU": 1.0, "GPU": 1})
    assert readers > 0 and (reading_gpus, model_gpus) == (0.0, 1.0)

from __future__ import annotations

import pytest

from pipelines.pools import PAGES_PER_BLOCK, fit_pools, pages_per_block, plan_pools


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 16, 64, 200])
@pytest.mark.parametrize("gpus", [0, 1, 4])
def test_all_pools_fit_the_cluster_at_once_and_leave_room_for_tasks(cpus: int, gpus: int) -> None:
    pools = plan_pools(cpus, gpus)
    held = pools.read_actors * pools.read_cpus + pools.infer_actors * pools.infer_cpus
    left_for_others = 1 if cpus > 1 else 0
    assert held + pools.task_cpus + left_for_others <= cpus + 1e-9
    assert pools.infer_actors * pools.infer_gpus <= gpus
    assert min(pools.read_actors, pools.infer_actors, pools.infer_threads) >= 1
    assert min(pools.read_cpus, pools.infer_cpus, pools.task_cpus) > 0


def test_each_cpu_reads_and_each_gpu_infers() -> None:
    pools = plan_pools(16, 2)
    assert (pools.read_actors, pools.infer_actors, pools.infer_gpus) == (16, 2, 1.0)


def test_sizes_that_are_asked_for_are_taken() -> None:
    pools = plan_pools(8, 0, read_workers=3, model_workers=2)
    assert (pools.read_actors, pools.infer_actors, pools.infer_threads) == (3, 2, 4)


@pytest.mark.parametrize("arguments", [{"read_workers": 0}, {"model_workers": 0}])
def test_a_stage_without_workers_is_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        plan_pools(2, 0, **arguments)


def test_a_cluster_without_cpus_is_refused() -> None:
    with pytest.raises(ValueError, match="0 CPUs"):
        plan_pools(0, 0)


def test_small_jobs_are_cut_finer_and_large_ones_into_even_blocks() -> None:
    pools = plan_pools(2, 0)
    assert pages_per_block(3, pools) == 1
    assert pages_per_block(40, pools) == 5
    assert pages_per_block(10_000, pools) == PAGES_PER_BLOCK


def test_no_actor_waits_without_a_block() -> None:
    pools = fit_pools(plan_pools(16, 4), blocks=3)
    assert (pools.read_actors, pools.infer_actors) == (3, 3)

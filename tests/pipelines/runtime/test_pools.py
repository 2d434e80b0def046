from __future__ import annotations

from typing import Any

import pytest

from pipelines.runtime.cluster import unmet_requirements
from pipelines.runtime.pools import (
    MAX_PAGES_PER_BLOCK,
    MAX_PAGES_PER_ROUND,
    MIN_PAGES_PER_ROUND,
    PAGES_PER_BLOCK,
    POOL_LABEL,
    cap_pools,
    pages_per_block,
    pages_per_later_block,
    pages_per_round,
    plan_autoscaling_pools,
    plan_pools,
)


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


@pytest.mark.parametrize(
    ("gpus", "arguments", "whole_pages"),
    [
        (0, {}, True),
        (0, {"read_workers": 3}, True),
        (0, {"cpu_bytes": 1.5e9, "model_bytes": 100_000_000}, True),
        (0, {"cpu_bytes": 1.5e9, "model_bytes": 800_000_000}, False),
        (0, {"cpu_bytes": 1.5e9, "model_bytes": 800_000_000, "read_workers": 4}, True),
        (0, {"model_workers": 1}, False),
        (1, {}, False),
    ],
)
def test_each_actor_does_whole_pages_without_gpus_where_memory_allows_a_model_in_each(
    gpus: int, arguments: dict[str, Any], whole_pages: bool
) -> None:
    assert plan_pools(8, gpus, **arguments).whole_pages is whole_pages


@pytest.mark.parametrize(("readers", "threads"), [(None, 1), (4, 2), (1, 8), (20, 1)])
def test_the_models_of_actors_for_whole_pages_share_the_cores_of_a_node(readers: int | None, threads: int) -> None:
    pools = plan_pools(16, 0, node_cpus=8, read_workers=readers)
    assert pools.page_threads == threads


def test_requested_sizes_are_used() -> None:
    pools = plan_pools(8, 0, read_workers=3, model_workers=2)
    assert (pools.read_actors, pools.infer_actors, pools.infer_threads) == (3, 2, 4)


@pytest.mark.parametrize("arguments", [{"read_workers": 0}, {"model_workers": 0}])
def test_a_stage_without_workers_is_rejected(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        plan_pools(2, 0, **arguments)


def test_a_cluster_without_cpus_is_rejected() -> None:
    with pytest.raises(ValueError, match="0 CPUs"):
        plan_pools(0, 0)


def test_blocks_of_small_jobs_are_smaller_and_those_of_large_jobs_full() -> None:
    pools = plan_pools(2, 0)
    assert pages_per_block(3, pools) == 1
    assert pages_per_block(40, pools) == 5
    assert pages_per_block(10_000, pools) == PAGES_PER_BLOCK


@pytest.mark.parametrize(("pages", "readers"), [(1, 2), (20_001, 2), (3_000_000, 2), (3_000_000, 320)])
def test_rounds_are_bounded_and_equally_long(pages: int, readers: int) -> None:
    size = pages_per_round(pages, plan_pools(readers, 0))
    assert size <= (MAX_PAGES_PER_ROUND if readers > 100 else MIN_PAGES_PER_ROUND)
    rounds = -(-pages // size)
    assert pages - size * (rounds - 1) > size - rounds, "the last round is not short"
    assert pages_per_round(10, plan_pools(readers, 0), most=4) == 4


@pytest.mark.parametrize(("seconds", "pages"), [(0.0, 32), (0.5, 32), (0.04, 50), (0.001, MAX_PAGES_PER_BLOCK)])
def test_later_blocks_are_longer_if_pages_are_fast(seconds: float, pages: int) -> None:
    assert pages_per_later_block(32, seconds) == pages


def test_there_are_no_more_actors_than_blocks() -> None:
    pools = cap_pools(plan_pools(16, 4), blocks=3)
    assert (pools.read_actors, pools.infer_actors) == (3, 3)


def node(*, alive: bool = True, pool: str | None = None, **resources: float) -> dict[str, object]:
    """A node as `ray.nodes` returns it."""
    return {"Alive": alive, "Labels": {} if pool is None else {POOL_LABEL: pool}, "Resources": resources}


def test_pools_of_an_autoscaling_cluster_have_a_minimum_an_initial_size_and_a_maximum() -> None:
    pools = cap_pools(plan_autoscaling_pools(on_gpus=True, read_workers=64, model_workers=3), blocks=40)
    reading, model = pools.read_strategy(), pools.infer_strategy()
    assert (reading.min_size, reading.initial_size, reading.max_size) == (1, 10, 40)
    assert (model.min_size, model.initial_size, model.max_size) == (1, 1, 3)
    assert pools.read_labels == {POOL_LABEL: "ocr"} and pools.infer_labels is None and pools.infer_gpus == 1


def test_without_gpus_the_model_runs_beside_the_readers_and_all_fits_on_a_core() -> None:
    pools = plan_autoscaling_pools(on_gpus=False)
    assert pools.infer_labels == pools.read_labels and pools.infer_gpus == 0
    assert pools.read_cpus + pools.infer_cpus + pools.task_cpus <= 1


@pytest.mark.parametrize(
    ("arguments", "whole_pages"),
    [
        ({"on_gpus": False, "model_bytes": 100_000_000}, True),
        ({"on_gpus": False, "model_bytes": 800_000_000}, False),
        ({"on_gpus": False, "model_workers": 2}, False),
        ({"on_gpus": True}, False),
    ],
)
def test_readers_of_an_autoscaling_cluster_hold_a_small_model(arguments: dict[str, Any], whole_pages: bool) -> None:
    pools = plan_autoscaling_pools(**arguments)
    assert pools.whole_pages is whole_pages
    assert pools.page_bytes == 1_200_000_000 + arguments.get("model_bytes", 0)


def test_a_fixed_cluster_has_fixed_pools_without_labels() -> None:
    pools = plan_pools(8, 0)
    assert (pools.read_strategy().min_size, pools.read_strategy().max_size) == (8, 8)
    assert pools.read_labels is None and pools.infer_labels is None


def test_unmet_requirements_are_named() -> None:
    pools = plan_autoscaling_pools(on_gpus=True)
    head, reader, gpu = node(CPU=0.0), node(pool="ocr", CPU=16.0, memory=2e10), node(CPU=4.0, GPU=1.0, memory=1e10)
    assert unmet_requirements(pools, [head, reader, gpu]) == []
    [reading, model] = unmet_requirements(pools, [head])
    assert "layoutlmv2/pool=ocr" in reading and "1 GPU" in model
    assert unmet_requirements(pools, [head, gpu]) == [reading]
    assert unmet_requirements(pools, [head, reader, node(alive=False, GPU=1.0)]) == [model]
    assert unmet_requirements(pools, [head, gpu, node(pool="ocr", CPU=16.0, memory=5e8)]) == [reading]
    assert "0.7 GB of memory" in reading and "2 GB of memory" in model
    small = node(pool="ocr", CPU=16.0, memory=1e9)
    apart, whole = (plan_autoscaling_pools(on_gpus=False, model_workers=workers) for workers in (4, None))
    assert unmet_requirements(apart, [head, reader]) == unmet_requirements(whole, [head, reader]) == []
    [model] = unmet_requirements(apart, [head, small])
    assert "2 GB of memory on a node for reading" in model
    [reading] = unmet_requirements(whole, [head, small])
    assert "0.7 CPU and 1.2 GB of memory" in reading


@pytest.mark.parametrize("arguments", [{"read_workers": 0}, {"model_workers": 0}])
def test_an_autoscaling_stage_without_workers_is_rejected(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        plan_autoscaling_pools(on_gpus=True, **arguments)

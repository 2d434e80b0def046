from __future__ import annotations

from dataclasses import replace

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.planning.corpus_sample import CorpusSample, mean_seconds
from pipelines.planning.fleet import Fleet, NodeType, Prices, Workload
from pipelines.planning.search import Limits, Planner
from pipelines.planning.shared_cores import SharedCores
from pipelines.planning.simulation import Outcome, simulate
from pipelines.planning.stage_costs import (
    SHIPPED,
    PageSeconds,
    StageCosts,
    on_faster_cores,
    stage_costs_of_run,
    with_gpu_seconds,
)
from pipelines.runtime.pools import PAGES_PER_BLOCK

CALM = Prices(NodeType(16, 0.3, 300.0), NodeType(1, 1.0, 300.0), head_price=0.2, idle_seconds=0.0)
FEW_NODES = {"ocr_nodes": 40, "gpu_nodes": 10}
"""More than the plans take, and few enough to be searched soon."""
STORMY = replace(CALM, ocr=replace(CALM.ocr, losses_per_hour=3.0), gpu=replace(CALM.gpu, losses_per_hour=3.0))


def hours(workload: Workload, fleet: Fleet, prices: Prices = CALM, figures: StageCosts = SHIPPED) -> float:
    return simulate(workload, figures, prices, fleet).hours


def test_work_on_a_shared_processor_is_slowed_down_only_by_what_it_shares() -> None:
    environment = simpy.Environment()
    processor = SharedCores(environment, count=2)
    ends: dict[str, float] = {}

    def worker(name: str, begin: float, seconds: float, demand: float) -> simpy.events.ProcessGenerator:
        yield environment.timeout(begin)
        yield processor.start(seconds, demand).done
        ends[name] = environment.now

    for work in (("alone", 0.0, 4.0, 1.0), ("both cores", 2.0, 4.0, 2.0)):
        environment.process(worker(*work))
    environment.run()
    # From 2 s on three cores are wanted of two: each gets two thirds of a second a second.
    assert ends == {"alone": pytest.approx(5.0), "both cores": pytest.approx(5.0)}
    assert processor.busy_seconds == pytest.approx(8.0)


def test_a_job_without_chance_takes_what_arithmetic_says() -> None:
    page = PageSeconds(0.0, 0.0, ocr=1.0, tokenize=0.0, infer_cpu=0.5, infer_gpu=0.25, merge=0.0)
    figures = StageCosts(page, page, 0.0, block=2.0, whole_block=1.0, node_cores=0.0, read_start=3.0, infer_start=0.5)
    prices = Prices(NodeType(1, 1.0, start_seconds=60.0), NodeType(1, 10.0, start_seconds=60.0), idle_seconds=0.0)
    workload = Workload(16, 1, 16, 0)
    varied = CorpusSample(workload, figures, "gpu", seed=0).seconds(0, 16)[0]
    assert simulate(workload, figures, prices, Fleet(1, 1)).seconds == pytest.approx(60 + 3 + varied + 16 * 0.25)
    without_block = varied - 16 / 32 * 2.0
    whole_pages = simulate(workload, figures, prices, Fleet(1, 0)).seconds
    work = 3 + 0.5 + without_block + 16 / 32 * 1.0 + 16 * 0.5
    assert whole_pages == pytest.approx(60 + work)
    shared = replace(figures, node_cores=0.2)
    assert simulate(workload, shared, prices, Fleet(1, 0)).seconds == pytest.approx(60 + work / 0.8)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("skew", [0.0, 1.0, 2.0])
def test_the_slice_has_the_share_of_scanned_pages_that_was_asked_for(fraction: float, skew: float) -> None:
    workload = Workload(1_000_000, fraction, 12, skew)
    corpus = CorpusSample(workload, SHIPPED, "cpu", seed=1)
    assert corpus.scanned_pages(0, workload.pages) / workload.pages == pytest.approx(fraction, abs=0.02)
    assert 0 <= corpus.scanned_pages(12_345, 16) <= 16 + 1e-6


@settings(max_examples=25, deadline=None)
@given(
    pages=st.integers(1, 200_000),
    fraction=st.floats(0, 1),
    mean=st.floats(1, 200),
    fleet=st.builds(Fleet, st.integers(1, 12), st.integers(0, 3)),
    stormy=st.booleans(),
)
def test_no_job_is_faster_than_its_work_allows_and_each_ends(
    pages: int, fraction: float, mean: float, fleet: Fleet, stormy: bool
) -> None:
    workload = Workload(pages, fraction, mean)
    outcome = simulate(workload, SHIPPED, STORMY if stormy else CALM, fleet)
    read, infer = mean_seconds(workload, SHIPPED, fleet.model_on)
    least = max(read / (16 * fleet.ocr), infer / (fleet.gpu or 16 * fleet.ocr))
    spread = 0.8 if workload.blocks > 1000 else 0.0  # few blocks may all be of the cheap kind
    assert outcome.seconds >= 300 + spread * least
    assert all(0 <= share <= 1 + 1e-6 for share in outcome.busy.values())
    assert outcome.cost > 0


def test_a_large_job_is_as_long_as_its_means_say() -> None:
    workload = Workload(10_000_000, 0.5, 10)
    read, infer = mean_seconds(workload, SHIPPED, "cpu")
    assert simulate(workload, SHIPPED, CALM, Fleet(20, 0)).seconds == pytest.approx(
        300 + (read + infer) / 320, rel=0.04
    )


def test_a_billion_pages_on_hundreds_of_nodes_are_simulated_too() -> None:
    workload = Workload(1_000_000_000, 0.5, 10)
    read, _ = mean_seconds(workload, SHIPPED, "gpu")
    outcome = simulate(workload, SHIPPED, CALM, Fleet(300, 200))
    assert outcome.seconds == pytest.approx(300 + read / 4800, rel=0.08)


def test_lost_nodes_cost_time_and_nothing_else() -> None:
    workload = Workload(300_000, 1.0, 10)
    calm, stormy = (simulate(workload, SHIPPED, prices, Fleet(4, 1)) for prices in (CALM, STORMY))
    assert stormy.losses > 0 and stormy.blocks_again > 0 and calm.losses == calm.blocks_again == 0
    assert calm.seconds < stormy.seconds < 3 * calm.seconds


def test_what_is_short_decides_the_hours() -> None:
    slow_gpu = with_gpu_seconds(SHIPPED, 0.5)
    workload = Workload(200_000, 1.0, 10)
    assert hours(workload, Fleet(8, 1), figures=slow_gpu) == pytest.approx(
        hours(workload, Fleet(16, 1), figures=slow_gpu), rel=0.02
    )
    assert hours(workload, Fleet(8, 2), figures=slow_gpu) < 0.6 * hours(workload, Fleet(8, 1), figures=slow_gpu)
    assert hours(workload, Fleet(2, 1)) == pytest.approx(hours(workload, Fleet(2, 2)), rel=0.02)


def planned(workload: Workload, limits: Limits, figures: StageCosts = SHIPPED, prices: Prices = CALM) -> Planner:
    return Planner(workload, figures, prices, limits)


def test_the_plan_meets_the_deadline_and_nothing_cheaper_around_it_does() -> None:
    planner = planned(Workload(200_000, 0.7, 10), Limits(hours=0.5, model_on="gpu", **FEW_NODES))
    plan = planner.plan()
    assert plan.meets_deadline and plan.best.outcome.hours <= 0.5
    ocr, gpu = plan.best.fleet.ocr, plan.best.fleet.gpu
    for fleet in (Fleet(ocr + 1, gpu), Fleet(ocr, gpu + 1), Fleet(ocr - 1, gpu)):
        outcome: Outcome = planner.simulated(fleet).outcome
        assert outcome.hours > 0.5 or outcome.cost >= 0.97 * plan.best.outcome.cost
    assert plan.one_more["ocr"].fleet == Fleet(ocr + 1, gpu) and plan.one_more["gpu"].fleet == Fleet(ocr, gpu + 1)


def test_a_tighter_deadline_takes_more_nodes_and_a_dear_gpu_none() -> None:
    workload, most = Workload(30_000, 0.7, 10), {"ocr_nodes": 8, "gpu_nodes": 2}
    tight, loose = (planned(workload, Limits(hours=limit, **most)).plan().best.fleet for limit in (0.2, 1.0))
    assert tight.ocr > loose.ocr
    dear = replace(CALM, gpu=replace(CALM.gpu, price=1000.0))
    assert planned(workload, Limits(hours=1, **most), prices=dear).plan().best.fleet.gpu == 0
    cheap = replace(CALM, gpu=replace(CALM.gpu, price=0.01))
    assert planned(workload, Limits(hours=1, **most), prices=cheap).plan().best.fleet.gpu > 0


def test_a_deadline_that_no_fleet_meets_is_told_with_the_fastest() -> None:
    plan = planned(Workload(2_000_000, 0.7, 10), Limits(hours=0.2, ocr_nodes=4, gpu_nodes=1)).plan()
    assert not plan.meets_deadline
    assert plan.best.fleet.ocr == 4


def record_of_run(infer_gpus: float = 0.0) -> dict[str, object]:
    return {
        "run_id": "a-run",
        "finished": "2026-11-23T00:00:00+00:00",
        "pools": {"infer_gpus": infer_gpus},
        "pages": {"by_text_source": {"ocr": 80, "layer": 20}},
        "seconds": {"by_stage": {"rasterize": 2.0, "ocr": 160.0, "infer": 10.0}},
    }


def test_the_figures_of_a_run_give_its_seconds_back() -> None:
    figures = stage_costs_of_run(record_of_run())
    assert figures.scanned.ocr == pytest.approx(2.0) and figures.layer.ocr == 0
    assert figures.scanned.rasterize == pytest.approx(0.02)
    assert 80 * figures.scanned.infer_cpu + 20 * figures.layer.infer_cpu == pytest.approx(10.0)
    assert figures.scanned.infer_gpu == SHIPPED.scanned.infer_gpu and "scanned.infer_gpu" in figures.assumed()
    on_gpu = stage_costs_of_run(record_of_run(infer_gpus=1.0))
    assert 80 * on_gpu.scanned.infer_gpu + 20 * on_gpu.layer.infer_gpu == pytest.approx(10.0)
    assert "scanned.infer_gpu" not in on_gpu.assumed()


@pytest.mark.parametrize("missing", ["seconds", "pages", "pools"])
def test_the_record_of_an_unfinished_run_is_refused(missing: str) -> None:
    record = record_of_run()
    del record[missing]
    with pytest.raises(ValueError, match="not the record of a finished run"):
        stage_costs_of_run(record)


def test_the_planned_blocks_are_those_of_the_job() -> None:
    assert Workload(1, 0, 1).pages_per_block == PAGES_PER_BLOCK


def test_faster_cores_leave_the_gpu_as_it_is() -> None:
    faster = on_faster_cores(SHIPPED, 2.0)
    assert faster.scanned.read == pytest.approx(SHIPPED.scanned.read / 2)
    assert faster.scanned.infer_gpu == SHIPPED.scanned.infer_gpu

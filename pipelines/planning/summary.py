"""A plan as JSON and as text."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from pipelines.planning.fleet import Prices, Workload
from pipelines.planning.origins import grouped, origins_as_text
from pipelines.planning.pretraining import pretraining_as_text
from pipelines.planning.search import Limits, Plan, Point
from pipelines.planning.stage_costs import StageCosts
from pipelines.planning.storage_requests import BYTES_A_PAGE, PASSES, storage_requests

DRIVER_BYTES_A_PAGE, DRIVER_BYTES_A_DOCUMENT = 2, 250
"""Upper bounds of what a run's driver holds for each in memory (`benchmarks/RESULTS.md`)."""

MILLION = 1_000_000


def plan_as_json(
    plan: Plan, workload: Workload, costs: StageCosts, prices: Prices, limits: Limits, head_gigabytes: float
) -> dict[str, Any]:
    """The plan, the fleets around it, and everything that they are computed from."""
    return {
        "status": "planned" if plan.meets_deadline else "impossible",
        "plan": _point(plan.best, workload),
        "bottleneck": plan.bottleneck,
        "one_more": {
            kind: {
                **_point(point, workload),
                "hours_change": round(point.outcome.hours - plan.best.outcome.hours, 4),
                "cost_change": round(point.outcome.cost - plan.best.outcome.cost, 4),
            }
            for kind, point in plan.one_more.items()
        },
        "curve": [_point(point, workload) for point in plan.curve],
        "jobs": jobs_needed(workload, head_gigabytes),
        "requests": _requests(workload, prices),
        "workload": asdict(workload),
        "market": asdict(prices),
        "limits": asdict(limits),
        "figures": {name: value for name, value in asdict(costs).items() if name != "origins"},
        "origins": grouped(costs.origins),
        "assumptions": assumptions(workload, prices),
    }


def jobs_needed(workload: Workload, head_gigabytes: float) -> int:
    """The number of jobs into which the input has to be split, so that a driver fits in half of the head's memory."""
    held = workload.pages * DRIVER_BYTES_A_PAGE + workload.documents * DRIVER_BYTES_A_DOCUMENT
    return max(1, math.ceil(held / (head_gigabytes / 2 * 1e9)))


def assumptions(workload: Workload, prices: Prices) -> list[str]:
    """The assumptions of a plan beside its figures, as sentences."""
    lines = [
        f"pages a document: log-normal, mean {workload.pages_per_document:g}, sigma {workload.skew:g}; a document is "
        f"scanned whole or not at all, {workload.scanned_fraction:.0%} of the pages are",
        f"a node always starts {prices.ocr.start_seconds:g} s (ocr) or {prices.gpu.start_seconds:g} s (gpu) after its "
        f"request, and stays {prices.idle_seconds:g} s after its last work",
        f"losses an hour and node: {prices.ocr.losses_per_hour:g} (ocr), {prices.gpu.losses_per_hour:g} (gpu); what a "
        "lost node had started is done again, what it had finished is kept",
        f"{PASSES} passes over the output, before the first page and after the last; {BYTES_A_PAGE:,} bytes a page",
        "storage and network are never the bottleneck, and added cores work as well as the first",
        "one run of the simulation: losses are drawn once, with equal probabilities for all fleets",
    ]
    if workload.blocks > MILLION // 10:
        lines.append("a unit of the simulation is many blocks; the documents are a sample of 20,000, repeated")
    return lines


def plan_as_text(summary: dict[str, Any]) -> str:
    """The main points of `plan_as_json` as text."""
    plan, workload, limits, requests = (summary[name] for name in ("plan", "workload", "limits", "requests"))
    lines = [
        f"{workload['pages']:,} pages, {workload['scanned_fraction']:.0%} scanned, deadline {limits['hours']:g} h",
        "",
        f"  ocr nodes            {plan['ocr_nodes']}",
        f"  gpu nodes            {plan['gpu_nodes']}" + ("" if plan["gpu_nodes"] else "  (the model on the ocr nodes)"),
        f"  hours                {plan['hours']:.2f}",
        f"  cost                 ${plan['cost']:,.2f}",
        f"  for a million pages  ${plan['cost_per_million_pages']:,.2f}",
        f"  busy                 ocr {plan['busy']['ocr']:.0%}"
        + (f", gpu {plan['busy']['gpu']:.0%}" if plan["gpu_nodes"] else ""),
        f"  nodes lost           {plan['nodes_lost']}, {plan['blocks_again']} blocks done again",
        f"  bottleneck           {summary['bottleneck']}",
        f"  requests             {requests['puts']:,} that write or list, {requests['gets']:,} that read: "
        f"${requests['cost']:,.2f}",
        f"  output               {requests['files']:,} files of pages; a later run's pass over them takes "
        f"{requests['pass_requests']:,} requests, about {requests['pass_seconds']:,.0f} s",
    ]
    for kind, more in summary["one_more"].items():
        change = f"{60 * more['hours_change']:+.1f} min, {more['cost_change']:+,.2f} $"
        lines.append(f"  one more {kind} node    {change}")
    if summary["status"] == "impossible":
        lines.insert(1, "NO ALLOWED FLEET MEETS THE DEADLINE; the fastest that was found:")
    if summary["jobs"] > 1:
        lines += ["", f"The driver keeps some bytes of each document: split the input into {summary['jobs']} jobs."]
    assumed = list(summary["assumptions"])
    if "pretraining" in summary:
        lines += ["", "Pre-training on the extracted pages:", ""]
        lines += pretraining_as_text(summary["pretraining"])
        assumed += summary["pretraining"]["assumptions"]
    lines += ["", "Seconds:", *(f"  - {line}" for line in origins_as_text(summary["origins"]))]
    return "\n".join([*lines, "", "Assumptions:", *(f"  - {line}" for line in assumed)])


def _requests(workload: Workload, prices: Prices) -> dict[str, Any]:
    requests = storage_requests(workload)
    return asdict(requests) | {"cost": round(requests.cost(prices.put_price, prices.get_price), 2)}


def _point(point: Point, workload: Workload) -> dict[str, Any]:
    outcome = point.outcome
    return {
        "ocr_nodes": point.fleet.ocr,
        "gpu_nodes": point.fleet.gpu,
        "hours": round(outcome.hours, 4),
        "listing_hours": round(outcome.listing_seconds / 3600, 4),
        "cost": round(outcome.cost, 4),
        "cost_per_million_pages": round(outcome.cost / workload.pages * MILLION, 4),
        "node_hours": {kind: round(hours, 3) for kind, hours in outcome.node_hours.items()},
        "busy": {kind: round(share, 4) for kind, share in outcome.busy.items()},
        "nodes_lost": outcome.losses,
        "blocks_again": outcome.blocks_again,
    }

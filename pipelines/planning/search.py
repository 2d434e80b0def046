"""The cheapest fleet that meets a deadline: estimates choose the fleets to simulate, the simulation decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pipelines.planning.corpus_sample import mean_seconds
from pipelines.planning.fleet import Fleet, Prices, Workload
from pipelines.planning.simulation import Outcome, simulate
from pipelines.planning.stage_costs import StageCosts

ModelChoice = Literal["auto", "gpu", "cpu"]

CANDIDATES = 8
"""Fleets to simulate, the cheapest by the estimate first; more if none of them meets the deadline."""

CURVE_POINTS = 12
STEP = 1.12
"""The factor between the sizes of fleets that are considered; the step is at least one node."""

MAX_CORRECTIONS = 25
"""How often a fleet that is slightly late is enlarged before another one is tried."""


@dataclass(frozen=True)
class Limits:
    """The limits of a plan.

    Attributes:
        hours: the deadline, from the submission of the job.
        ocr_nodes, gpu_nodes: upper bounds, inclusive.
        model_on: the device of the model; "auto" chooses the cheaper one.
    """

    hours: float
    ocr_nodes: int = 5000
    gpu_nodes: int = 1000
    model_on: ModelChoice = "auto"


@dataclass(frozen=True)
class Point:
    """A fleet and the outcome of the job on it."""

    fleet: Fleet
    outcome: Outcome


@dataclass(frozen=True)
class Plan:
    """The result of a search.

    Attributes:
        best: the cheapest fleet that meets the deadline; if none does, the fastest that was tried.
        meets_deadline: whether it does.
        bottleneck: the node type that is busier, or "start" if most of the job is spent waiting for nodes.
        one_more: the plan with one more node, by node type.
        curve: the cheapest fleets for other job lengths, by hours.
    """

    best: Point
    meets_deadline: bool
    bottleneck: str
    one_more: dict[str, Point]
    curve: tuple[Point, ...]


class Planner:
    """Plans for a workload, costs and prices."""

    def __init__(self, workload: Workload, costs: StageCosts, prices: Prices, limits: Limits, *, seed: int = 0) -> None:
        self.workload, self.costs, self.prices, self.limits, self.seed = workload, costs, prices, limits, seed
        self.simulated = lru_cache(maxsize=None)(self._simulated)

    def plan(self) -> Plan:
        """Search for the best fleet, then simulate the fleets around it.

        Raises:
            ValueError: the limits allow no fleet.
        """
        fleets = self._fleets()
        if not fleets:
            raise ValueError("no fleet is allowed: give at least one ocr node, and a gpu node for --model-on gpu")
        best = self._cheapest_in_time(fleets)
        meets = best.outcome.hours <= self.limits.hours
        fleet = best.fleet
        one_more = {"ocr": self.simulated(Fleet(fleet.ocr + 1, fleet.gpu))}
        if fleet.gpu:
            one_more["gpu"] = self.simulated(Fleet(fleet.ocr, fleet.gpu + 1))
        return Plan(best, meets, self._bottleneck(best), one_more, self._curve(fleets, best))

    def _simulated(self, fleet: Fleet) -> Point:
        return Point(fleet, simulate(self.workload, self.costs, self.prices, fleet, seed=self.seed))

    def _fleets(self) -> list[Fleet]:
        """Fleets of all useful sizes: none has more cores or GPUs than there are blocks."""
        blocks, prices = self.workload.blocks, self.prices
        ocr = _sizes(min(self.limits.ocr_nodes, -(-blocks // prices.ocr.units)))
        gpu = _sizes(min(self.limits.gpu_nodes, -(-blocks // prices.gpu.units)))
        model_nodes = {"auto": [0, *gpu], "gpu": gpu, "cpu": [0]}[self.limits.model_on]
        return [Fleet(readers, models) for readers in ocr for models in model_nodes]

    def estimate(self, fleet: Fleet) -> tuple[float, float]:
        """Hours and cost by the expected seconds alone, without queues, losses and stragglers."""
        read, infer = mean_seconds(self.workload, self.costs, fleet.model_on)
        ocr, gpu = self.prices.ocr, self.prices.gpu
        if fleet.gpu:
            seconds = max(
                ocr.start_seconds + read / (fleet.ocr * ocr.units), gpu.start_seconds + infer / (fleet.gpu * gpu.units)
            )
        else:
            seconds = ocr.start_seconds + (read + infer) / (fleet.ocr * ocr.units)
        paid = (seconds + self.prices.idle_seconds) / 3600
        return seconds / 3600, paid * (fleet.ocr * ocr.price + fleet.gpu * gpu.price + self.prices.head_price)

    def _cheapest_in_time(self, fleets: list[Fleet]) -> Point:
        in_time = sorted(
            (fleet for fleet in fleets if self.estimate(fleet)[0] <= self.limits.hours),
            key=lambda fleet: self.estimate(fleet)[1],
        )
        points = [self._corrected(fleet) for fleet in in_time[:CANDIDATES]]
        good = [point for point in points if point.outcome.hours <= self.limits.hours]
        if good:
            return min(good, key=lambda point: (point.outcome.cost, point.outcome.hours))
        for fleet in in_time[CANDIDATES:]:
            point = self._corrected(fleet)
            if point.outcome.hours <= self.limits.hours:
                return point
            points.append(point)
            if len(points) >= 3 * CANDIDATES:
                break
        fastest = min(fleets, key=lambda fleet: (self.estimate(fleet)[0], self.estimate(fleet)[1]))
        return min([*points, self.simulated(fastest)], key=lambda point: point.outcome.hours)

    def _corrected(self, fleet: Fleet) -> Point:
        """The fleet, or the next larger one that meets the deadline in the simulation too."""
        point = self.simulated(fleet)
        for _ in range(MAX_CORRECTIONS):
            if point.outcome.hours <= self.limits.hours:
                break
            ocr, gpu = point.fleet.ocr, point.fleet.gpu
            if self._bottleneck(point) == "gpu":
                gpu += max(1, round(gpu * 0.03))
            else:
                ocr += max(1, round(ocr * 0.03))
            if ocr > self.limits.ocr_nodes or gpu > self.limits.gpu_nodes:
                break
            point = self.simulated(Fleet(ocr, gpu))
        return point

    def _bottleneck(self, point: Point) -> str:
        fleet, outcome = point.fleet, point.outcome
        if max(outcome.busy.values()) < 0.5 and outcome.hours < 2 * self.prices.ocr.start_seconds / 3600:
            return "start"
        return "gpu" if fleet.gpu and outcome.busy["gpu"] > outcome.busy["ocr"] else "ocr"

    def _curve(self, fleets: list[Fleet], best: Point) -> tuple[Point, ...]:
        """For a dozen numbers of ocr nodes the cheapest fleet, simulated, for jobs up to three times the deadline."""
        by_ocr: dict[int, Fleet] = {}
        for fleet in fleets:
            other = by_ocr.setdefault(fleet.ocr, fleet)
            if self.estimate(fleet)[1] < self.estimate(other)[1]:
                by_ocr[fleet.ocr] = fleet
        hours = {fleet: self.estimate(fleet)[0] for fleet in by_ocr.values()}
        lengths = [length for length in hours.values() if self.limits.hours / 20 <= length <= 3 * self.limits.hours]
        shown = [fleet for fleet in hours if hours[fleet] in lengths] or list(hours)
        points = {best.fleet: best}
        for fleet in shown[:: max(1, round(len(shown) / CURVE_POINTS))]:
            points[fleet] = self.simulated(fleet)
        return tuple(sorted(points.values(), key=lambda point: point.outcome.hours))


def _sizes(largest: int) -> list[int]:
    """1, 2, 3, ... in growing steps, up to `largest`."""
    return list(_growing(largest))


def _growing(largest: int) -> Iterable[int]:
    size = 1
    while size < largest:
        yield size
        size = max(size + 1, int(size * STEP))
    if largest >= 1:
        yield largest

"""The cheapest fleet that meets a deadline: means say which fleets are worth a simulation, the simulation decides."""

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
"""Fleets that are simulated, the cheapest by the means first; more when none of them meets the deadline."""

CURVE_POINTS = 12
STEP = 1.12
"""Sizes of fleets that are looked at grow by this factor, and by one node at least."""

LAST_CORRECTION = 25
"""How often a fleet that is a little late is enlarged before another one is tried."""


@dataclass(frozen=True)
class Limits:
    """What a plan may use.

    Attributes:
        hours: the deadline, from the submission on.
        ocr_nodes, gpu_nodes: at most.
        model_on: where the model may run; "auto" leaves it to the price.
    """

    hours: float
    ocr_nodes: int = 5000
    gpu_nodes: int = 1000
    model_on: ModelChoice = "auto"


@dataclass(frozen=True)
class Point:
    """A fleet and what the job comes to on it."""

    fleet: Fleet
    outcome: Outcome


@dataclass(frozen=True)
class Plan:
    """What was found.

    Attributes:
        best: the cheapest that meets the deadline; when none does, the fastest that was tried.
        meets_deadline: whether it does.
        bottleneck: the type of nodes whose cores or GPUs are the busier, or "start" when most of the job is spent
            waiting for nodes.
        one_more: by type, the plan with one more node of it.
        curve: the cheapest fleets for other lengths of the job, by hours.
    """

    best: Point
    meets_deadline: bool
    bottleneck: str
    one_more: dict[str, Point]
    curve: tuple[Point, ...]


class Planner:
    """Plans for a workload and a market."""

    def __init__(
        self, workload: Workload, figures: StageCosts, prices: Prices, limits: Limits, *, seed: int = 0
    ) -> None:
        self.workload, self.figures, self.prices, self.limits, self.seed = workload, figures, prices, limits, seed
        self.simulated = lru_cache(maxsize=None)(self._simulated)

    def plan(self) -> Plan:
        """Search, then look at what is around the plan.

        Raises:
            ValueError: the limits leave no fleet.
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
        return Point(fleet, simulate(self.workload, self.figures, self.prices, fleet, seed=self.seed))

    def _fleets(self) -> list[Fleet]:
        """Fleets of all sizes that make sense: none has more nodes than blocks for their cores."""
        blocks, prices = self.workload.blocks, self.prices
        ocr = _sizes(min(self.limits.ocr_nodes, -(-blocks // prices.ocr.units)))
        gpu = _sizes(min(self.limits.gpu_nodes, -(-blocks // prices.gpu.units)))
        places = {"auto": [0, *gpu], "gpu": gpu, "cpu": [0]}[self.limits.model_on]
        return [Fleet(readers, models) for readers in ocr for models in places]

    def estimate(self, fleet: Fleet) -> tuple[float, float]:
        """Hours and cost by the means alone: no queues, no losses, no last blocks."""
        read, infer = mean_seconds(self.workload, self.figures, fleet.model_on)
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
        """The fleet, or the next larger one that meets the deadline in the simulation, too."""
        point = self.simulated(fleet)
        for _ in range(LAST_CORRECTION):
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
        """For a dozen numbers of ocr nodes the cheapest fleet, simulated, for jobs of up to thrice the deadline."""
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


def _sizes(most: int) -> list[int]:
    """1, 2, 3, ... in steps that grow."""
    return list(_growing(most))


def _growing(most: int) -> Iterable[int]:
    size = 1
    while size < most:
        yield size
        size = max(size + 1, int(size * STEP))
    if most >= 1:
        yield most

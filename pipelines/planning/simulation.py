"""A discrete-event simulation of a job on a fleet: documents are listed, blocks are read, then the model runs.

    documents -> [ list ] | blocks -> [ read ] -> bounded queue -> [ model ] -> done
                   ocr nodes          ocr nodes                    gpu nodes

    documents -> [ list ] | blocks -> [ read, then the model ] -> done
                   ocr nodes                  ocr nodes

Nodes take time to start. Spot nodes are lost at random; their unfinished blocks are done again, and a new node is
requested. In a large job a unit of the simulation is a run of many blocks, longer at the beginning than at the end, so
that a billion pages take seconds; what a lost node costs is still counted in single blocks.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from pipelines.planning.corpus_sample import CorpusSample
from pipelines.planning.fleet import Fleet, NodeType, Prices, Workload
from pipelines.planning.shared_cores import SharedCores
from pipelines.planning.stage_costs import StageCosts
from pipelines.planning.storage_requests import storage_requests

UNITS_A_LANE, MAX_UNITS = 40, 5_000
"""Units of work of a large job: about so many for each lane, and at most so many for all lanes together. The last ones
are cut smaller. The model waits for the first unit, so units must not be too large."""

FINEST = 200
"""The last units are single blocks, or this fraction (1 / FINEST) of a lane's work."""

MAX_LANES = 64
"""With more readers than this in the fleet, a node's readers are simulated as one lane that uses all of its cores."""

QUEUED_A_READER, QUEUED_A_MODEL = 1, 2
"""Units that may wait between the stages, for each lane; beyond that Ray Data applies backpressure to the readers."""

Process = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Unit:
    """A run of blocks: `pages` pages from page `first` of the corpus; or documents to list."""

    first: int
    pages: int
    blocks: int
    read_seconds: float
    infer_seconds: float

    def split(self, blocks_done: int) -> tuple[Unit | None, Unit | None]:
        """The done and the undone part, when `blocks_done` whole blocks are done."""
        share = min(1.0, max(0.0, blocks_done / self.blocks))
        parts = []
        pages = round(self.pages * share)
        for first, count, blocks, part in (
            (self.first, pages, blocks_done, share),
            (self.first + pages, self.pages - pages, self.blocks - blocks_done, 1 - share),
        ):
            parts.append(
                Unit(first, count, blocks, self.read_seconds * part, self.infer_seconds * part) if blocks > 0 else None
            )
        return parts[0], parts[1]


@dataclass
class Node:
    """A node from its request on; times are seconds since the job began."""

    kind: str
    requested: float
    cores: SharedCores
    last_busy: float = 0.0
    lost: float | None = None
    lanes: list[simpy.Process] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a simulated job.

    Attributes:
        seconds: from the submission to the last page.
        listing_seconds: from the submission until all documents are listed.
        cost: US dollars.
        node_hours: paid hours, by node type.
        busy: share of the paid time that cores and GPUs work, by node type.
        losses: nodes lost.
        blocks_again: blocks that were started on a lost node and done again.
    """

    seconds: float
    listing_seconds: float
    cost: float
    node_hours: dict[str, float]
    busy: dict[str, float]
    losses: int
    blocks_again: int

    @property
    def hours(self) -> float:
        """The duration of the job."""
        return self.seconds / 3600


def simulate(
    workload: Workload,
    costs: StageCosts,
    prices: Prices,
    fleet: Fleet,
    *,
    seed: int = 0,
    readers: int | None = None,
    cores: float | None = None,
) -> Outcome:
    """Simulate a job once.

    Args:
        readers: reading workers on each ocr node; None is one a core.
        cores: cores of an ocr node that other processes leave to the job; None is all of them.
        seed: of pages and losses; fleets that are compared should share it.
    """
    return _Simulation(workload, costs, prices, fleet, seed, readers, cores).run()


class _Simulation:
    def __init__(
        self,
        workload: Workload,
        costs: StageCosts,
        prices: Prices,
        fleet: Fleet,
        seed: int,
        readers: int | None,
        cores: float | None,
    ) -> None:
        self.workload, self.costs, self.prices, self.fleet = workload, costs, prices, fleet
        self.environment = simpy.Environment()
        self.readers = readers or prices.ocr.units
        self.cores = {"ocr": (cores or prices.ocr.units) - costs.node_cores, "gpu": prices.gpu.units}
        merged = fleet.ocr * self.readers > MAX_LANES
        self.lanes_a_node = 1 if merged else self.readers
        self.lane_demand = self.readers / self.lanes_a_node
        self.corpus = CorpusSample(workload, costs, fleet.model_on, seed)
        self.seed = seed
        self.nodes: list[Node] = []
        self.losses = self.blocks_again = 0
        self.whole_pages = not fleet.gpu
        self.left = {"list": 0, "read": 0, "infer": 0}
        self.listed = self.environment.event()
        self.finished = self.environment.event()
        self.to_list = simpy.Store(self.environment)
        self.to_read = simpy.Store(self.environment)
        capacity = QUEUED_A_READER * fleet.ocr * self.lanes_a_node + QUEUED_A_MODEL * fleet.gpu * prices.gpu.units
        self.to_infer = simpy.Store(self.environment, capacity=capacity)
        self.listing_seconds = 0.0

    def run(self) -> Outcome:
        lanes = self.fleet.ocr * self.lanes_a_node
        self.to_list.items.extend(self._documents(lanes))
        self.to_read.items.extend(self._blocks(lanes))
        self.left["list"] = sum(unit.blocks for unit in self.to_list.items)
        self.left["infer"] = sum(unit.blocks for unit in self.to_read.items)
        self.left["read"] = 0 if self.whole_pages else self.left["infer"]
        for kind, count, type_ in (("ocr", self.fleet.ocr, self.prices.ocr), ("gpu", self.fleet.gpu, self.prices.gpu)):
            for number in range(count):
                random = np.random.default_rng((self.seed, kind == "gpu", number))
                self.environment.process(self._slot(kind, type_, random))
        self.environment.run(until=self.finished)
        return self._outcome()

    def _blocks(self, lanes: int) -> Iterator[Unit]:
        """The work in units: large ones first, down to single blocks for each lane."""
        left, first, size = self.workload.blocks, 0, self.workload.pages_per_block
        largest = max(1, left // min(UNITS_A_LANE * lanes, MAX_UNITS))
        smallest = max(1, left // (FINEST * lanes))
        while left:
            blocks = min(left, max(smallest, min(largest, left // lanes)))
            pages = min(blocks * size, self.workload.pages - first)
            yield Unit(first, pages, blocks, *self.corpus.seconds(first, pages))
            first, left = first + pages, left - blocks

    def _documents(self, lanes: int) -> Iterator[Unit]:
        """The listing in units, whose "blocks" are documents."""
        left = self.workload.documents
        largest = max(1, left // min(UNITS_A_LANE * lanes, MAX_UNITS))
        while left:
            count = min(left, largest)
            yield Unit(0, 0, count, count * self.costs.document, 0.0)
            left -= count

    def _slot(self, kind: str, type_: NodeType, random: np.random.Generator) -> Process:
        """A slot of the fleet: a node starts, works, and is replaced if it is lost while there is work."""
        while not self._is_over(kind):
            node = Node(kind, self.environment.now, SharedCores(self.environment, self.cores[kind]))
            self.nodes.append(node)
            node.last_busy = self.environment.now
            life = random.exponential(3600 / type_.losses_per_hour) if type_.losses_per_hour else float("inf")
            yield self.environment.timeout(min(life, type_.start_seconds))
            if life > type_.start_seconds:
                self._open_lanes(node, type_)
                ended = simpy.AllOf(self.environment, node.lanes)
                if life == float("inf"):
                    yield ended
                    return
                yield ended | self.environment.timeout(life - type_.start_seconds)
                if ended.triggered:
                    return
            node.lost = self.environment.now
            self.losses += not self._is_over(kind)
            for lane in node.lanes:
                if lane.is_alive:
                    lane.interrupt()
            yield self.environment.timeout(0)  # the lanes read their progress before the work is dropped
            node.cores.stop()

    def _is_over(self, kind: str) -> bool:
        stages = ("infer",) if kind == "gpu" else ("list", "infer") if self.whole_pages else ("list", "read")
        return not any(self.left[stage] for stage in stages)

    def _open_lanes(self, node: Node, type_: NodeType) -> None:
        process = self.environment.process
        if node.kind == "gpu":
            node.lanes = [process(self._infer(node)) for _ in range(type_.units)]
        else:
            node.lanes = [process(self._read(node)) for _ in range(self.lanes_a_node)]

    def _read(self, node: Node) -> Process:
        """A lane that lists documents while there are any, then reads blocks; without GPUs it runs the model too."""
        demand = self.lane_demand
        start = self.costs.read_start + (self.costs.infer_start if self.whole_pages else 0.0)
        if not (yield from self._work(node, start * demand, demand)):
            return
        pages = ("infer", self.to_read, None) if self.whole_pages else ("read", self.to_read, self.to_infer)
        for stage, source, target in (("list", self.to_list, None), pages):
            while self.left[stage]:
                unit = yield from self._take(source, self.listed if stage == "list" else None, stage)
                if unit is None:
                    break
                seconds = unit.read_seconds + (unit.infer_seconds if self.whole_pages else 0.0)
                if not (yield from self._do(node, stage, unit, seconds, demand, source, target)):
                    return

    def _infer(self, node: Node) -> Process:
        """A lane that runs the model on a GPU."""
        if not (yield from self._work(node, self.costs.infer_start, 1.0)):
            return
        while self.left["infer"]:
            unit = yield from self._take(self.to_infer, None, "infer")
            if unit is None or not (
                yield from self._do(node, "infer", unit, unit.infer_seconds, 1.0, self.to_infer, None)
            ):
                return

    def _work(self, node: Node, seconds: float, demand: float) -> Generator[simpy.Event, Any, bool]:
        """Work that is lost with its node; returns whether it was done."""
        work = node.cores.start(seconds, demand)
        try:
            yield work.done
        except simpy.Interrupt:
            return False
        node.last_busy = self.environment.now
        return True

    def _take(
        self, source: simpy.Store, over: simpy.Event | None, stage: str
    ) -> Generator[simpy.Event, Any, Unit | None]:
        """The next unit; None if the node is lost meanwhile, or all work is done elsewhere."""
        request = source.get()
        try:
            yield request if over is None else request | over
        except simpy.Interrupt:
            if request.triggered:
                source.items.insert(0, request.value)
            else:
                request.cancel()
            return None
        if request.triggered:
            return request.value
        request.cancel()
        return None

    def _do(
        self,
        node: Node,
        stage: str,
        unit: Unit,
        seconds: float,
        demand: float,
        source: simpy.Store,
        target: simpy.Store | None,
    ) -> Generator[simpy.Event, Any, bool]:
        """Do a unit and pass it on; if the node is lost, unfinished blocks go back. Returns whether the node lives."""
        work = node.cores.start(seconds, demand)
        try:
            yield work.done
            node.last_busy = self.environment.now
        except simpy.Interrupt:
            started = node.cores.share_done(work) * unit.blocks
            whole = max(0, int(started - (demand - 1) / 2)) if unit.blocks > 1 else 0
            done, undone = unit.split(whole)
            self.blocks_again += round(min(demand, unit.blocks - whole))
            node.last_busy = self.environment.now
            if undone is not None:
                source.put(undone)
            if done is not None:
                self._count(stage, done)
                if target is not None:
                    target.put(done)
            return False
        if target is not None:
            passed_on = target.put(unit)
            try:
                yield passed_on
            except simpy.Interrupt:
                if not passed_on.triggered:
                    passed_on.cancel()
                    source.put(unit)
                    return False
                self._count(stage, unit)
                return False
            node.last_busy = self.environment.now
        self._count(stage, unit)
        return True

    def _count(self, stage: str, unit: Unit) -> None:
        self.left[stage] -= unit.blocks
        if stage == "list" and not self.left["list"]:
            self.listing_seconds = self.environment.now
            self.listed.succeed()
        if stage == "infer" and not self.left["infer"]:
            self.finished.succeed()

    def _outcome(self) -> Outcome:
        hours, busy = {"ocr": 0.0, "gpu": 0.0}, {"ocr": 0.0, "gpu": 0.0}
        for node in self.nodes:
            given_back = node.last_busy + self.prices.idle_seconds
            hours[node.kind] += (min(given_back, node.lost or given_back) - node.requested) / 3600
            busy[node.kind] += node.cores.busy_seconds / node.cores.count / 3600
        end = self.environment.now
        requests = storage_requests(self.workload).cost(self.prices.put_price, self.prices.get_price)
        cost = hours["ocr"] * self.prices.ocr.price + hours["gpu"] * self.prices.gpu.price
        cost += (end + self.prices.idle_seconds) / 3600 * self.prices.head_price + requests
        return Outcome(
            seconds=end,
            listing_seconds=self.listing_seconds,
            cost=cost,
            node_hours=hours,
            busy={kind: busy[kind] / hours[kind] if hours[kind] else 0.0 for kind in hours},
            losses=self.losses,
            blocks_again=self.blocks_again,
        )

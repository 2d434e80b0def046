"""A discrete-event simulation of a job on a fleet: documents are listed, blocks are read, then the model runs.

    documents -> [ list ] | blocks -> [ read ] -> bounded queue -> [ model ] -> done
                   ocr nodes          ocr nodes                    gpu nodes, or the ocr nodes' cores

Nodes take time to start; spot nodes are lost at random, their unfinished blocks are done again and another node is
asked for. Of a large job a unit of the simulation is many blocks of one after the other, more of them at the beginning
than at the end, so that a billion pages take seconds; what a lost node costs is still counted in single blocks.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from pipelines.planning.corpus_sample import CorpusSample
from pipelines.planning.fleet import Fleet, NodeType, Prices, Workload
from pipelines.planning.shared_cores import SharedProcessor
from pipelines.planning.stage_costs import StageCosts

UNITS_A_LANE, MAX_UNITS = 40, 5_000
"""Units of work that each lane gets of a large job, or all of them together, and at the end some more, smaller ones:
the model waits for the first of them, and nobody for the last."""

FINEST = 200
"""The last units are single blocks, or this share of a lane's whole work."""

MAX_LANES = 64
"""With more cores than this a node's readers are one lane that uses all of its cores."""

QUEUED_A_READER, QUEUED_A_MODEL = 1, 2
"""Units that may wait between the stages, for each lane: Ray Data holds the readers back when there are more."""

Process = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Unit:
    """A run of blocks, or of documents to list; `pages` from page `first` of the corpus on."""

    first: int
    pages: int
    blocks: int
    read_seconds: float
    infer_seconds: float

    def split(self, blocks_done: int) -> tuple[Unit | None, Unit | None]:
        """What is done and what is not, when so many whole blocks are."""
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
    """A node from the moment it is asked for; times are seconds since the job began."""

    kind: str
    asked: float
    processor: SharedProcessor
    last_busy: float = 0.0
    lost: float | None = None
    lanes: list[simpy.Process] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What a simulated job came to.

    Attributes:
        seconds: from the submission to the last page.
        listing_seconds: of these, until all documents were listed.
        cost: US dollars.
        node_hours: paid, by type.
        busy: share of their paid time that the cores and GPUs worked, by type.
        losses: nodes lost.
        blocks_again: blocks that had been begun on a lost node.
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
        """The job's length."""
        return self.seconds / 3600


def simulate(
    workload: Workload,
    figures: StageCosts,
    prices: Prices,
    fleet: Fleet,
    *,
    seed: int = 0,
    readers: int | None = None,
    cores: float | None = None,
) -> Outcome:
    """Simulate a job once.

    Args:
        readers: workers that read on each ocr node; None is one a core.
        cores: what others leave of an ocr node's cores; None is all of them.
        seed: of the pages' and the losses' randomness; fleets that are compared should share it.
    """
    return _Simulation(workload, figures, prices, fleet, seed, readers, cores).run()


class _Simulation:
    def __init__(
        self,
        workload: Workload,
        figures: StageCosts,
        prices: Prices,
        fleet: Fleet,
        seed: int,
        readers: int | None,
        cores: float | None,
    ) -> None:
        self.workload, self.figures, self.prices, self.fleet = workload, figures, prices, fleet
        self.environment = simpy.Environment()
        self.readers = readers or prices.ocr.units
        self.cores = {"ocr": cores or prices.ocr.units, "gpu": prices.gpu.units}
        merged = fleet.ocr * self.readers > MAX_LANES
        self.lanes_a_node = 1 if merged else self.readers
        self.lane_demand = self.readers / self.lanes_a_node
        self.corpus = CorpusSample(workload, figures, fleet.model_on, seed)
        self.seed = seed
        self.nodes: list[Node] = []
        self.losses = self.blocks_again = 0
        self.left = {"list": 0, "read": 0, "infer": 0}
        self.listed = self.environment.event()
        self.finished = self.environment.event()
        self.to_list = simpy.Store(self.environment)
        self.to_read = simpy.Store(self.environment)
        models = fleet.gpu * prices.gpu.units or fleet.ocr
        capacity = QUEUED_A_READER * fleet.ocr * self.lanes_a_node + QUEUED_A_MODEL * models
        self.to_infer = simpy.Store(self.environment, capacity=capacity)
        self.listing_seconds = 0.0

    def run(self) -> Outcome:
        lanes = self.fleet.ocr * self.lanes_a_node
        self.to_list.items.extend(self._documents(lanes))
        self.to_read.items.extend(self._blocks(lanes))
        self.left["list"] = sum(unit.blocks for unit in self.to_list.items)
        self.left["read"] = self.left["infer"] = sum(unit.blocks for unit in self.to_read.items)
        for kind, count, type_ in (("ocr", self.fleet.ocr, self.prices.ocr), ("gpu", self.fleet.gpu, self.prices.gpu)):
            for number in range(count):
                chance = np.random.default_rng((self.seed, kind == "gpu", number))
                self.environment.process(self._place(kind, type_, chance))
        self.environment.run(until=self.finished)
        return self._outcome()

    def _blocks(self, lanes: int) -> Iterator[Unit]:
        """The work in units: large ones first, single blocks for each lane at the end."""
        left, first, size = self.workload.blocks, 0, self.workload.pages_per_block
        most = max(1, left // min(UNITS_A_LANE * lanes, MAX_UNITS))
        least = max(1, left // (FINEST * lanes))
        while left:
            blocks = min(left, max(least, min(most, left // lanes)))
            pages = min(blocks * size, self.workload.pages - first)
            yield Unit(first, pages, blocks, *self.corpus.seconds(first, pages))
            first, left = first + pages, left - blocks

    def _documents(self, lanes: int) -> Iterator[Unit]:
        """The same of the listing; a unit's "blocks" are documents."""
        left = self.workload.documents
        most = max(1, left // min(UNITS_A_LANE * lanes, MAX_UNITS))
        while left:
            count = min(left, most)
            yield Unit(0, 0, count, count * self.figures.document, 0.0)
            left -= count

    def _place(self, kind: str, type_: NodeType, chance: np.random.Generator) -> Process:
        """A place in the fleet: a node comes, works, and is replaced when it is lost while there is work."""
        while not self._is_over(kind):
            node = Node(kind, self.environment.now, SharedProcessor(self.environment, self.cores[kind]))
            self.nodes.append(node)
            node.last_busy = self.environment.now
            life = chance.exponential(3600 / type_.losses_per_hour) if type_.losses_per_hour else float("inf")
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
            yield self.environment.timeout(0)  # the lanes look how far they came before the processor forgets it
            node.processor.stop()

    def _is_over(self, kind: str) -> bool:
        stages = ("infer",) if kind == "gpu" else ("list", "read", "infer") if not self.fleet.gpu else ("list", "read")
        return not any(self.left[stage] for stage in stages)

    def _open_lanes(self, node: Node, type_: NodeType) -> None:
        process = self.environment.process
        if node.kind == "gpu":
            node.lanes = [process(self._infer(node, 1.0)) for _ in range(type_.units)]
            return
        node.lanes = [process(self._read(node)) for _ in range(self.lanes_a_node)]
        if not self.fleet.gpu:
            node.lanes.append(process(self._infer(node, float(type_.units))))

    def _read(self, node: Node) -> Process:
        """A lane that lists documents while there are any, and then reads blocks."""
        demand = self.lane_demand
        if not (yield from self._work(node, self.figures.read_start * demand, demand)):
            return
        for stage, source, target in (("list", self.to_list, None), ("read", self.to_read, self.to_infer)):
            while self.left[stage]:
                unit = yield from self._take(source, self.listed if stage == "list" else None, stage)
                if unit is None:
                    break
                if not (yield from self._do(node, stage, unit, unit.read_seconds, demand, source, target)):
                    return

    def _infer(self, node: Node, demand: float) -> Process:
        """A lane that runs the model."""
        if not (yield from self._work(node, self.figures.infer_start, min(demand, 1.0))):
            return
        while self.left["infer"]:
            unit = yield from self._take(self.to_infer, None, "infer")
            if unit is None or not (
                yield from self._do(node, "infer", unit, unit.infer_seconds, demand, self.to_infer, None)
            ):
                return

    def _work(self, node: Node, seconds: float, demand: float) -> Generator[simpy.Event, Any, bool]:
        """Work that is simply lost with its node; whether it was done."""
        work = node.processor.start(seconds, demand)
        try:
            yield work.done
        except simpy.Interrupt:
            return False
        node.last_busy = self.environment.now
        return True

    def _take(
        self, source: simpy.Store, over: simpy.Event | None, stage: str
    ) -> Generator[simpy.Event, Any, Unit | None]:
        """The next unit; None when the node is lost meanwhile, or all is done elsewhere."""
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
        """Do a unit and hand it on; when the node is lost, what it had not finished goes back. Whether it lives."""
        work = node.processor.start(seconds, demand)
        try:
            yield work.done
            node.last_busy = self.environment.now
        except simpy.Interrupt:
            begun = node.processor.share_done(work) * unit.blocks
            whole = max(0, int(begun - (demand - 1) / 2)) if unit.blocks > 1 else 0
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
            handed = target.put(unit)
            try:
                yield handed
            except simpy.Interrupt:
                if not handed.triggered:
                    handed.cancel()
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
            hours[node.kind] += (min(given_back, node.lost or given_back) - node.asked) / 3600
            busy[node.kind] += node.processor.busy_seconds / node.processor.cores / 3600
        end = self.environment.now
        requests = self.workload.blocks * self.prices.put_price / 1000
        requests += (self.workload.blocks + 2 * self.workload.documents) * self.prices.get_price / 1000
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

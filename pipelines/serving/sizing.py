"""Sizing: where the model runs on a cluster, and how many replicas of each kind it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.runtime.cluster import ClusterSize
from pipelines.serving.options import Lanes, Placement, Replicas

PlacementChoice = Literal["auto", "together", "apart"]

CPUS_PER_MODEL = 16
"""CPUs for each replica that runs models without a GPU, at most."""

CPUS_PER_LOCAL_READER = 4
"""The same if it also reads the pages: of each page it holds Python's interpreter lock for some 30 ms, while the model
takes 140 to 170 ms of one core, so that more cores would wait for the lock."""

LOCAL_READER_CPUS, SPARE_CPUS = 0.5, 0.1
"""What Ray books for each of them, and leaves to the gateway at least: however many are asked for, all are started."""

MAX_TEXT_REPLICAS, MAX_MODEL_REPLICAS = 64, 4
"""Default maximum on an autoscaling cluster, whose nodes start when replicas wait for them."""


@dataclass(frozen=True)
class Bounds:
    """Least and greatest number of replicas that the user asks for; None as the greatest is automatic."""

    minimum: int
    maximum: int | None

    def up_to(self, room: int) -> int:
        """The greatest number, where there is room for so many."""
        return self.maximum or max(self.minimum, room)


@dataclass(frozen=True)
class Sizes:
    """As in `ServeOptions`."""

    placement: Placement
    model_threads: int
    reader: Replicas
    predictor: Replicas
    lanes: Lanes = Lanes()  # noqa: RUF009


def plan_replicas(cluster: ClusterSize, choice: PlacementChoice, device: str, text: Bounds, model: Bounds) -> Sizes:
    """
    Args:
        choice: where the model runs, if the user says so.
        device: as for the model; "cpu" leaves GPUs alone.
        text, model: processes that read pages, and that run models.

    Raises:
        ValueError: they cannot be together on this cluster.
    """
    obstacles = _obstacles(cluster, device)
    if choice == "together" and obstacles:
        raise ValueError(f"--placement together is not possible: {obstacles[0]}; give apart or auto")
    if choice == "together" or (choice == "auto" and not obstacles):
        return _together(int(cluster.cpus), text, model)
    on_gpus = device != "cpu" and (cluster.gpus > 0 or (cluster.grows and device.startswith("cuda")))
    text_room, model_room = int(cluster.cpus), _shares(int(cluster.cpus), CPUS_PER_MODEL)
    if on_gpus:
        model_room = max(1, int(cluster.gpus))
    if cluster.grows:  # what is there now says nothing about what will be
        text_room, model_room = MAX_TEXT_REPLICAS, MAX_MODEL_REPLICAS
    models = model.up_to(model_room)
    return Sizes(
        "apart",
        CPUS_PER_MODEL if cluster.grows else max(1, int(cluster.cpus) // models),
        Replicas(text.minimum, text.up_to(text_room), cpus=0.35),
        Replicas(model.minimum, models, cpus=0.2, gpus=1.0 if on_gpus else 0.0),
    )


def _together(cpus: int, text: Bounds, model: Bounds) -> Sizes:
    pages = text.up_to(cpus)
    processes = max(model.minimum, min(pages, model.up_to(_shares(cpus, CPUS_PER_LOCAL_READER))))
    lanes = max(1, pages // processes)
    return Sizes(
        "together",
        max(1, cpus // processes),
        Replicas(processes, processes, cpus=min(LOCAL_READER_CPUS, (max(1, cpus) - SPARE_CPUS) / processes)),
        Replicas(0, 0, cpus=0.0),
        Lanes(min(lanes, _shares(text.minimum, processes)), lanes),
    )


def _obstacles(cluster: ClusterSize, device: str) -> Sequence[str]:
    """Why readers cannot run the model, in plain words."""
    reasons = list[str]()
    if cluster.grows or cluster.nodes > 1:
        reasons.append("the cluster has, or may have, more machines than one")
    if device.startswith("cuda") or (cluster.gpus > 0 and device != "cpu"):
        reasons.append("the model runs on a GPU, which a process of its own keeps busy")
    return reasons


def _shares(total: int, size: int) -> int:
    return max(1, -(-total // size))

"""What a training loop learns, as the loop sees it: `trainer` and `pretraining_objective` are two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed

from pipelines.training.initialization import InitializedModel
from pipelines.training.metrics_log import Line


class LoadedBatch(Protocol):
    """A micro batch of one worker: `tensors` are the model's keyword arguments, on the CPU."""

    @property
    def step(self) -> int: ...

    @property
    def micro_batch_index(self) -> int: ...

    @property
    def own_windows(self) -> int:
        """Windows that are learned from; 0 for a micro batch that only keeps its worker in step with the others."""

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]: ...


Batch = TypeVar("Batch", bound=LoadedBatch)
T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """One of the processes that train together.

    Attributes:
        rank: from 0 to below `count`.
        count: number of workers.
        device: that it computes on.
    """

    rank: int
    count: int
    device: torch.device

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all workers, on each of them; in place."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """The values of all workers, by rank, on each of them."""
        if self.count == 1:
            return [value]
        gathered: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(gathered, value)
        return gathered


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, equal on every worker.

    Attributes:
        score: by which checkpoints are compared.
        values: of the line in metrics.jsonl.
    """

    score: float
    values: Line


class TrainingObjective(Protocol[Batch]):
    """What a loop learns."""

    steps_per_epoch: int

    evaluates: bool
    """Whether there is something to evaluate on."""

    compares_checkpoints: bool
    """Whether the checkpoint of the best evaluation is the result; otherwise the last one is."""

    def initialize(self) -> InitializedModel:
        """The model to train.

        Raises:
            ValueError: the start does not fit what is learned.
            CheckpointError: the start cannot be read.
        """

    def probe(self, model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """A scalar that depends on every output of the model that is trained; `inputs` as for `LayoutLMv2Model`."""

    def batches(self, model: Any, first: int, end: int, worker: Worker) -> Iterator[Batch]:
        """The worker's micro batches of the steps from `first` to `end` (excluded), in order."""

    def step_targets(self, batches: list[Batch], worker: Worker) -> Any:
        """The number of targets of a whole step, over all workers, from one worker's micro batches of it."""

    def losses(self, output: Any, batch: Batch, targets: Any) -> dict[str, torch.Tensor]:
        """The micro batch's parts of its step's losses by name, float32 scalars with gradients; their sum is trained.

        Args:
            output: of the model.
            targets: what `step_targets` returned.
        """

    def evaluate(self, model: Any, worker: Worker) -> Evaluation:
        """Evaluate the model; called where `evaluates`."""

    def log_values(self, worker: Worker) -> Line:
        """Further values for the next line of the log, equal on every worker; called by all of them."""

"""What pre-training learns: masked words, alignment and matching (paper, section 2.3), of pages without labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from pipelines.storage.files import Storage
from pipelines.training.initialization import InitializedModel, ModelInit, initialize_pretraining_model
from pipelines.training.load_ahead import TASKS_AT_A_TIME
from pipelines.training.metrics_log import Line
from pipelines.training.pretraining_evaluation import evaluate_objectives
from pipelines.training.pretraining_inputs import PretrainingObjective
from pipelines.training.pretraining_loader import LABELS, LoaderOptions, PretrainingBatch, iter_batches
from pipelines.training.pretraining_options import PretrainingOptions
from pipelines.training.pretraining_pages import PageIndex
from pipelines.training.pretraining_plan import PretrainingPlan
from pipelines.training.training_loop import LoopPlace, run_loop
from pipelines.training.training_objective import Evaluation, Worker

LOSSES: dict[PretrainingObjective, str] = {
    "masked-words": "masked_word_loss",
    "alignment": "alignment_loss",
    "matching": "matching_loss",
}
"""Where a model's output has the loss of an objective, the mean over the micro batch's targets."""

TASKS_OF_A_GPU = 8
"""Tasks that load at a time for a worker with a GPU, which takes more windows than two of them make."""

REASONS_NAMED = 5
"""Reasons for lost pages that one line of the log names."""

HELD_OUT_SEED = 2**32
"""Added to the seed where held-out pages are masked and covered, so that no page has the draws of a training page."""


@dataclass(frozen=True)
class PretrainingJob:
    """Everything that a worker needs.

    Attributes:
        tokenizer: folder or prefix with the tokenizer's files and the model's configuration.
        output: folder or prefix for metrics.jsonl.
        pages: to learn.
        held_out: to measure on; may be empty.
        threads: of PyTorch in each worker; None shares the machine's cores among its workers.
    """

    options: PretrainingOptions
    start: ModelInit
    tokenizer: str
    output: str
    storage: Storage
    pages: PageIndex
    held_out: PageIndex
    threads: int | None = None


def pretrain_worker(job: PretrainingJob) -> str | None:
    """The loop of a worker; returns as `run_loop`."""
    place = LoopPlace(job.storage, job.output, job.tokenizer, job.threads)
    return run_loop(Pretraining(job), job.options, place)


class Pretraining:
    """The objective of pre-training: the sum of the chosen ones' losses, each a mean over the targets of a step."""

    compares_checkpoints = False

    def __init__(self, job: PretrainingJob) -> None:
        self.job, self.options = job, job.options
        self.plan = PretrainingPlan(job.pages, self.options.batches)
        self.steps_per_epoch = self.plan.steps_per_epoch
        self.evaluates = len(job.held_out) > 0
        self._held_out: list[PretrainingBatch] | None = None
        self._lost: list[str] = []

    def initialize(self) -> InitializedModel:
        return initialize_pretraining_model(self.job.start, self.options.seed)

    def probe(self, model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        ids = inputs["input_ids"]
        labels = {
            "labels": torch.zeros_like(ids),
            "alignment_labels": torch.zeros_like(ids),
            "matching_labels": torch.zeros_like(ids[:, 0]),
        }
        chosen = {LABELS[name]: labels[LABELS[name]] for name in self.options.objectives}
        return model(**inputs, **chosen).loss

    def batches(self, model: Any, first: int, end: int, worker: Worker) -> Iterator[PretrainingBatch]:
        return self._batches(self.plan, self._loading(model), first, end, worker)

    def step_targets(self, batches: list[PretrainingBatch], worker: Worker) -> dict[PretrainingObjective, float]:
        """The number of targets of each objective in the whole step, 1 at least."""
        own = [sum(batch.targets(name) for batch in batches) for name in self.options.objectives]
        counts = worker.sum(torch.tensor(own, dtype=torch.float64, device=worker.device)).clamp(min=1).tolist()
        return dict(zip(self.options.objectives, counts, strict=True))

    def losses(
        self, output: Any, batch: PretrainingBatch, targets: dict[PretrainingObjective, float]
    ) -> dict[str, torch.Tensor]:
        """Of each objective the sum over the micro batch's targets, by the number of the step's targets."""
        return {
            name: getattr(output, LOSSES[name]).float() * (batch.targets(name) / targets[name])
            for name in self.options.objectives
        }

    def evaluate(self, model: Any, worker: Worker) -> Evaluation:
        """Each objective on the held-out pages, which have the same masks and covers in every evaluation."""
        if self._held_out is None:
            plan = PretrainingPlan(self.job.held_out, self.options.batches)
            loading = replace(self._loading(model), seed=self.options.seed + HELD_OUT_SEED)
            self._held_out = list(self._batches(plan, loading, 0, plan.steps_per_epoch, worker))
        options = self.options
        figures = evaluate_objectives(model, self._held_out, options.objectives, worker, options.dtype)
        loss = sum(each["loss"] for each in figures.values())
        return Evaluation(-loss, {"held_out": figures, **self.log_values(worker)})

    def log_values(self, worker: Worker) -> Line:
        """Of pages that could not be read since the last line: their number, and some of the reasons.

        A line of an evaluation has those of the held-out pages, which are read once.
        """
        lost = [reason for reasons in worker.gather(self._lost) for reason in reasons]
        self._lost = []
        return {"lost_pages": len(lost), "lost": sorted(set(lost))[:REASONS_NAMED]} if lost else {}

    def _batches(
        self, plan: PretrainingPlan, loading: LoaderOptions, first: int, end: int, worker: Worker
    ) -> Iterator[PretrainingBatch]:
        tasks = TASKS_OF_A_GPU if worker.device.type == "cuda" else TASKS_AT_A_TIME
        ranks = (worker.rank, worker.count)
        for batch in iter_batches(plan, first, end, *ranks, self.job.storage, loading, tasks):
            self._lost += batch.lost
            yield batch

    def _loading(self, model: Any) -> LoaderOptions:
        options = self.options
        return LoaderOptions(
            self.job.tokenizer,
            model.config.pad_token_id or 0,
            options.objectives,
            options.shares,
            options.seed,
            options.stride,
        )

"""What fine-tuning learns: the labels of a corpus or its hidden words, window by window of the example cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from model.preprocessing.tokenizer_choice import load_page_tokenizer
from pipelines.storage.files import Storage
from pipelines.training.batch_plan import BatchPlan
from pipelines.training.dataloader import DataLoaderOptions, TrainingBatch, augmented_vocabulary, iter_batches
from pipelines.training.dev_evaluation import DevSplit, predict_share, score_all_ranks
from pipelines.training.example_cache import ExampleIndex
from pipelines.training.initialization import InitializedModel, ModelInit, initialize_model
from pipelines.training.metrics_log import Line
from pipelines.training.options import TrainingOptions
from pipelines.training.training_loop import LoopPlace, run_loop
from pipelines.training.training_objective import Evaluation, Worker


@dataclass(frozen=True)
class TrainingJob:
    """Everything that a worker needs.

    Attributes:
        labels: of the corpus, in the order of the logits.
        tokenizer: folder or prefix with the tokenizer's files, which every checkpoint gets a copy of.
        output: folder or prefix for metrics.jsonl.
        dev: the split to evaluate on; without it the last checkpoint is the best.
        stride: tokens that neighbouring windows of mixed pages share.
        threads: of PyTorch in each worker; None shares the machine's cores among its workers.
    """

    options: TrainingOptions
    start: ModelInit
    labels: tuple[str, ...]
    tokenizer: str
    output: str
    storage: Storage
    examples: ExampleIndex
    dev: DevSplit | None
    stride: int = 128
    threads: int | None = None


def train(job: TrainingJob) -> str | None:
    """The loop of a worker; returns as `run_loop`."""
    place = LoopPlace(job.storage, job.output, job.tokenizer, job.threads)
    return run_loop(Finetuning(job), job.options, place)


class Finetuning:
    """The objective of fine-tuning."""

    def __init__(self, job: TrainingJob) -> None:
        self.job, self.options = job, job.options
        self.plan = BatchPlan(job.examples, self.options.batches)
        self.steps_per_epoch = self.plan.steps_per_epoch
        self.evaluates = self.compares_checkpoints = job.dev is not None

    def initialize(self) -> InitializedModel:
        options = self.options
        return initialize_model(self.job.start, options.task, self.job.labels, options.seed, options.objective)

    def probe(self, model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return _sum_of_logits(model(**inputs))

    def batches(self, model: Any, first: int, end: int, worker: Worker) -> Iterator[TrainingBatch]:
        tokenizer = load_page_tokenizer(self.job.tokenizer)
        options = DataLoaderOptions(
            task=self.options.task,
            label_ids={label: index for index, label in enumerate(self.job.labels)},
            pad_token_id=model.config.pad_token_id or 0,
            vocabulary=augmented_vocabulary(tokenizer),
            tokenizer=self.job.tokenizer,
            objective=self.options.objective,
            seed=self.options.seed,
            augment=self.options.augment,
            page_mixing=self.options.page_mixing,
            stride=self.job.stride,
        )
        return iter_batches(self.plan, first, end, worker.rank, worker.count, self.job.storage, options)

    def step_targets(self, batches: list[TrainingBatch], worker: Worker) -> int:
        return batches[0].targets

    def losses(self, output: Any, batch: TrainingBatch, targets: int) -> dict[str, torch.Tensor]:
        """The sum over the micro batch's targets, by the number of the step's targets."""
        if not batch.own_targets:  # its mean is NaN; its part is 0, with gradients for the exchange
            return {"loss": _sum_of_logits(output) * 0.0}
        return {"loss": output.loss.float() * (batch.own_targets / targets)}

    def evaluate(self, model: Any, worker: Worker) -> Evaluation:
        """The dev metric."""
        dev = self.job.dev
        assert dev is not None
        task, ranks = self.options.task, (worker.rank, worker.count)
        rows = predict_share(model, self.job.storage, dev, task, self.job.labels, *ranks)
        scores = score_all_ranks(rows, dev, task, *ranks)
        values = {"dev": scores.main, "dev_name": scores.main_name, "dev_values": scores.values}
        return Evaluation(scores.main, values)

    def log_values(self, worker: Worker) -> Line:
        return {}


def _sum_of_logits(output: Any) -> torch.Tensor:
    logits = output.logits if hasattr(output, "logits") else output.start_logits + output.end_logits
    return logits.float().sum()

"""The training loop that every worker of Ray Train runs, from the last checkpoint to the last step.

Everything that decides the weights is a function of the options and the step: the batches (`batch_plan`), the
randomness of dropout and augmentation, the learning rate. So the curve depends on the number of workers only by float
rounding, and an interrupted run continues to the same weights.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model import LayoutLMv2ImageProcessor
from model.checkpoint import CheckpointError
from model.preprocessing.tokenizer_choice import load_page_tokenizer
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri
from pipelines.training.batch_plan import BatchPlan
from pipelines.training.dataloader import DataLoaderOptions, TrainingBatch, augmented_vocabulary, iter_batches
from pipelines.training.dev_evaluation import DevSplit, predict_share, score_all_ranks
from pipelines.training.errors import DivergedError
from pipelines.training.example_cache import ExampleIndex
from pipelines.training.initialization import ModelInit, initialize_model
from pipelines.training.metrics_log import MetricsLog
from pipelines.training.optimizer import AverageWeights, freeze, make_optimizer, schedule, set_learning_rates
from pipelines.training.options import TrainingOptions
from pipelines.training.output import CHECKPOINTS, PROGRESS
from pipelines.training.resume import read_training_state, write_training_state


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


@dataclass
class CheckpointProgress:
    """The progress of a run at a checkpoint, as in training.json: steps done, and the best dev metric so far."""

    step: int = 0
    best: float | None = None
    best_step: int | None = None


def train(job: TrainingJob) -> str | None:
    """The loop, in a worker of Ray Train. Returns None when it is done, or why it cannot continue.

    What is returned is not retried: from the last checkpoint it would fail in the same way.
    """
    try:
        worker = Trainer(job)
    except (ValueError, CheckpointError) as error:
        return str(error)
    try:
        worker.run()
    except DivergedError as error:
        return str(error)
    return None


class Trainer:
    """One worker's model, optimizer and progress."""

    def __init__(self, job: TrainingJob) -> None:
        self.job, self.options = job, job.options
        context = ray.train.get_context()
        self.rank, self.workers = context.get_world_rank(), context.get_world_size()
        torch.set_num_threads(job.threads or max(1, len(os.sched_getaffinity(0)) // context.get_local_world_size()))
        self.device = ray.train.torch.get_device()
        self.plan = BatchPlan(job.examples, self.options.batches)
        self.steps = self.options.total_steps(self.plan.steps_per_epoch)

        started = initialize_model(job.start, self.options.task, job.labels, self.options.seed, self.options.objective)
        self.model = started.model.to(self.device)
        if self.options.synchronize_batch_norm:
            self.model.synchronize_batch_norm(torch.distributed.group.WORLD)
        freeze(self.model, self.options.optimizer, unused_parameters(self.model, self.options.task))
        if self.options.gradient_checkpointing:
            self.model.gradient_checkpointing_enable()
        decay = self.options.optimizer.average_weights
        self.average = AverageWeights(self.model, decay) if decay else None
        self.optimizer = make_optimizer(self.model, self.options.optimizer, started.new)
        self.progress = CheckpointProgress()
        self._restore()
        self.log = MetricsLog(job.storage, job.output, self.progress.step) if self.rank == 0 else None
        self.wrapped: nn.Module = self.model
        if self.workers > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            self.wrapped = DistributedDataParallel(self.model, device_ids=devices, broadcast_buffers=False)

    @property
    def result(self) -> Any:
        """The model that is evaluated and saved."""
        return self.average.model if self.average is not None else self.model

    def run(self) -> None:
        """Train from the step of the last checkpoint to the last step."""
        options = self.options
        evaluate_every = options.evaluate_every or self.plan.steps_per_epoch
        logged = RunningMetrics(self.device)
        batches = self._batches()
        self.wrapped.train()
        while self.progress.step < self.steps:
            step = self.progress.step
            rates = self._step(step, list(islice(batches, options.batches.micro_batches // self.workers)), logged)
            done = self.progress.step = step + 1
            evaluates = done % evaluate_every == 0 or done == self.steps
            checkpoints = evaluates or done % options.checkpoint_every == 0
            if checkpoints or done % options.log_every == 0:
                self._log(done, logged, rates)
                logged = RunningMetrics(self.device)
            if checkpoints:
                score = self._evaluate(done) if evaluates and self.job.dev is not None else None
                self._checkpoint(score)
                logged = RunningMetrics(self.device)  # the evaluation's time does not count

    def _batches(self) -> Iterator[TrainingBatch]:
        tokenizer = load_page_tokenizer(self.job.tokenizer)
        options = DataLoaderOptions(
            task=self.options.task,
            label_ids={label: index for index, label in enumerate(self.job.labels)},
            pad_token_id=self.model.config.pad_token_id or 0,
            vocabulary=augmented_vocabulary(tokenizer),
            tokenizer=self.job.tokenizer,
            objective=self.options.objective,
            seed=self.options.seed,
            augment=self.options.augment,
            page_mixing=self.options.page_mixing,
            stride=self.job.stride,
        )
        return iter_batches(
            self.plan, self.progress.step, self.steps, self.rank, self.workers, self.job.storage, options
        )

    def _step(self, step: int, batches: list[TrainingBatch], logged: RunningMetrics) -> dict[str, float]:
        """One update of the weights; returns its learning rates."""
        options = self.options.optimizer
        rates = set_learning_rates(self.optimizer, schedule(step, self.steps, options.warmup_fraction))
        for batch in batches:
            assert batch.step == step, f"the data loader gives step {batch.step} for step {step}"
            torch.manual_seed(seed_of(self.options.seed, step, batch.micro_batch_index))
            is_last = batch is batches[-1]
            with nullcontext() if is_last or self.workers == 1 else self.wrapped.no_sync():  # type: ignore[operator]
                loss = self._loss(batch)
                # DDP takes the mean over the workers, while the losses are parts of a sum.
                (loss * self.workers).backward()
            logged.add(loss.detach(), len(batch.tensors["input_ids"]) if batch.own_targets else 0)
        if options.gradient_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), options.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model, step)
        logged.steps += 1
        return rates

    def _loss(self, batch: TrainingBatch) -> torch.Tensor:
        """The micro batch's part of its step's loss: the sum over its targets, by the number of the step's targets."""
        tensors = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.tensors.items()}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.options.dtype == "bfloat16"):
            output = self.wrapped(**tensors)
        if not batch.own_targets:  # its mean is NaN; its part is 0, with gradients for the exchange
            logits = output.logits if hasattr(output, "logits") else output.start_logits + output.end_logits
            return logits.float().sum() * 0.0
        return output.loss.float() * (batch.own_targets / batch.targets)

    def _log(self, step: int, logged: RunningMetrics, rates: dict[str, float]) -> None:
        loss, windows = logged.over_all_workers(self.workers)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is NaN or infinite at step {step}: try a lower --learning-rate or "
                "--new-parts-learning-rate, more --warmup-fraction, or --dtype float32"
            )
        seconds = logged.seconds()
        if self.log is not None:
            self.log.add(
                {
                    "step": step,
                    "epoch": round(step / self.plan.steps_per_epoch, 4),
                    "loss": loss,
                    **rates,
                    "windows_per_second": round(windows / seconds, 3),
                    "seconds_per_step": round(seconds / logged.steps, 4),
                }
            )

    def _evaluate(self, step: int) -> float:
        """The dev metric, equal on every worker."""
        dev = self.job.dev
        assert dev is not None
        started = time.monotonic()
        task, ranks = self.options.task, (self.rank, self.workers)
        rows = predict_share(self.result, self.job.storage, dev, task, self.job.labels, *ranks)
        scores = score_all_ranks(rows, dev, task, *ranks)
        self.wrapped.train()
        if self.progress.best is None or scores.main > self.progress.best:
            self.progress.best, self.progress.best_step = scores.main, step
        if self.log is not None:
            self.log.add(
                {
                    "step": step,
                    "epoch": round(step / self.plan.steps_per_epoch, 4),
                    "dev": scores.main,
                    "dev_name": scores.main_name,
                    "dev_values": scores.values,
                    "seconds": round(time.monotonic() - started, 2),
                }
            )
        return scores.main

    def _checkpoint(self, score: float | None) -> None:
        """Save and report. Only an evaluated checkpoint can be the best; without a dev split the last one is."""
        step = self.progress.step
        if self.job.dev is None:
            score = float(step)
        metrics = {"score": -1.0 if score is None else score, "step": step}
        if self.log is None:
            ray.train.report(metrics, checkpoint_dir_name=checkpoint_name(step))
            return
        self.log.flush()
        with tempfile.TemporaryDirectory() as folder:
            self._save(Path(folder))
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(metrics, checkpoint, checkpoint_dir_name=checkpoint_name(step))

    def _save(self, folder: Path) -> None:
        self.result.save_pretrained(folder)
        load_page_tokenizer(self.job.tokenizer).save_pretrained(folder)
        LayoutLMv2ImageProcessor().save_pretrained(folder)
        state: dict[str, Any] = {"optimizer": self.optimizer.state_dict()}
        if self.average is not None:
            state["model"] = self.model.state_dict()
        write_training_state(state, folder)
        (folder / PROGRESS).write_text(json.dumps(self.progress.__dict__) + "\n")

    def _restore(self) -> None:
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return
        uri = join_uri(self.job.output, CHECKPOINTS, Path(checkpoint.path).name)
        with checkpoint.as_directory() as folder:
            state = read_training_state(Path(folder), uri)
            self.model.load_state_dict(state.weights if state.trained is None else state.trained)
            if self.average is not None:
                self.average.model.load_state_dict(state.weights)
            self.optimizer.load_state_dict(state.optimizer)
            self.progress = CheckpointProgress(**state.progress)


class RunningMetrics:
    """Loss and number of windows since the last line of the log."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device, dtype=torch.float32)
        self.windows = self.steps = 0
        self._started = time.monotonic()

    def add(self, loss: torch.Tensor, windows: int) -> None:
        self.loss += loss
        self.windows += windows

    def seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)

    def over_all_workers(self, workers: int) -> tuple[float, float]:
        """The mean loss of a step and the number of windows, over all workers."""
        sums = torch.stack([self.loss / max(1, self.steps), self.loss.new_tensor(float(self.windows))])
        if workers > 1:
            torch.distributed.all_reduce(sums)
        loss, windows = sums.tolist()
        return loss, windows


def checkpoint_name(step: int) -> str:
    """The folder name of the checkpoint after `step` steps."""
    return f"step-{step:08d}"


def seed_of(seed: int, step: int, micro_batch_index: int) -> int:
    """The seed of dropout in a micro batch, whichever worker computes it; 0 to below 2**63."""
    return int(np.random.SeedSequence([seed, step, micro_batch_index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def unused_parameters(model: Any, task: Task) -> frozenset[str]:
    """Names of the parameters that get no gradient: the pooler, and the upper levels of the feature pyramid."""
    tokens = 8
    inputs: dict[str, torch.Tensor] = {
        "input_ids": torch.zeros(1, tokens, dtype=torch.long),
        "bbox": torch.zeros(1, tokens, 4, dtype=torch.long),
        "image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
    }
    with torch.random.fork_rng(devices=[]):
        output = model.train()(**{name: tensor.to(model.device) for name, tensor in inputs.items()})
        logits = output.start_logits + output.end_logits if task == "question-answering" else output.logits
        logits.float().sum().backward()
    unused = frozenset(name for name, parameter in model.named_parameters() if parameter.grad is None)
    model.zero_grad(set_to_none=True)
    return unused

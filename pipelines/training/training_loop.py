"""The training loop that every worker of Ray Train runs, from the last checkpoint to the last step.

What is learned is a `TrainingObjective`: fine-tuning (`trainer`) or pre-training (`pretraining_objective`). Everything
that decides the weights is a function of the options and the step: the batches, the randomness of dropout and
augmentation, the learning rate. So the curve depends on the number of workers only by float rounding, and an
interrupted run continues to the same weights.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic

import numpy as np
import ray.train
import ray.train.torch
import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model import LayoutLMv2ImageProcessor
from model.checkpoint import CheckpointError
from pipelines.runtime.machine import available_cores
from pipelines.stages.model_loader import load_tokenizer
from pipelines.storage.files import Storage, join_uri
from pipelines.training.errors import DivergedError
from pipelines.training.metrics_log import Line, MetricsLog
from pipelines.training.optimizer import AverageWeights, freeze, make_optimizer, schedule, set_learning_rates
from pipelines.training.options import LoopOptions
from pipelines.training.output import CHECKPOINTS, PROGRESS
from pipelines.training.resume import read_training_state, write_training_state
from pipelines.training.training_objective import Batch, TrainingObjective, Worker


@dataclass(frozen=True)
class LoopPlace:
    """Where a run reads and writes.

    Attributes:
        storage: how.
        output: folder or prefix of the run.
        tokenizer: folder or prefix with the tokenizer and `config.json`; every checkpoint gets a copy of the tokenizer.
        threads: of PyTorch in each worker; None shares the machine's cores among its workers.
    """

    storage: Storage
    output: str
    tokenizer: str
    threads: int | None = None


@dataclass
class CheckpointProgress:
    """The progress of a run at a checkpoint, as in training.json: steps done, and the best evaluation so far."""

    step: int = 0
    best: float | None = None
    best_step: int | None = None


def run_loop(objective: TrainingObjective[Any], options: LoopOptions, place: LoopPlace) -> str | None:
    """The loop, in a worker of Ray Train. Returns None when it is done, or why it cannot continue.

    What is returned is not retried: from the last checkpoint it would fail in the same way.
    """
    try:
        loop = TrainingLoop(objective, options, place)
    except (ValueError, CheckpointError) as error:
        return str(error)
    try:
        loop.run()
    except DivergedError as error:
        return str(error)
    return None


class TrainingLoop(Generic[Batch]):
    """One worker's model, optimizer and progress."""

    def __init__(self, objective: TrainingObjective[Batch], options: LoopOptions, place: LoopPlace) -> None:
        self.objective, self.options, self.place = objective, options, place
        context = ray.train.get_context()
        torch.set_num_threads(place.threads or max(1, available_cores() // context.get_local_world_size()))
        device = ray.train.torch.get_device()
        self.worker = Worker(context.get_world_rank(), context.get_world_size(), device)
        self.steps = options.total_steps(objective.steps_per_epoch)

        started = objective.initialize()
        self.model = started.model.to(device)
        if options.synchronize_batch_norm:
            self.model.synchronize_batch_norm(torch.distributed.group.WORLD)
        freeze(self.model, options.optimizer, unused_parameters(self.model, objective.probe))
        if options.gradient_checkpointing:
            self.model.gradient_checkpointing_enable()
        decay = options.optimizer.average_weights
        self.average = AverageWeights(self.model, decay) if decay else None
        self.optimizer = make_optimizer(self.model, options.optimizer, started.new)
        self.progress = CheckpointProgress()
        self._restore()
        is_first = self.worker.rank == 0
        self.log = MetricsLog(place.storage, place.output, self.progress.step) if is_first else None
        self.wrapped: nn.Module = self.model
        if self.worker.count > 1:
            devices = [device] if device.type == "cuda" else None
            self.wrapped = DistributedDataParallel(self.model, device_ids=devices, broadcast_buffers=False)

    @property
    def result(self) -> Any:
        """The model that is evaluated and saved."""
        return self.average.model if self.average is not None else self.model

    def run(self) -> None:
        """Train from the step of the last checkpoint to the last step."""
        options = self.options
        evaluate_every = options.evaluate_every or self.objective.steps_per_epoch
        logged = RunningMetrics(self.worker)
        batches = self.objective.batches(self.model, self.progress.step, self.steps, self.worker)
        self.wrapped.train()
        while self.progress.step < self.steps:
            step = self.progress.step
            rates = self._step(step, list(islice(batches, options.batches.micro_batches // self.worker.count)), logged)
            done = self.progress.step = step + 1
            evaluates = done % evaluate_every == 0 or done == self.steps
            checkpoints = evaluates or done % options.checkpoint_every == 0
            if checkpoints or done % options.log_every == 0:
                self._log(done, logged, rates)
                logged = RunningMetrics(self.worker)
            if checkpoints:
                score = self._evaluate(done) if evaluates and self.objective.evaluates else None
                self._checkpoint(score)
                logged = RunningMetrics(self.worker)  # the evaluation's time does not count

    def _step(self, step: int, batches: list[Batch], logged: RunningMetrics) -> dict[str, float]:
        """One update of the weights; returns its learning rates."""
        options, workers = self.options.optimizer, self.worker.count
        rates = set_learning_rates(self.optimizer, schedule(step, self.steps, options.warmup_fraction))
        targets = self.objective.step_targets(batches, self.worker)
        for batch in batches:
            assert batch.step == step, f"the data loader gives step {batch.step} for step {step}"
            torch.manual_seed(seed_of(self.options.seed, step, batch.micro_batch_index))
            is_last = batch is batches[-1]
            with nullcontext() if is_last or workers == 1 else self.wrapped.no_sync():  # type: ignore[operator]
                losses = self.objective.losses(self._output(batch), batch, targets)
                # DDP takes the mean over the workers, while the losses are parts of a sum.
                (total(losses) * workers).backward()
            logged.add(losses, batch.own_windows)
        if options.gradient_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), options.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model, step)
        logged.steps += 1
        return rates

    def _output(self, batch: Batch) -> Any:
        device = self.worker.device
        tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.tensors.items()}
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.options.dtype == "bfloat16"):
            return self.wrapped(**tensors)

    def _log(self, step: int, logged: RunningMetrics, rates: dict[str, float]) -> None:
        losses, windows = logged.over_all_workers()
        loss = sum(losses.values())
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is NaN or infinite at step {step}: try a lower --learning-rate or "
                "--new-parts-learning-rate, more --warmup-fraction, or --dtype float32"
            )
        seconds, further = logged.seconds(), self.objective.log_values(self.worker)
        if self.log is not None:
            self.log.add(
                {
                    **self._position(step),
                    "loss": loss,
                    **({"losses": losses} if len(losses) > 1 else {}),
                    **rates,
                    "windows_per_second": round(windows / seconds, 3),
                    "seconds_per_step": round(seconds / logged.steps, 4),
                    **further,
                }
            )

    def _position(self, step: int) -> Line:
        return {"step": step, "epoch": round(step / self.objective.steps_per_epoch, 4)}

    def _evaluate(self, step: int) -> float:
        """The score of the evaluation, equal on every worker."""
        started = time.monotonic()
        evaluation = self.objective.evaluate(self.result, self.worker)
        self.wrapped.train()
        if self.progress.best is None or evaluation.score > self.progress.best:
            self.progress.best, self.progress.best_step = evaluation.score, step
        if self.log is not None:
            seconds = round(time.monotonic() - started, 2)
            self.log.add({**self._position(step), **evaluation.values, "seconds": seconds})
        return evaluation.score

    def _checkpoint(self, score: float | None) -> None:
        """Save and report. Only an evaluated checkpoint can be the best, where evaluations decide; else the last is."""
        step = self.progress.step
        if not self.objective.compares_checkpoints:
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
        load_tokenizer(self.place.tokenizer).save_pretrained(folder)
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
        uri = join_uri(self.place.output, CHECKPOINTS, Path(checkpoint.path).name)
        with checkpoint.as_directory() as folder:
            state = read_training_state(Path(folder), uri)
            self.model.load_state_dict(state.weights if state.trained is None else state.trained)
            if self.average is not None:
                self.average.model.load_state_dict(state.weights)
            self.optimizer.load_state_dict(state.optimizer)
            self.progress = CheckpointProgress(**state.progress)


class RunningMetrics:
    """Losses and number of windows since the last line of the log."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.losses: dict[str, torch.Tensor] = {}
        self.windows = self.steps = 0
        self._started = time.monotonic()

    def add(self, losses: Mapping[str, torch.Tensor], windows: int) -> None:
        for name, loss in losses.items():
            self.losses[name] = self.losses[name] + loss.detach() if name in self.losses else loss.detach()
        self.windows += windows

    def seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)

    def over_all_workers(self) -> tuple[dict[str, float], float]:
        """The mean losses of a step and the number of windows, over all workers."""
        sums = [loss.float() / max(1, self.steps) for loss in self.losses.values()]
        windows = torch.tensor(float(self.windows), device=self.worker.device)
        *losses, all_windows = self.worker.sum(torch.stack([*sums, windows])).tolist()
        return dict(zip(self.losses, losses, strict=True)), all_windows


def total(losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the losses; of a single one itself."""
    first, *others = losses.values()
    return sum(others, start=first)


def checkpoint_name(step: int) -> str:
    """The folder name of the checkpoint after `step` steps."""
    return f"step-{step:08d}"


def seed_of(seed: int, step: int, micro_batch_index: int) -> int:
    """The seed of dropout in a micro batch, whichever worker computes it; 0 to below 2**63."""
    return int(np.random.SeedSequence([seed, step, micro_batch_index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def unused_parameters(model: Any, probe: Callable[[Any, Mapping[str, torch.Tensor]], torch.Tensor]) -> frozenset[str]:
    """Names of the parameters that get no gradient from what is trained, such as the upper levels of the pyramid.

    Args:
        probe: as in `TrainingObjective`.
    """
    tokens = 8
    inputs: dict[str, torch.Tensor] = {
        "input_ids": torch.zeros(1, tokens, dtype=torch.long),
        "bbox": torch.zeros(1, tokens, 4, dtype=torch.long),
        "image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
    }
    with torch.random.fork_rng(devices=[]):
        probe(model.train(), {name: tensor.to(model.device) for name, tensor in inputs.items()}).backward()
    unused = frozenset(name for name, parameter in model.named_parameters() if parameter.grad is None)
    model.zero_grad(set_to_none=True)
    return unused

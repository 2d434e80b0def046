"""What a model in pre-training is worth on pages that it does not learn: each objective's loss and accuracy.

Every figure has the chance beside it: what the best answer without looking at the page would reach. It is computed from
the held-out targets themselves, so that a model has to know more than how frequent they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

from pipelines.training.pretraining_inputs import PretrainingObjective
from pipelines.training.pretraining_loader import LABELS, PretrainingBatch
from pipelines.training.targets import IGNORED_TARGET
from pipelines.training.training_objective import Worker

LOGITS: dict[PretrainingObjective, str] = {
    "masked-words": "prediction_logits",
    "alignment": "alignment_logits",
    "matching": "matching_logits",
}
"""Where a model's output has the logits of an objective; those of masked words are of the masked tokens alone."""

CLASSES = 2
"""Of alignment and matching: no (0) and yes (1)."""


class _Sums:
    """Of one objective: the sum of the losses, and by class of the target how many there are and how many are right."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self.loss = torch.zeros(1, dtype=torch.float64, device=device)
        self.targets = torch.zeros(classes, dtype=torch.float64, device=device)
        self.right = torch.zeros(classes, dtype=torch.float64, device=device)

    def add(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """`logits`: [targets, classes]; `targets`: int64 [targets]."""
        self.loss += functional.cross_entropy(logits.float(), targets, reduction="sum").double()
        classes = len(self.targets)
        self.targets += torch.bincount(targets, minlength=classes)
        self.right += torch.bincount(targets[logits.argmax(-1) == targets], minlength=classes)

    def over_all(self, worker: Worker) -> None:
        for sums in (self.loss, self.targets, self.right):
            worker.sum(sums)


@torch.no_grad()
def evaluate_objectives(
    model: Any,
    batches: Iterable[PretrainingBatch],
    objectives: Iterable[PretrainingObjective],
    worker: Worker,
    dtype: str = "float32",
) -> dict[str, dict[str, float]]:
    """The figures of each objective over the batches of all workers, equal on every worker.

    Returns:
        For each objective with targets: `loss`, `accuracy`, and `targets`, their number; `chance_loss`, the entropy of
        the targets' frequencies, and `chance_accuracy`, the share of the most frequent one; for alignment and matching
        `balanced_accuracy` too, the mean of the shares that are right of each class, whose chance is 0.5.
    """
    sums = {name: _Sums(_classes(model, name), worker.device) for name in objectives}
    model.eval()
    for batch in batches:
        tensors = {name: tensor.to(worker.device) for name, tensor in batch.tensors.items()}
        with torch.autocast(worker.device.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
            output = model(**tensors)
        for name, of_objective in sums.items():
            labels = tensors[LABELS[name]]
            has_target = labels != IGNORED_TARGET
            logits = getattr(output, LOGITS[name])
            of_objective.add(logits if name == "masked-words" else logits[has_target], labels[has_target])
    for of_objective in sums.values():
        of_objective.over_all(worker)
    return {name: _figures(each) for name, each in sums.items() if each.targets.sum()}


def _classes(model: Any, objective: PretrainingObjective) -> int:
    return int(model.config.vocab_size) if objective == "masked-words" else CLASSES


def _figures(sums: _Sums) -> dict[str, float]:
    count = sums.targets.sum()
    occurs = sums.targets > 0
    shares = sums.targets[occurs] / count
    figures = {
        "loss": sums.loss.item() / count.item(),
        "chance_loss": -(shares * shares.log()).sum().item(),
        "accuracy": (sums.right.sum() / count).item(),
        "chance_accuracy": shares.max().item(),
        "targets": int(count),
    }
    if len(sums.targets) == CLASSES:
        figures["balanced_accuracy"] = (sums.right[occurs] / sums.targets[occurs]).mean().item()
    return figures

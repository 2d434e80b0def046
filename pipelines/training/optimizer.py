"""AdamW with two learning rates, warm-up and linear decay, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import nn

from pipelines.training.options import OptimizerOptions


def freeze(model: Any, options: OptimizerOptions, unused: Iterable[str]) -> None:
    """Stop the training of what the options freeze, and of the `unused` parameters of the task."""
    unused = set(unused)
    for name, parameter in model.named_parameters():
        if name in unused:
            parameter.requires_grad_(False)
    if options.freeze_backbone:
        model.base_model.visual.requires_grad_(False)
    if options.freeze_word_embeddings:
        model.get_input_embeddings().requires_grad_(False)


def make_optimizer(model: nn.Module, options: OptimizerOptions, new: Collection[str]) -> torch.optim.AdamW:
    """AdamW over the parameters that train, in groups by learning rate and decay.

    Args:
        new: names of the parameters that no checkpoint brought.

    Raises:
        ValueError: no parameter trains.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name in new, has_decay(name, parameter)), []).append(parameter)
    if not groups:
        raise ValueError("every part of the model is frozen, so nothing would train")
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak": options.new_parts_learning_rate if is_new else options.learning_rate,
                "weight_decay": options.weight_decay if decays else 0.0,
                "is_new": is_new,
            }
            for (is_new, decays), parameters in sorted(groups.items())
        ],
        lr=0.0,
    )


def has_decay(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter has weight decay: as in BERT, biases (q_bias and v_bias too) and norms have none."""
    return parameter.dim() > 1 and not name.endswith("bias")


def schedule(step: int, steps: int, warmup_fraction: float) -> float:
    """The share of the peak learning rate in a step (from 0): up to 1 in the warm-up, then linearly down to 0."""
    warmup = round(steps * warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / max(1, steps - warmup)


def set_learning_rates(optimizer: torch.optim.Optimizer, share: float) -> dict[str, float]:
    """Set the rate of every group to `share` of its peak; returns the rates for the log."""
    rates: dict[str, float] = {}
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
        rates["new_parts_learning_rate" if group["is_new"] else "learning_rate"] = group["lr"]
    return rates


class AverageWeights:
    """The exponential moving average of a model's weights, as a second model.

    Unlike `torch.optim.swa_utils.AveragedModel` it starts at the initial weights, skips frozen parameters and has no
    count of its own to restore.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        import copy

        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, steps: int) -> None:
        """Average in the weights after a step.

        Args:
            steps: steps done before. In the first ones the decay is lower, for the initial weights are far off.
        """
        decay = min(self.decay, (1 + steps) / (10 + steps))
        for average, current in zip(self.model.parameters(), model.parameters(), strict=True):
            if current.requires_grad:
                average.lerp_(current, 1 - decay)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)

"""Which floating-point type PyTorch runs a model in."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch

from model.cpu_features import has_bfloat16
from model.runtimes.runtime import DtypeChoice

logger = logging.getLogger(__name__)

MIN_AGREEMENT = 0.99
"""The share of the labels of a probe page that a shorter type must leave as they are in float32."""


def choose_dtype(
    choice: DtypeChoice,
    device: torch.device,
    agreement: Callable[[torch.dtype], float] | None = None,
    cpu_has_bfloat16: bool | None = None,
) -> torch.dtype:
    """The dtype for an option.

    "auto" is bfloat16 on a GPU that supports it. On other GPUs it is float16, and on a CPU that has it bfloat16, if the
    model's labels stay the same: float16 ends at 65,504, which the features of some visual backbones exceed. Else it is
    float32.

    Args:
        agreement: computes the share of labels that stay the same in a type (see `label_agreement`); called only where
            it decides. None: float32 there.
        cpu_has_bfloat16: None asks the CPU of this machine.
    """
    fast = has_bfloat16() if cpu_has_bfloat16 is None else cpu_has_bfloat16
    if choice != "auto":
        if choice != "float32" and device.type == "cpu" and not (fast and choice == "bfloat16"):
            logger.warning(
                "--dtype %s: this CPU does not compute in it and emulates it, many times slower than float32; "
                "--dtype auto takes the fastest that keeps the labels",
                choice,
            )
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[choice]
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    if device.type not in ("cpu", "cuda") or agreement is None or (device.type == "cpu" and not fast):
        return torch.float32
    short = torch.float16 if device.type == "cuda" else torch.bfloat16
    same = agreement(short)
    holds = same >= MIN_AGREEMENT
    logger.info(
        "The model runs in %s: %.1f%% of the labels of a probe page stay in %s as in float32 (%.0f%% are needed)",
        _name(short if holds else torch.float32),
        100 * same,
        _name(short),
        100 * MIN_AGREEMENT,
    )
    return short if holds else torch.float32


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def label_agreement(exact: np.ndarray, rounded: np.ndarray, task: str) -> float:
    """The share of equal labels in two results of `Runtime.logits` for the same windows, 0 to 1.

    A label is a token's, a page's, or for question answering the best start and the best end of each window. One whose
    logits are not finite is not equal.
    """
    axis = 1 if task == "question-answering" else -1
    return float(np.mean((exact.argmax(axis) == rounded.argmax(axis)) & np.isfinite(rounded).all(axis)))

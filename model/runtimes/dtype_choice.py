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
"""The share of the labels of a probe page that bfloat16 must leave as they are in float32."""


def choose_dtype(
    choice: DtypeChoice,
    device: torch.device,
    agreement: Callable[[], float] | None = None,
    cpu_has_bfloat16: bool | None = None,
) -> torch.dtype:
    """The dtype for an option.

    "auto" is bfloat16 on a GPU that supports it and float16 on others. On a CPU it is bfloat16 if the CPU has it and
    the model's labels stay the same, else float32.

    Args:
        agreement: computes the share of labels that stay the same (see `label_agreement`); called only where it
            decides. None: a CPU gets float32.
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
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type != "cpu" or not fast or agreement is None:
        return torch.float32
    same = agreement()
    holds = same >= MIN_AGREEMENT
    logger.info(
        "The model runs in %s: this CPU has bfloat16, in which %.1f%% of the labels of a probe page stay as in float32 "
        "(%.0f%% are needed)",
        "bfloat16" if holds else "float32",
        100 * same,
        100 * MIN_AGREEMENT,
    )
    return torch.bfloat16 if holds else torch.float32


def label_agreement(exact: np.ndarray, rounded: np.ndarray, task: str) -> float:
    """The share of equal labels in two results of `Runtime.logits` for the same windows, 0 to 1.

    A label is a token's, a page's, or for question answering the best start and the best end of each window.
    """
    axis = 1 if task == "question-answering" else -1
    return float(np.mean(exact.argmax(axis) == rounded.argmax(axis)))

"""How far the logits of real pages are from those in float64, by dtype; padding does not count."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.accelerator.ceilings import name_of
from benchmarks.accelerator.setting import MODELS, Case, Row, Setting, batch_of, kept_model

Logits = npt.NDArray[np.float64]

WINDOWS = 4
"""Of a batch: the explicit softmax of float64 takes memory."""


def correctness_cases(setting: Setting) -> list[Case]:
    """Each model in each dtype below float64. The reference of a model is computed once, before its first case."""
    reference = cache(partial(logits_of_pages, setting, dtype=torch.float64))
    return [
        Case(f"{model} {name_of(dtype)}", partial(compared, setting, model, dtype, reference))
        for model in MODELS
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    ]


@torch.inference_mode()
def logits_of_pages(setting: Setting, name: str, dtype: torch.dtype) -> Logits:
    """The logits of all tokens of all pages, float64 [tokens, labels]."""
    model, pages = kept_model(name, setting, dtype), setting.pages()
    ordered = sorted(pages.windows, key=lambda window: window.tokens)
    found = []
    for first in range(0, len(ordered), WINDOWS):
        windows = ordered[first : first + WINDOWS]
        inputs = batch_of(windows, pages, max(window.tokens for window in windows), setting.device)
        logits = model(**inputs).logits
        assert logits is not None
        found.append(logits[inputs["attention_mask"] == 1].double().cpu().numpy())
    return np.concatenate(found)


def compared(setting: Setting, name: str, dtype: torch.dtype, reference: Callable[[str], Logits]) -> Row:
    """The row of a model in a dtype: differences over finite logits, and the share of tokens with the same best label.

    Args:
        reference: gives the logits of a model in float64.
    """
    exact, logits = reference(name), logits_of_pages(setting, name, dtype)
    finite = np.isfinite(logits).all(axis=1)
    difference = np.abs(logits - exact)[finite]
    return {
        "model": name,
        "dtype": name_of(dtype),
        "tokens": len(logits),
        "logits_deviation": round(float(exact.std()), 5),
        "largest_difference": round(float(difference.max()), 7) if len(difference) else None,
        "mean_difference": round(float(difference.mean()), 8) if len(difference) else None,
        "tokens_not_finite": int((~finite).sum()),
        "labels_equal": round(float((finite & (logits.argmax(1) == exact.argmax(1))).mean()), 5),
    }

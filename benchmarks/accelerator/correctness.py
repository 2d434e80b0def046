"""How far the logits of real pages are from those in float64, by dtype; padding does not count."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.accelerator.ceilings import name_of
from benchmarks.accelerator.setting import MODELS, Case, Row, Setting, batch_of, make_model

WINDOWS = 4
"""Of a batch: the explicit softmax of float64 takes memory."""


def correctness_cases(setting: Setting) -> list[Case]:
    """Each model in each dtype below float64. The reference of a model is computed once, before its first case."""
    reference = cache(partial(logits_of_pages, setting, dtype=torch.float64))
    dtypes = (torch.float32, torch.bfloat16, torch.float16)
    return [
        Case(
            f"{model} {name_of(dtype)}",
            lambda model=model, dtype=dtype: compared(setting, model, dtype, reference(model)),
        )
        for model in MODELS
        for dtype in dtypes
    ]


@torch.inference_mode()
def logits_of_pages(setting: Setting, name: str, dtype: torch.dtype) -> npt.NDArray[np.float64]:
    """The logits of all tokens of all pages, float64 [tokens, labels]."""
    model, pages = make_model(name, setting, dtype), setting.pages()
    ordered = sorted(pages.windows, key=lambda window: window.tokens)
    found = []
    for first in range(0, len(ordered), WINDOWS):
        windows = ordered[first : first + WINDOWS]
        inputs = batch_of(windows, pages, max(window.tokens for window in windows), setting.device)
        logits = model(**inputs).logits
        assert logits is not None
        found.append(logits[inputs["attention_mask"] == 1].double().cpu().numpy())
    return np.concatenate(found)


def compared(setting: Setting, name: str, dtype: torch.dtype, reference: npt.NDArray[np.float64]) -> Row:
    """The row of a model in a dtype. `labels_equal` is the share of tokens whose best label is the same."""
    logits = logits_of_pages(setting, name, dtype)
    difference = np.abs(logits - reference)
    return {
        "model": name,
        "dtype": name_of(dtype),
        "tokens": len(logits),
        "logits_deviation": round(float(reference.std()), 5),
        "largest_difference": round(float(difference.max()), 7),
        "mean_difference": round(float(difference.mean()), 8),
        "labels_equal": round(float((logits.argmax(1) == reference.argmax(1)).mean()), 5),
    }

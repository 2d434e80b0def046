"""Whether an exported model says what PyTorch says, on windows of real pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.runtimes.runtime import Runtime

MIN_EQUAL_LABELS = {"none": 0.999, "int8": 0.9}
"""By quantization, the share of tokens that must have PyTorch's label. With int8 many tokens of pages unlike forms
change theirs: F1 on FUNSD's dev forms falls by .003 or less where 90% to 95% of the samples' labels are the same."""

MAX_LOGIT_DIFFERENCE = {"none": 1e-2, "int8": float("inf")}
"""By quantization, the largest difference of a logit: without int8 only rounding, which is near 1e-5 in float32."""


@dataclass(frozen=True)
class CheckedBatch:
    """Windows of one or more pages, as a runtime gets them.

    Attributes:
        images: uint8 [pages, 3, 224, 224].
        windows: see `Runtime.logits`.
        image_of_row: int64 [b].
    """

    images: np.ndarray
    windows: dict[str, np.ndarray]
    image_of_row: np.ndarray


@dataclass(frozen=True)
class Agreement:
    """How a runtime's logits compare with PyTorch's.

    Attributes:
        batches, windows, tokens: how many were compared; hidden tokens are not.
        shortest, longest: tokens of a window, padding included.
        largest_difference: of two logits.
        equal_labels: share of tokens, classes or answer positions whose highest logit is the same one, 0 to 1.
    """

    batches: int
    windows: int
    tokens: int
    shortest: int
    longest: int
    largest_difference: float
    equal_labels: float


def compare_runtimes(reference: Runtime, other: Runtime, batches: Sequence[CheckedBatch], task: str) -> Agreement:
    """Run both on the same batches.

    Raises:
        ValueError: there is no batch.
    """
    if not batches:
        raise ValueError("there is no page to compare an exported model with PyTorch on")
    differences: list[float] = []
    equal = compared = 0
    for batch in batches:
        expected, actual = (_logits(runtime, batch) for runtime in (reference, other))
        if task == "question-answering":
            expected, actual = (_visible_positions(logits, batch) for logits in (expected, actual))
        elif task == "token-classification":
            visible = batch.windows["attention_mask"] == 1
            expected, actual = expected[visible], actual[visible]
        difference = float(np.abs(expected - actual).max())
        differences.append(difference if np.isfinite(difference) else float("inf"))
        same = expected.argmax(-1) == actual.argmax(-1)
        equal, compared = equal + int(same.sum()), compared + same.size
    lengths = [batch.windows["input_ids"].shape[1] for batch in batches]
    return Agreement(
        batches=len(batches),
        windows=sum(len(batch.image_of_row) for batch in batches),
        tokens=sum(int(batch.windows["attention_mask"].sum()) for batch in batches),
        shortest=min(lengths),
        longest=max(lengths),
        largest_difference=max(differences),
        equal_labels=equal / compared,
    )


def failed_check(agreement: Agreement, quantization: str) -> str | None:
    """Why the exported model must not be used; None if it may."""
    found = (
        f"{agreement.equal_labels:.2%} of the labels are those of PyTorch and logits differ by up to "
        f"{agreement.largest_difference:.2g} on {agreement.windows} windows of real pages; at least "
        f"{MIN_EQUAL_LABELS[quantization]:.1%} and at most {MAX_LOGIT_DIFFERENCE[quantization]:.2g} are expected"
    )
    holds = (
        agreement.equal_labels >= MIN_EQUAL_LABELS[quantization]
        and agreement.largest_difference <= MAX_LOGIT_DIFFERENCE[quantization]
    )
    return None if holds else found


def _logits(runtime: Runtime, batch: CheckedBatch) -> np.ndarray:
    return runtime.logits(batch.windows, runtime.image_features(batch.images), batch.image_of_row)


def _visible_positions(logits: np.ndarray, batch: CheckedBatch) -> np.ndarray:
    """The scores of starts and ends, [b, 2, t], without those of hidden tokens."""
    hidden = batch.windows["attention_mask"] == 0
    return np.where(hidden[:, None, :], np.float32(-1e4), logits.swapaxes(1, 2))

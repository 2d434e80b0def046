from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.export.check import compare_runtimes, failed_check
from model.runtimes.torch_runtime import TorchRuntime
from tests.model.export.windows import BATCHES
from tests.model.small_model import small_model


class ShiftedRuntime(TorchRuntime):
    """The same model with a constant added to the logits of one label, as a wrong export might."""

    def __init__(self, model: Any, task: str, shift: float) -> None:
        super().__init__(model, task)
        self.shift = shift

    def logits(self, windows: dict[str, np.ndarray], features: Any, image_of_row: np.ndarray) -> np.ndarray:
        logits = super().logits(windows, features, image_of_row)
        logits[..., 0] += self.shift
        return logits


def test_a_runtime_agrees_with_itself() -> None:
    runtime = TorchRuntime(small_model(), "token-classification")
    agreement = compare_runtimes(runtime, runtime, BATCHES[:2], "token-classification")
    assert (agreement.largest_difference, agreement.equal_labels) == (0.0, 1.0)
    assert (agreement.windows, agreement.shortest, agreement.longest) == (4, 8, 40)
    assert agreement.tokens == sum(int(batch.windows["attention_mask"].sum()) for batch in BATCHES[:2])
    assert failed_check(agreement, "none") is None


@pytest.mark.parametrize("task", ["token-classification", "sequence-classification"])
def test_other_logits_fail_the_check(task: str) -> None:
    reference = TorchRuntime(small_model(task), task)
    agreement = compare_runtimes(reference, ShiftedRuntime(small_model(task), task, 0.5), BATCHES[:2], task)
    assert agreement.largest_difference == pytest.approx(0.5, abs=1e-5)
    assert "logits differ by up to 0.5" in (failed_check(agreement, "none") or "")


def test_a_logit_that_is_not_a_number_fails_the_check_of_int8_too() -> None:
    task = "token-classification"
    broken = ShiftedRuntime(small_model(), task, float("nan"))
    agreement = compare_runtimes(TorchRuntime(small_model(), task), broken, BATCHES[:1], task)
    assert agreement.largest_difference == float("inf")
    assert failed_check(agreement, "none") is not None

"""`--dtype auto` takes bfloat16 where it is fast and the labels stay the same; what is slow is not silent."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from model.runtimes.dtype_choice import MIN_AGREEMENT, choose_dtype, label_agreement

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [(1.0, torch.bfloat16), (MIN_AGREEMENT, torch.bfloat16), (0.98, torch.float32)],
)
def test_a_cpu_with_bfloat16_uses_it_if_the_labels_hold_and_the_log_says_why(
    agreement: float, expected: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert choose_dtype("auto", CPU, lambda _: agreement, cpu_has_bfloat16=True) == expected
    assert len(caplog.records) == 1 and f"{100 * agreement:.1f}%" in caplog.text
    assert str(expected).removeprefix("torch.") in caplog.text


def test_a_cpu_without_bfloat16_uses_float32_and_tries_nothing() -> None:
    def never(_: torch.dtype) -> float:
        raise AssertionError("the probe page was run")

    assert choose_dtype("auto", CPU, never, cpu_has_bfloat16=False) == torch.float32
    assert choose_dtype("float32", CPU, never, cpu_has_bfloat16=True) == torch.float32


def test_without_a_probe_a_cpu_uses_float32() -> None:
    assert choose_dtype("auto", CPU, cpu_has_bfloat16=True) == torch.float32


@pytest.mark.parametrize(
    ("choice", "cpu_has_bfloat16", "warns"),
    [("bfloat16", False, True), ("float16", True, True), ("bfloat16", True, False), ("float32", False, False)],
)
def test_a_dtype_that_the_cpu_emulates_is_used_with_a_warning(
    choice: str, cpu_has_bfloat16: bool, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose_dtype(choice, CPU, None, cpu_has_bfloat16) == getattr(torch, choice)  # type: ignore[arg-type]
    assert ("emulates it" in caplog.text) == warns


def test_a_gpu_without_bfloat16_uses_float16_if_the_labels_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: False)
    gpu = torch.device("cuda")
    assert choose_dtype("auto", gpu, lambda _: 1.0) == torch.float16
    assert choose_dtype("auto", gpu, lambda _: 0.7) == torch.float32


def test_logits_that_are_not_finite_agree_with_nothing() -> None:
    exact = np.zeros((1, 4, 3), np.float32)
    assert label_agreement(exact, np.full_like(exact, np.nan), "token-classification") == 0


def test_agreement_is_the_share_of_equal_labels() -> None:
    exact = np.zeros((1, 4, 3), np.float32)
    exact[0, :, 1] = 1
    rounded = exact.copy()
    rounded[0, 2, 0] = 2
    assert label_agreement(exact, exact, "token-classification") == 1
    assert label_agreement(exact, rounded, "token-classification") == 0.75
    assert label_agreement(exact[:, 0], rounded[:, 2], "sequence-classification") == 0
    starts_and_ends = exact[:, :, :2].copy()
    moved = starts_and_ends.copy()
    moved[0, 3, 1] = 5
    assert label_agreement(starts_and_ends, moved, "question-answering") == 0.5

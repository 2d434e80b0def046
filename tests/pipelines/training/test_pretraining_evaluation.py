"""Held-out figures, and the chance beside them."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model import LayoutLMv2Config, LayoutLMv2ForPreTraining
from pipelines.training.pretraining_curve import draw_pretraining_curve, pretraining_progress
from pipelines.training.pretraining_evaluation import evaluate_objectives
from pipelines.training.pretraining_inputs import OBJECTIVES
from pipelines.training.pretraining_loader import PretrainingBatch
from pipelines.training.training_objective import Worker
from tests.pipelines.datasets.drawn_corpus import TINY

ALONE = Worker(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def undecided() -> LayoutLMv2ForPreTraining:
    """A model that gives every answer the same score, but of masked words always prefers number 7."""
    model = LayoutLMv2ForPreTraining(LayoutLMv2Config(**TINY))
    torch.nn.init.zeros_(model.get_input_embeddings().weight)
    for head in (model.cls.alignment, model.cls.matching):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    with torch.no_grad():
        model.cls.predictions.bias[7] = 1e-3
    return model


def batch(labels: list[int], alignment: list[int], matching: int) -> PretrainingBatch:
    tokens = len(labels)
    return PretrainingBatch(
        0,
        0,
        1,
        (),
        {
            "input_ids": torch.ones(1, tokens, dtype=torch.long),
            "attention_mask": torch.ones(1, tokens, dtype=torch.long),
            "bbox": torch.zeros(1, tokens, 4, dtype=torch.long),
            "image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
            "labels": torch.tensor([labels]),
            "alignment_labels": torch.tensor([alignment]),
            "matching_labels": torch.tensor([matching]),
        },
    )


BATCHES = (
    batch([7, 7, -100, 9], [0, 0, 1, -100], 1),
    batch([7, -100, -100, 5], [0, 0, -100, -100], 1),
    batch([-100, -100, -100, -100], [0, 1, 1, -100], 0),
)


def test_figures_are_over_all_targets_and_beside_the_chance_of_their_frequencies(
    undecided: LayoutLMv2ForPreTraining,
) -> None:
    figures = evaluate_objectives(undecided, BATCHES, OBJECTIVES, ALONE)
    words, alignment, matching = (figures[name] for name in OBJECTIVES)
    assert words["targets"] == 5 and words["accuracy"] == words["chance_accuracy"] == pytest.approx(3 / 5)
    assert words["loss"] == pytest.approx(math.log(TINY["vocab_size"]), rel=1e-3)
    assert words["chance_loss"] == pytest.approx(-(0.6 * math.log(0.6) + 2 * 0.2 * math.log(0.2)))
    assert alignment["targets"] == 8 and alignment["loss"] == pytest.approx(math.log(2))
    assert alignment["chance_accuracy"] == pytest.approx(5 / 8) and alignment["balanced_accuracy"] == 0.5
    assert matching["targets"] == 3 and matching["chance_accuracy"] == pytest.approx(2 / 3)


def test_what_has_no_targets_is_left_out(undecided: LayoutLMv2ForPreTraining) -> None:
    assert list(evaluate_objectives(undecided, BATCHES[2:], OBJECTIVES, ALONE)) == ["alignment", "matching"]
    assert list(evaluate_objectives(undecided, BATCHES, ("matching",), ALONE)) == ["matching"]
    assert evaluate_objectives(undecided, (), OBJECTIVES, ALONE) == {}


def lines() -> list[dict[str, Any]]:
    figures = {"loss": 5.0, "chance_loss": 6.0, "accuracy": 0.2, "chance_accuracy": 0.1, "targets": 9}
    logged = {"epoch": 0.5, "windows_per_second": 3.0, "seconds_per_step": 2.0}
    losses = {"masked-words": 8.0, "matching": 0.7}
    return [
        {"step": 1, "loss": 8.7, "losses": losses, **logged},
        {"step": 2, "loss": 7.7, "losses": {**losses, "masked-words": 7.0}, **logged},
        {"step": 2, "epoch": 0.5, "held_out": {"masked-words": figures, "matching": {**figures, "loss": 0.6}}},
    ]


def test_the_line_of_progress_has_each_objective_beside_its_chance() -> None:
    line = pretraining_progress(lines(), 10)
    assert line.startswith("step 2/10, epoch 0.5, loss 7.7, 3.0 windows/s, 16 s left, held out: masked-words loss 5 ")
    assert "(chance 6), accuracy 0.200 (chance 0.100); matching loss 0.6" in line
    assert "held out" not in pretraining_progress(lines()[:1], 10)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_curve_has_a_panel_for_each_objective(count: int) -> None:
    drawn = Image.open(io.BytesIO(draw_pretraining_curve(lines()[:count], "pre-training")))
    panels = 2 if count else 1
    assert drawn.size == (120 * (1 + 4 * panels), 540)
    assert len(np.unique(np.asarray(drawn.convert("RGB")).reshape(-1, 3), axis=0)) > 10

"""Micro batches of a step add up: their gradients are those of one batch of all its pages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from model import LayoutLMv2Tokenizer
from pipelines.storage.files import Storage
from pipelines.training.initialization import choose_init
from pipelines.training.optimizer import freeze
from pipelines.training.options import BatchOptions
from pipelines.training.pretraining_inputs import OBJECTIVES, PretrainingObjective, PretrainingShares
from pipelines.training.pretraining_loader import (
    PLANNED,
    LoaderOptions,
    PretrainingBatch,
    load_buffers,
    planned_row,
    training_batch,
)
from pipelines.training.pretraining_objective import Pretraining, PretrainingJob
from pipelines.training.pretraining_options import PretrainingOptions
from pipelines.training.pretraining_pages import index_pages
from pipelines.training.training_loop import total, unused_parameters
from pipelines.training.training_objective import Worker
from tests.pipelines.datasets.drawn_corpus import TINY
from tests.pipelines.training.kept_pages import kept_page, write_kept_pages

ALONE = Worker(0, 1, torch.device("cpu"))
SHARES = PretrainingShares(replaced_pictures=0.0, dropped_pictures=0.4)
"""Which page lends its picture depends on the lane; that one is missing does not."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pages of different lengths, a model without dropout, and a tokenizer."""
    folder = tmp_path_factory.mktemp("objective")
    pages = [kept_page(f"{number}.pdf", 0, word_count=count) for number, count in enumerate((10, 40, 70))]
    write_kept_pages(str(folder / "kept"), pages)
    config = {**TINY, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    LayoutLMv2Tokenizer().save_pretrained(folder)
    return folder


def objective_of(
    home: Path, batch_size: int, micro_batch_size: int, objectives: tuple[PretrainingObjective, ...] = OBJECTIVES
) -> Pretraining:
    pages = index_pages(Storage(), [str(home / "kept")], 0.0)
    batches = BatchOptions(batch_size, micro_batch_size)
    options = PretrainingOptions(steps=1, batches=batches, objectives=objectives, shares=SHARES)
    start = choose_init(None, None, str(home / "config.json"))
    return Pretraining(PretrainingJob(options, start, str(home), "", Storage(), pages.training, pages.held_out))


def first_step(objective: Pretraining) -> list[PretrainingBatch]:
    """The micro batches of all lanes."""
    options, plan = objective.options, objective.plan
    loading = LoaderOptions(objective.job.tokenizer, 0, options.objectives, options.shares)
    rows = [planned_row(plan, buffer, 0, 1) for buffer in plan.buffers(0, 0, 1)]
    loaded = load_buffers(pa.Table.from_pylist(rows, schema=PLANNED), Storage(), loading)
    return [training_batch(loaded.slice(row, 1)) for row in range(loaded.num_rows)]


def add_gradients(objective: Pretraining, model: Any, batches: Iterable[PretrainingBatch], targets: Any) -> None:
    for batch in batches:
        total(objective.losses(model(**batch.tensors), batch, targets)).backward()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: weights.grad for name, weights in model.named_parameters() if weights.grad is not None}


def test_the_gradients_of_a_step_are_those_of_one_batch_of_all_its_pages(home: Path) -> None:
    whole, parts = objective_of(home, 4, 4), objective_of(home, 4, 1)
    (together,), lanes = first_step(whole), first_step(parts)
    assert together.own_windows == 3 and sorted(batch.own_windows for batch in lanes) == [0, 1, 1, 1]
    assert len({batch.targets("masked-words") for batch in lanes}) == 4, "means of means would be another loss"
    model = whole.initialize().model.train()
    model(**together.tensors).loss.backward()
    expected = gradients(model)
    model.zero_grad(set_to_none=True)
    add_gradients(parts, model, lanes, parts.step_targets(lanes, ALONE))
    found = gradients(model)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("left_out", OBJECTIVES)
def test_every_parameter_that_trains_has_a_gradient_in_a_step_without_targets_too(
    home: Path, left_out: PretrainingObjective
) -> None:
    """Workers wait for one another's gradients of every parameter that trains."""
    objective = objective_of(home, 4, 1, tuple(name for name in OBJECTIVES if name != left_out))
    model = objective.initialize().model.train()
    freeze(model, objective.options.optimizer, unused_parameters(model, objective.probe))
    (nothing,) = (batch for batch in first_step(objective) if not batch.own_windows)
    add_gradients(objective, model, [nothing], objective.step_targets([nothing], ALONE))
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert trained == gradients(model).keys()
    head = {"masked-words": "predictions", "alignment": "alignment", "matching": "matching"}[left_out]
    assert not any(name.startswith(f"cls.{head}") for name in trained)
    assert not any(gradient.any() for gradient in gradients(model).values())

"""Learning rates, what trains and what does not, and the average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification
from pipelines.training.optimizer import AverageWeights, freeze, make_optimizer, schedule, set_learning_rates
from pipelines.training.options import OptimizerOptions
from pipelines.training.training_loop import seed_of, unused_parameters
from tests.pipelines.datasets.drawn_corpus import TINY


@pytest.fixture
def tiny() -> LayoutLMv2ForTokenClassification:
    return LayoutLMv2ForTokenClassification(LayoutLMv2Config(**TINY))


def test_the_rate_rises_in_the_warm_up_and_falls_in_a_line_to_nothing() -> None:
    shares = [schedule(step, 10, 0.2) for step in range(10)]
    assert shares == pytest.approx([0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert schedule(0, 10, 0.0) == 1.0 and schedule(10, 10, 0.0) == 0.0


def test_new_parts_have_a_rate_of_their_own_and_biases_and_norms_no_decay(
    tiny: LayoutLMv2ForTokenClassification,
) -> None:
    options = OptimizerOptions(learning_rate=1e-4, new_parts_learning_rate=1e-2, weight_decay=0.1)
    optimizer = make_optimizer(tiny, options, {"classifier.weight", "classifier.bias"})
    assert set_learning_rates(optimizer, 0.5) == {"learning_rate": 5e-5, "new_parts_learning_rate": 5e-3}
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    named = {name: found.get(id(parameter)) for name, parameter in tiny.named_parameters()}
    assert named["classifier.weight"] == (5e-3, 0.1) and named["classifier.bias"] == (5e-3, 0.0)
    layer = "layoutlmv2.encoder.layer.0."
    assert named[layer + "attention.self.qkv_linear.weight"] == (5e-5, 0.1)
    for name in ("attention.self.q_bias", "attention.output.LayerNorm.weight", "output.dense.bias"):
        assert named[layer + name] == (5e-5, 0.0), name


def test_what_no_gradient_reaches_is_frozen_with_what_is_asked_for(tiny: LayoutLMv2ForTokenClassification) -> None:
    frozen_by_config = {name for name, parameter in tiny.named_parameters() if not parameter.requires_grad}
    unused = unused_parameters(tiny, lambda model, inputs: model(**inputs).logits.float().sum()) - frozen_by_config
    assert {"layoutlmv2.pooler.dense.weight", "layoutlmv2.pooler.dense.bias"} <= unused
    assert all("pooler" in name or "fpn_output" in name for name in unused)
    freeze(tiny, OptimizerOptions(freeze_backbone=True, freeze_word_embeddings=True), unused)
    trains = {name for name, parameter in tiny.named_parameters() if parameter.requires_grad}
    assert not any(".visual." in name or "word_embeddings" in name or name in unused for name in trains)
    assert {"layoutlmv2.visual_proj.weight", "layoutlmv2.embeddings.position_embeddings.weight"} <= trains


def test_a_model_of_which_nothing_trains_is_refused(tiny: LayoutLMv2ForTokenClassification) -> None:
    with pytest.raises(ValueError, match="nothing would train"):
        make_optimizer(tiny.requires_grad_(False), OptimizerOptions(), ())


def test_the_average_follows_the_weights_fast_at_first_and_slowly_later() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = AverageWeights(model, decay=0.9)
    nn.init.ones_(model.weight)
    average.update(model, steps=0)
    assert average.model.weight.item() == pytest.approx(0.9)  # decay (1 + 0) / (10 + 0)
    nn.init.zeros_(model.weight)
    average.update(model, steps=1000)
    assert average.model.weight.item() == pytest.approx(0.9 * 0.9)
    assert not average.model.weight.requires_grad


def test_dropout_has_a_seed_for_every_part_of_every_step() -> None:
    seeds = {
        seed_of(seed, step, micro_batch_index)
        for seed in range(3)
        for step in range(10)
        for micro_batch_index in range(4)
    }
    assert len(seeds) == 120 and all(0 <= seed < 2**63 for seed in seeds)
    torch.manual_seed(max(seeds))

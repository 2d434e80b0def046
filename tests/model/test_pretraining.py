"""One model learns three objectives: masked words, text-image alignment and text-image matching."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model import (
    LayoutLMv2ForPreTraining,
    LayoutLMv2ForQuestionAnswering,
    LayoutLMv2ForRelationExtraction,
    LayoutLMv2ForSequenceClassification,
    LayoutLMv2ForTokenClassification,
    LayoutLMv2Model,
)
from model.masked_words import LayoutLMv2ForMaskedWords
from model.outputs import LayoutLMv2ForPreTrainingOutput
from tests.model.conftest import Golden
from tests.model.small_model import small_config

CONFIG = small_config("question-answering")
HEADS = ("alignment", "matching", "predictions")
TOKENS = 12


@pytest.fixture(scope="module")
def pretraining_model() -> LayoutLMv2ForPreTraining:
    torch.manual_seed(0)
    return LayoutLMv2ForPreTraining(CONFIG).eval()


def page(rows: int = 2, side: int = 64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "input_ids": torch.randint(1000, 30000, (rows, TOKENS), generator=generator),
        "bbox": torch.randint(0, 400, (rows, TOKENS, 2), generator=generator).repeat(1, 1, 2)
        + torch.tensor([0, 0, 9, 9]),
        "image": torch.randint(0, 256, (rows, 3, side, side), generator=generator, dtype=torch.uint8),
    }


def some_labels() -> dict[str, torch.Tensor]:
    labels = torch.full((2, TOKENS), -100)
    labels[0, 3], labels[1, 7] = 2023, 4242
    alignment_labels = torch.full((2, TOKENS), -100)
    alignment_labels[0, 1:3], alignment_labels[1, 5] = 1, 0
    return {"labels": labels, "alignment_labels": alignment_labels, "matching_labels": torch.tensor([1, -100])}


def test_without_labels_every_head_scores_everything(pretraining_model: LayoutLMv2ForPreTraining) -> None:
    with torch.inference_mode():
        output = pretraining_model(**page())
    assert output.prediction_logits.shape == (2, TOKENS, CONFIG.vocab_size)
    assert output.alignment_logits.shape == (2, TOKENS, 2)
    assert output.matching_logits.shape == (2, 2)
    assert list(output) == ["prediction_logits", "alignment_logits", "matching_logits"]


def test_each_loss_is_the_mean_over_its_own_targets_and_the_loss_is_their_sum(
    pretraining_model: LayoutLMv2ForPreTraining,
) -> None:
    with torch.inference_mode():
        scored, output = pretraining_model(**page()), pretraining_model(**page(), **some_labels())
    words = torch.stack([scored.prediction_logits[0, 3], scored.prediction_logits[1, 7]])
    assert torch.allclose(output.prediction_logits, words, atol=1e-5), "masked tokens alone, in row order"
    expected = {
        "masked_word_loss": -words.log_softmax(-1)[[0, 1], [2023, 4242]].mean(),
        "alignment_loss": -scored.alignment_logits.log_softmax(-1)[[0, 0, 1], [1, 2, 5], [1, 1, 0]].mean(),
        "matching_loss": -scored.matching_logits.log_softmax(-1)[0, 1],
    }
    for name, loss in expected.items():
        assert output[name].item() == pytest.approx(loss.item(), rel=1e-5), name
    assert output.loss.item() == pytest.approx(sum(loss.item() for loss in expected.values()), rel=1e-5)


@pytest.mark.parametrize("left_out", ["labels", "alignment_labels", "matching_labels"])
def test_an_objective_without_labels_has_no_loss(pretraining_model: LayoutLMv2ForPreTraining, left_out: str) -> None:
    given = {name: labels for name, labels in some_labels().items() if name != left_out}
    with torch.inference_mode():
        output = pretraining_model(**page(), **given)
    losses = {
        "labels": output.masked_word_loss,
        "alignment_labels": output.alignment_loss,
        "matching_labels": output.matching_loss,
    }
    assert losses.pop(left_out) is None
    assert output.loss.item() == pytest.approx(sum(loss.item() for loss in losses.values()), rel=1e-6)
    assert (output.prediction_logits is None) == (left_out == "labels"), "a vocabulary for nothing"


def test_a_batch_without_targets_has_a_loss_and_gradients_of_zero() -> None:
    torch.manual_seed(0)
    model = LayoutLMv2ForPreTraining(CONFIG)
    ignored = {name: torch.full_like(labels, -100) for name, labels in some_labels().items()}
    output = model(**page(), **ignored)
    output.loss.backward()
    assert (output.loss, output.masked_word_loss, output.alignment_loss, output.matching_loss) == (0, 0, 0, 0)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {name for name, _ in model.named_parameters() if name.startswith("cls.")} < gradients.keys()
    assert not any(gradient.any() for gradient in gradients.values())


def test_labels_of_another_shape_are_named(pretraining_model: LayoutLMv2ForPreTraining) -> None:
    with pytest.raises(ValueError, match=r"alignment_labels has shape \[2, 3\]; expected \[2, 12\]"):
        pretraining_model(**page(), alignment_labels=torch.zeros(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"matching_labels has shape \[2, 1\]; expected \[2\]"):
        pretraining_model(**page(), matching_labels=torch.zeros(2, 1, dtype=torch.long))


def test_the_model_can_overfit_a_batch_in_all_three_objectives() -> None:
    torch.manual_seed(0)
    model = LayoutLMv2ForPreTraining(CONFIG)
    model.layoutlmv2.visual.requires_grad_(False)  # quick
    inputs = page(side=32)
    labels = inputs["input_ids"].clone()
    labels[:, ::2] = -100
    inputs["input_ids"] = torch.where(labels == -100, inputs["input_ids"], 103)
    alignment_labels = torch.where(labels == -100, torch.arange(TOKENS) % 4 // 2, -100)
    given = {"labels": labels, "alignment_labels": alignment_labels, "matching_labels": torch.tensor([1, 0])}
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    outputs = []
    for _ in range(12):
        optimizer.zero_grad()
        outputs.append(model(**inputs, **given))
        outputs[-1].loss.backward()
        optimizer.step()
    for name in ("masked_word_loss", "alignment_loss", "matching_loss"):
        assert outputs[-1][name] < 0.4 * outputs[0][name], name


def test_windows_of_a_page_share_its_picture(pretraining_model: LayoutLMv2ForPreTraining) -> None:
    inputs = page()
    inputs["image"] = inputs["image"][:1]
    twice = inputs | {"image": inputs["image"].repeat(2, 1, 1, 1)}
    with torch.inference_mode():
        shared = pretraining_model(**inputs, image_of_row=torch.tensor([0, 0]))
        own = pretraining_model(**twice)
    assert torch.allclose(shared.matching_logits, own.matching_logits, atol=1e-5)


def test_the_output_is_a_tuple_on_request_and_carries_what_is_asked_for(
    pretraining_model: LayoutLMv2ForPreTraining,
) -> None:
    with torch.inference_mode():
        output = pretraining_model(**page(), output_attentions=True, output_hidden_states=True)
        values = pretraining_model(**page(), output_attentions=True, output_hidden_states=True, return_dict=False)
    assert isinstance(output, LayoutLMv2ForPreTrainingOutput) and isinstance(values, tuple)
    assert len(values) == 5 and len(output.attentions) == len(output.hidden_states) - 1 == CONFIG.num_hidden_layers


def test_it_is_saved_and_read_whole(pretraining_model: LayoutLMv2ForPreTraining, tmp_path: Path) -> None:
    pretraining_model.save_pretrained(tmp_path)
    again = LayoutLMv2ForPreTraining.from_pretrained(tmp_path)
    assert not again.new_tensors
    assert "cls.predictions.transform.dense.weight" in again.state_dict()
    for name, value in pretraining_model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize(
    "model_class",
    [
        LayoutLMv2Model,
        LayoutLMv2ForTokenClassification,
        LayoutLMv2ForSequenceClassification,
        LayoutLMv2ForQuestionAnswering,
        LayoutLMv2ForRelationExtraction,
        LayoutLMv2ForMaskedWords,
    ],
)
def test_its_body_starts_every_other_class(
    pretraining_model: LayoutLMv2ForPreTraining, model_class: Any, tmp_path: Path
) -> None:
    pretraining_model.save_pretrained(tmp_path)
    has_segment = pretraining_model.config.has_visual_segment_embedding
    arguments = {"has_visual_segment_embedding": has_segment} if model_class is LayoutLMv2ForQuestionAnswering else {}
    model = model_class.from_pretrained(tmp_path, **arguments)
    for name, value in pretraining_model.layoutlmv2.state_dict().items():
        assert torch.equal(model.base_model.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("golden", "head"),
    [
        ("tiny", None),
        ("tiny-separate-qkv", "token-classification"),
        ("tiny-segment", "masked-words"),
    ],
    indirect=["golden"],
)
def test_any_checkpoint_starts_it_with_new_heads_that_are_named(
    golden: Golden, head: str | None, tmp_path: Path
) -> None:
    start: Any = golden.model()
    if head == "token-classification":
        start = golden.head("token")
    elif head == "masked-words":
        start = LayoutLMv2ForMaskedWords(golden.config())
    start.save_pretrained(tmp_path)
    model = LayoutLMv2ForPreTraining.from_pretrained(tmp_path)
    new = {name for name in HEADS if head != "masked-words" or name != "predictions"}
    assert {name.split(".")[1] for name in model.new_tensors} == new
    assert all(name.startswith("cls.") for name in model.new_tensors)
    for name, value in start.base_model.state_dict().items():
        assert torch.equal(model.layoutlmv2.state_dict()[name], value), name

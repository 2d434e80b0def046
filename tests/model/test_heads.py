from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from model.heads import LayoutLMv2ForQuestionAnswering, LayoutLMv2ForSequenceClassification
from tests.model.conftest import HEADS, Golden

AssertClose = Callable[..., None]


def labels_of(golden: Golden, head: str) -> dict[str, torch.Tensor]:
    if head == "qa":
        return golden.inputs("start_positions", "end_positions")
    return {"labels": golden.tensors[f"in.{head}_labels"]}


@torch.no_grad()
def test_logits_and_losses_equal_the_reference(golden: Golden, assert_close: AssertClose) -> None:
    # Question answering is kept for one of the models: the weights under the others' are not the base checkpoint's.
    heads = {name.split(".")[0] for name in golden.tensors if name.endswith(".loss")}
    assert heads == set(HEADS) - (set() if golden.config().has_visual_segment_embedding else {"qa"})
    for head in heads:
        output = golden.head(head)(**golden.inputs(), **labels_of(golden, head))
        expected = {name for name in golden.tensors if name.startswith(head + ".")}
        assert {f"{head}.{name}" for name in output} == expected
        for name, value in output.items():
            assert_close(value, golden.tensors[f"{head}.{name}"])


@torch.no_grad()
@pytest.mark.parametrize("head", list(HEADS))
def test_the_loss_comes_first_in_the_tuple_and_only_with_labels(head: str, tiny: Golden) -> None:
    model = HEADS[head](tiny.config(num_labels=2)).eval()
    labels = labels_of(tiny, head)
    labels = {name: value.clamp(max=1) if name == "labels" else value for name, value in labels.items()}
    options = {"output_hidden_states": True, "output_attentions": True, "return_dict": False}
    result = model(**tiny.inputs(), **labels, **options)
    logits = 2 if head == "qa" else 1
    assert isinstance(result, tuple)
    assert len(result) == 1 + logits + 2
    assert result[0].dim() == 0
    assert len(result[-2]) == 4
    assert len(result[-1]) == 3
    without = model(**tiny.inputs(), return_dict=False)
    assert len(without) == logits
    torch.testing.assert_close(without[0], result[1])


@torch.no_grad()
def test_the_loss_ignores_tokens_labelled_minus_100(tiny: Golden) -> None:
    model = tiny.head("token")
    labels = torch.full((2, 96), -100)
    labels[0, 3], labels[1, 7] = 4, 1
    output = model(**tiny.inputs(), labels=labels)
    expected = -(output.logits[0, 3].log_softmax(-1)[4] + output.logits[1, 7].log_softmax(-1)[1]) / 2
    torch.testing.assert_close(output.loss, expected)


@torch.no_grad()
@pytest.mark.parametrize(
    ("num_labels", "labels", "problem_type"),
    [
        (1, torch.tensor([0.5, -2.0]), "regression"),
        (1, torch.tensor([[0.5], [-2.0]]), "regression"),
        (7, torch.tensor([2, 6]), "single_label_classification"),
        (7, torch.tensor([2, 6], dtype=torch.int32), "single_label_classification"),
        (3, torch.tensor([[1.0, 0, 1], [0, 0, 1]]), "multi_label_classification"),
        (3, torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), "regression set by hand"),
    ],
)
def test_the_page_loss_is_that_of_the_problem_type(
    num_labels: int, labels: torch.Tensor, problem_type: str, tiny: Golden
) -> None:
    torch.manual_seed(0)
    by_hand = problem_type.endswith("by hand")
    config = tiny.config(num_labels=num_labels, problem_type="regression" if by_hand else None)
    model = LayoutLMv2ForSequenceClassification(config).eval()
    output = model(**tiny.inputs(), labels=labels)
    logits = output.logits
    if "regression" in problem_type:
        expected = (logits - labels.view_as(logits)).square().mean()
    elif problem_type.startswith("single"):
        expected = functional.nll_loss(logits.log_softmax(-1), labels.long())
    else:
        expected = -(labels * logits.sigmoid().log() + (1 - labels) * (1 - logits.sigmoid()).log()).mean()
    torch.testing.assert_close(output.loss, expected)
    assert model.config.problem_type == problem_type.split()[0]
    assert model.config.to_diff_dict()["problem_type"] == problem_type.split()[0]


@pytest.mark.parametrize(
    ("problem_type", "labels", "message"),
    [
        ("single_label_classification", torch.zeros(2, 3), "class numbers"),
        ("multi_label_classification", torch.zeros(2), r"needs \[2, 3\]"),
        ("regression", torch.zeros(2), r"needs \[2, 3\]"),
    ],
)
def test_page_labels_that_do_not_fit_the_problem_type_are_rejected(
    problem_type: str, labels: torch.Tensor, message: str, tiny: Golden
) -> None:
    model = LayoutLMv2ForSequenceClassification(tiny.config(num_labels=3, problem_type=problem_type)).eval()
    with pytest.raises(ValueError, match=message):
        model(**tiny.inputs(), labels=labels)


@torch.no_grad()
def test_classifying_pages_runs_the_backbone_once(tiny: Golden) -> None:
    model = tiny.head("sequence")
    calls: list[Any] = []
    model.layoutlmv2.visual.register_forward_hook(lambda *arguments: calls.append(arguments))
    model(**tiny.inputs())
    assert len(calls) == 1


@torch.no_grad()
def test_the_loss_ignores_answer_positions_outside_the_window(tiny: Golden) -> None:
    model = LayoutLMv2ForQuestionAnswering(tiny.config(num_labels=2)).eval()
    inside = model(**tiny.inputs(), start_positions=torch.tensor([3, 96]), end_positions=torch.tensor([[7], [5000]]))
    expected = -(inside.start_logits[0].log_softmax(-1)[3] + inside.end_logits[0].log_softmax(-1)[7]) / 2
    torch.testing.assert_close(inside.loss, expected)
    assert inside.start_logits.shape == inside.end_logits.shape == (2, 96)
    only_start = model(**tiny.inputs(), start_positions=torch.tensor([3, 4]))
    assert only_start.loss is None


def test_question_answering_has_a_visual_segment_embedding_by_default(tiny: Golden) -> None:
    config = tiny.config(num_labels=2)
    model = LayoutLMv2ForQuestionAnswering(config)
    assert model.config.has_visual_segment_embedding
    assert "layoutlmv2.visual_segment_embedding" in model.state_dict()
    assert not config.has_visual_segment_embedding, "the caller's configuration is left alone"
    without = LayoutLMv2ForQuestionAnswering(config, has_visual_segment_embedding=False)
    assert "layoutlmv2.visual_segment_embedding" not in without.state_dict()
    saved = without.config.replace(architectures=["LayoutLMv2ForQuestionAnswering"])
    assert "layoutlmv2.visual_segment_embedding" not in LayoutLMv2ForQuestionAnswering(saved).state_dict()


def test_a_question_answering_checkpoint_keeps_its_choice_of_segment_embedding(tiny: Golden, tmp_path: Path) -> None:
    base = tiny.folder / "checkpoint-base"
    made = LayoutLMv2ForQuestionAnswering.from_pretrained(base, num_labels=2)
    assert made.config.has_visual_segment_embedding
    without = LayoutLMv2ForQuestionAnswering.from_pretrained(base, num_labels=2, has_visual_segment_embedding=False)
    assert "layoutlmv2.visual_segment_embedding" not in without.state_dict()
    without.save_pretrained(tmp_path)
    again = LayoutLMv2ForQuestionAnswering.from_pretrained(tmp_path)
    assert again.state_dict().keys() == without.state_dict().keys()


def test_question_answering_requires_two_labels(tiny: Golden) -> None:
    with pytest.raises(ValueError, match="num_labels=2"):
        LayoutLMv2ForQuestionAnswering(tiny.config(num_labels=7))


@pytest.mark.parametrize("head", list(HEADS))
def test_training_a_head_trains_the_relative_biases(head: str, tiny: Golden) -> None:
    model = HEADS[head](tiny.config(num_labels=2)).train()
    labels = labels_of(tiny, head)
    labels = {name: value.clamp(max=1) if name == "labels" else value for name, value in labels.items()}
    model(**tiny.inputs(), **labels).loss.backward()
    for name in ("rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias"):
        assert getattr(model.layoutlmv2.encoder, name).weight.grad.abs().max() > 0


@torch.no_grad()
@pytest.mark.parametrize("head", list(HEADS))
def test_padding_does_not_change_logits(head: str, tiny: Golden, assert_close: AssertClose) -> None:
    model = HEADS[head](tiny.config(num_labels=2)).eval()
    inputs = tiny.inputs()
    short = model(**inputs)
    padded = {
        name: value if name == "image" else torch.cat([value, torch.zeros_like(value)], dim=1)
        for name, value in inputs.items()
    }
    long = model(**padded)
    for name, expected in short.items():
        actual = long[name] if head == "sequence" else long[name][:, :96]
        assert_close(actual, expected, tolerance=1e-5)

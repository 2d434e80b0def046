from __future__ import annotations

from typing import Any

import pytest
import torch

from model.config import LayoutLMv2Config
from model.encoder import LayoutLMv2Encoder
from model.pretrained import initialize

TOKENS = 37


def small_config(**values: Any) -> LayoutLMv2Config:
    return LayoutLMv2Config(
        **{
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "coordinate_size": 8,
            "shape_size": 8,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            **values,
        }
    )


def encoder(**values: Any) -> LayoutLMv2Encoder:
    torch.manual_seed(0)
    made = LayoutLMv2Encoder(small_config(**values)).eval()
    initialize(made, 0.3)
    return made


def tokens(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(batch, TOKENS, 48, generator=generator)
    corners = torch.randint(0, 1001, (batch, TOKENS, 2, 2), generator=generator).sort(dim=2).values
    visible = torch.rand(batch, TOKENS, generator=generator) > 0.2
    return hidden, torch.arange(TOKENS)[None], corners.flatten(2), visible


@pytest.mark.parametrize("training", [False, True], ids=["predicting", "training"])
@pytest.mark.parametrize(
    "values", [{}, {"fast_qkv": False}, {"has_relative_attention_bias": False, "has_spatial_attention_bias": False}]
)
def test_tokens_that_nobody_wants_are_left_out_and_the_others_stay_the_same(
    values: dict[str, Any], training: bool
) -> None:
    made = encoder(**values)
    with torch.set_grad_enabled(training):
        everything = made(*tokens()).last_hidden_state
        some = made(*tokens(), wanted=20)
        with_states = made(*tokens(), wanted=20, output_hidden_states=True)
    torch.testing.assert_close(some.last_hidden_state, everything[:, :20], rtol=1e-5, atol=1e-5)
    assert with_states.last_hidden_state.shape == everything.shape, "states are returned for all tokens"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fast_qkv": False},
        {"has_relative_attention_bias": False},
        {"has_spatial_attention_bias": False},
        {"has_relative_attention_bias": False, "has_spatial_attention_bias": False},
    ],
)
def test_fused_attention_equals_the_explicit_softmax(values: dict[str, Any]) -> None:
    made = encoder(**values)
    with torch.no_grad():  # on a CPU, a trainable bias uses the explicit softmax
        fused = made(*tokens())
    explicit = made(*tokens(), output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(fused.last_hidden_state, explicit.last_hidden_state, rtol=0, atol=1e-5)
    assert fused.attentions is None
    assert fused.hidden_states is None
    assert [tuple(attention.shape) for attention in explicit.attentions] == [(2, 4, TOKENS, TOKENS)] * 2
    visible = tokens()[3]
    for attention in explicit.attentions:
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4, TOKENS))
        assert attention[(~visible)[:, None, None, :].expand_as(attention)].max() == 0
    assert torch.equal(explicit.hidden_states[0], tokens()[0])
    assert torch.equal(explicit.hidden_states[-1], explicit.last_hidden_state)


def test_training_on_a_cpu_computes_the_same_as_inference() -> None:
    made = encoder()
    trained = made(*tokens())
    with torch.no_grad():
        inferred = made(*tokens())
    assert trained.last_hidden_state.requires_grad and trained.attentions is None
    torch.testing.assert_close(trained.last_hidden_state, inferred.last_hidden_state, rtol=0, atol=1e-5)


@pytest.mark.parametrize("output_attentions", [False, True])
def test_the_shared_tables_train_and_so_do_the_biases_of_queries_and_values(output_attentions: bool) -> None:
    made = encoder().train()
    made(*tokens(), output_attentions=output_attentions).last_hidden_state.square().sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("values", [{}, {"attention_probs_dropout_prob": 0.3, "hidden_dropout_prob": 0.3}])
def test_gradient_checkpointing_gives_the_same_gradients(values: dict[str, Any]) -> None:
    gradients = []
    for checkpointing in (False, True):
        made = encoder(**values).train()
        made.gradient_checkpointing = checkpointing
        torch.manual_seed(3)
        made(*tokens()).last_hidden_state.square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in made.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("output_attentions", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_no_nan_even_if_no_token_is_visible(dtype: torch.dtype, output_attentions: bool) -> None:
    made = encoder().to(dtype)
    hidden, positions, boxes, visible = tokens()
    visible[1] = False
    with torch.no_grad():
        result = made(hidden.to(dtype), positions, boxes, visible, output_attentions=output_attentions)
    result = result.last_hidden_state
    assert result.dtype == dtype
    assert result.isfinite().all()
    exact = encoder()(hidden, positions, boxes, visible).last_hidden_state
    assert (result[0].float() - exact[0]).abs().mean() < 0.03 * exact[0].std()


def test_under_autocast_the_mask_hides_tokens_and_nothing_is_nan() -> None:
    made = encoder()
    hidden, positions, boxes, visible = tokens()
    visible[1] = False
    with torch.autocast("cpu", torch.bfloat16):
        result = made(hidden, positions, boxes, visible).last_hidden_state
        changed = made(hidden.where(visible[..., None], torch.tensor(5.0)), positions, boxes, visible).last_hidden_state
    assert result.isfinite().all()
    assert torch.equal(result[0, visible[0]], changed[0, visible[0]])


def test_the_feed_forward_in_chunks_computes_the_same() -> None:
    whole = encoder()(*tokens()).last_hidden_state
    in_chunks = encoder(chunk_size_feed_forward=10)(*tokens()).last_hidden_state
    torch.testing.assert_close(in_chunks, whole)

"""The Transformer encoder with spatial-aware self-attention (paper, section 2.2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from model.activations import activation
from model.config import LayoutLMv2Config
from model.relative_bias import page_table, relative_bias, text_table


class LayoutLMv2SelfAttention(nn.Module):
    """Multi-head attention with an additive bias that the encoder computes once for all layers.

    `qkv_linear` has no bias of its own; queries and values have one each, keys none (with `fast_qkv`, the default).
    """

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads = config.num_attention_heads
        self.head_size = size // self.heads
        self.fast_qkv = config.fast_qkv
        if config.fast_qkv:
            self.qkv_linear = nn.Linear(size, 3 * size, bias=False)
            self.q_bias = nn.Parameter(torch.zeros(1, 1, size))
            self.v_bias = nn.Parameter(torch.zeros(1, 1, size))
        else:
            self.query = nn.Linear(size, size)
            self.key = nn.Linear(size, size)
            self.value = nn.Linear(size, size)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def _project(self, hidden: torch.Tensor, queries: int | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        asking = hidden if queries is None else hidden[:, :queries]
        parts: tuple[torch.Tensor, ...]
        if not self.fast_qkv:
            parts = (self.query(asking), self.key(hidden), self.value(hidden))
        else:
            weight, zeros = self.qkv_linear.weight, torch.zeros_like(self.v_bias)
            if queries is None:
                offset = torch.cat([self.q_bias, zeros, self.v_bias], dim=-1).flatten()
                parts = functional.linear(hidden, weight, offset).chunk(3, dim=-1)
            else:
                size = weight.shape[1]
                offset = torch.cat([zeros, self.v_bias], dim=-1).flatten()
                query = functional.linear(asking, weight[:size], self.q_bias.flatten())
                parts = (query, *functional.linear(hidden, weight[size:], offset).chunk(2, dim=-1))
        query, key, value = (part.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2) for part in parts)
        return query, key, value

    def forward(
        self, hidden: torch.Tensor, bias: torch.Tensor, output_attentions: bool, queries: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The context [b, s, hidden_size] of tokens of that shape with a bias [b, heads, s, s] or [b, 1, 1, s].

        With `queries`, it is that of the first so many tokens alone, which attend to all. The second result is the
        probabilities [b, heads, s, s] with `output_attentions`, else None.
        """
        query, key, value = self._project(hidden, queries)
        if queries is not None and bias.shape[-2] > 1:
            bias = bias[:, :, :queries]
        # On a CPU, PyTorch's fused attention has no gradient for a bias, so the same steps are explicit, in float32.
        if output_attentions or (bias.requires_grad and hidden.device.type == "cpu"):
            scores = (query / math.sqrt(self.head_size)) @ key.transpose(-1, -2)
            probabilities = self.dropout(torch.softmax(scores.float() + bias, dim=-1).to(value.dtype))
            context = probabilities @ value
        else:
            probabilities = None
            dropout = self.dropout.p if self.training else 0.0
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        return context.transpose(1, 2).flatten(2), probabilities if output_attentions else None


class LayoutLMv2Output(nn.Module):
    """A projection, the residual connection and its norm: the end of both halves of a layer."""

    def __init__(self, config: LayoutLMv2Config, input_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(input_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.dropout(self.dense(hidden)) + residual)


class LayoutLMv2Attention(nn.Module):
    """Self-attention and its output projection, named as in checkpoints."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.self = LayoutLMv2SelfAttention(config)
        self.output = LayoutLMv2Output(config, config.hidden_size)


class LayoutLMv2Intermediate(nn.Module):
    """The wide hidden layer of the feed-forward network."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = activation(config.hidden_act)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.intermediate_act_fn(self.dense(hidden))


class LayoutLMv2Layer(nn.Module):
    """One layer: attention, then feed-forward, each followed by a residual connection and a norm."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.chunk = config.chunk_size_feed_forward
        self.attention = LayoutLMv2Attention(config)
        self.intermediate = LayoutLMv2Intermediate(config)
        self.output = LayoutLMv2Output(config, config.intermediate_size)

    def forward(
        self, hidden: torch.Tensor, bias: torch.Tensor, output_attentions: bool, queries: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The layer's output for all tokens or for the first `queries`, and the probabilities if they are asked for."""
        context, probabilities = self.attention.self(hidden, bias, output_attentions, queries)
        attended = self.attention.output(context, hidden if queries is None else hidden[:, :queries])
        # Optional chunks of tokens use less memory, with the same result; in an export their number would be fixed.
        in_chunks = self.chunk and not torch.compiler.is_exporting()
        chunks = attended.split(self.chunk, dim=1) if in_chunks else (attended,)
        results = [self.output(self.intermediate(chunk), chunk) for chunk in chunks]
        return (torch.cat(results, dim=1) if len(results) > 1 else results[0]), probabilities


class EncoderOutput(NamedTuple):
    """last_hidden_state: [b, s, hidden_size]; hidden_states: the input and every layer's output; attentions: one per
    layer, [b, heads, s, s]. The last two are None unless requested."""

    last_hidden_state: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...] | None
    attentions: tuple[torch.Tensor, ...] | None


class LayoutLMv2Encoder(nn.Module):
    """The layers, and the tables of relative biases that they share."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.layer = nn.ModuleList([LayoutLMv2Layer(config) for _ in range(config.num_hidden_layers)])
        if config.has_relative_attention_bias:
            self.rel_pos_bias = text_table(config)
        if config.has_spatial_attention_bias:
            self.rel_pos_x_bias = page_table(config)
            self.rel_pos_y_bias = page_table(config)
        self.has_relative_attention_bias = config.has_relative_attention_bias
        self.has_spatial_attention_bias = config.has_spatial_attention_bias
        self.gradient_checkpointing = False

    def attention_bias(
        self, position_ids: torch.Tensor, bbox: torch.Tensor, visible: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """The additive bias of all layers; arguments and result as in `relative_bias`."""
        in_text = self.rel_pos_bias if self.has_relative_attention_bias else None
        on_page = (self.rel_pos_x_bias, self.rel_pos_y_bias) if self.has_spatial_attention_bias else None
        return relative_bias(in_text, on_page, position_ids, bbox, visible, dtype)

    def forward(
        self,
        hidden: torch.Tensor,
        position_ids: torch.Tensor,
        bbox: torch.Tensor,
        visible: torch.Tensor,
        *,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        wanted: int | None = None,
    ) -> EncoderOutput:
        """Encode tokens.

        Args:
            hidden: [b, s, hidden_size].
            position_ids: int64 [b or 1, s], 0 to max_position_embeddings - 1.
            bbox: int64 [b, s, 4], 0..1000.
            visible: bool [b, s], False for padding.
            output_attentions: return the attention probabilities. Fused attention does not compute them, so an explicit
                softmax is used: the same result up to rounding, slower and with more memory.
            output_hidden_states: return the input of the first layer and the output of each.
            wanted: `last_hidden_state` is needed for the first so many tokens, and the last layer leaves out the
                others, unless its attentions or hidden states are returned; None: for all.
        """
        if output_attentions or output_hidden_states:
            wanted = None
        bias = self.attention_bias(position_ids, bbox, visible, _attention_dtype(hidden))
        hidden_states = [hidden]
        attentions: list[torch.Tensor] = []
        for number, layer in enumerate(self.layer, start=1):
            queries = wanted if number == len(self.layer) else None
            if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
                hidden, probabilities = checkpoint(layer, hidden, bias, output_attentions, queries, use_reentrant=False)
            else:
                hidden, probabilities = layer(hidden, bias, output_attentions, queries)
            if output_hidden_states:
                hidden_states.append(hidden)
            if probabilities is not None:
                attentions.append(probabilities)
        return EncoderOutput(
            hidden,
            tuple(hidden_states) if output_hidden_states else None,
            tuple(attentions) if output_attentions else None,
        )


def _attention_dtype(hidden: torch.Tensor) -> torch.dtype:
    # Under autocast the projections, and so the scores, have its dtype; the mask is the lowest value of that dtype.
    device = hidden.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype

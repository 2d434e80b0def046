"""Relative attention bias: a learned addition to the attention score of two tokens, by the distance between them.

Distances are in the text (1-D) and on the page (2-D), paper section 2.2; the bins are T5's. All layers share one bias,
which includes the mask, so it is computed once per forward pass.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from model.config import LayoutLMv2Config

_ALIGNMENT = 8
"""Rows of the bias start at multiples of this many elements: the fused GPU kernels copy an unaligned bias."""


def relative_position_bucket(relative_position: torch.Tensor, num_buckets: int, max_distance: int) -> torch.Tensor:
    """The bin of each signed distance, 0 to num_buckets - 1, int64 of the same shape.

    Half of the bins are for positive distances. In each half, the first half has one bin per distance, the others grow
    logarithmically up to `max_distance`, and larger distances share the last bin. Edges are rounded in float32, as in
    the reference.
    """
    half = num_buckets // 2
    exact = half // 2
    distance = relative_position.abs()
    steps = torch.log(distance.float() / exact) / math.log(max_distance / exact) * (half - exact)
    far = exact + steps.clamp(min=0).to(torch.long)
    bucket = torch.where(distance < exact, distance, far.clamp(max=half - 1))
    return bucket + (relative_position > 0).long() * half


class DistanceTable(nn.Module):
    """One learned number for each attention head and distance bin; `weight` is [heads, bins].

    Checkpoints store it as a linear layer without bias over one-hot bins; here it is a table lookup.
    """

    def __init__(self, heads: int, bins: int, bin_limit: int, largest: int) -> None:
        """`bin_limit` is the `max_distance` of the bins; inputs are distances from -largest to largest."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, bins))
        self.largest = largest
        # Computed once, on the CPU: no logarithm in the forward pass, and the same rounding on every device.
        lookup = relative_position_bucket(torch.arange(-largest, largest + 1, device="cpu"), bins, bin_limit)
        if not self.weight.is_meta:
            lookup = lookup.to(self.weight.device)
        self.register_buffer("bins", lookup, persistent=False)
        self.bins: torch.Tensor

    def forward(self, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """The bias of each pair, [b, heads, q, k], from integer positions [b, q] and [b, k]; trains `weight`."""
        heads, bins = self.weight.shape
        distance = keys.unsqueeze(-2) - queries.unsqueeze(-1)
        index = self.bins[distance + self.largest].unsqueeze(1).expand(-1, heads, -1, -1)
        # A gather along rows of the expanded table, because its gradient first sums within each row: a direct lookup
        # is slow to train, which is why the reference omits the gradient.
        table = self.weight.view(1, heads, 1, bins).expand(index.shape[0], -1, index.shape[2], -1)
        return table.gather(-1, index)

    def bins_of(self, positions: torch.Tensor) -> torch.Tensor:
        """The bin of each pair of positions [b, s]: int32 [b, s, s], queries by keys."""
        # Small numbers and a plain look-up, because on a CPU this is a good part of the cost of a bias.
        positions = positions.int()
        distance = positions.unsqueeze(-2) - (positions - self.largest).unsqueeze(-1)
        return self.bins.int().index_select(0, distance.flatten()).view(distance.shape)


def relative_bias(
    in_text: DistanceTable | None,
    on_page: tuple[DistanceTable, DistanceTable] | None,
    position_ids: torch.Tensor,
    bbox: torch.Tensor,
    visible: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The sum of the biases that the model has, for distance in the text and on the page, and of the mask.

    Args:
        in_text: the 1-D table, if the model has one.
        on_page: the tables of x and y, if the model has them. Horizontal distances are between x0, vertical ones
            between y1: the bottom of a box, not its top, as in the reference.
        position_ids: int64 [b or 1, s].
        bbox: int64 [b, s, 4], 0 to max_2d_position_embeddings - 1.
        visible: bool [b, s], False where a token must not be attended to.
        dtype: of the result, in which hidden tokens get the lowest finite value (minus infinity would turn a row with
            nothing to attend to into NaN).

    Returns:
        [b, heads, s, s], queries by keys; without tables [b, 1, 1, s].
    """
    if _is_inference_on_cpu(in_text, on_page, visible):
        return _looked_up(in_text, on_page, position_ids, bbox, visible, dtype)
    keys = visible.shape[1]
    # An exported program has a symbol for the number of tokens, which must not be tied to a remainder.
    padding = 0 if torch.compiler.is_exporting() else -keys % _ALIGNMENT
    hidden = nn.functional.pad(~visible, (0, padding))[:, None, None, :]
    positions = nn.functional.pad(position_ids, (0, padding))
    boxes = nn.functional.pad(bbox, (0, 0, 0, padding))
    bias: torch.Tensor | None = None
    if on_page is not None:
        x, y = boxes[..., 0], boxes[..., 3]
        bias = on_page[0](x[:, :keys], x).add_(on_page[1](y[:, :keys], y))
    if in_text is not None:
        part = in_text(positions[:, :keys], positions)
        bias = part.expand(visible.shape[0], -1, -1, -1).clone() if bias is None else bias.add_(part)
    if bias is None:
        bias = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
    return bias.to(dtype).masked_fill_(hidden, torch.finfo(dtype).min)[..., :keys]


def _is_inference_on_cpu(
    in_text: DistanceTable | None, on_page: tuple[DistanceTable, DistanceTable] | None, visible: torch.Tensor
) -> bool:
    if visible.device.type != "cpu" or (torch.compiler.is_compiling() and not torch.compiler.is_exporting()):
        return False
    tables = [table for table in (in_text, *(on_page or ())) if table is not None]
    return not (torch.is_grad_enabled() and any(table.weight.requires_grad for table in tables))


def _looked_up(
    in_text: DistanceTable | None,
    on_page: tuple[DistanceTable, DistanceTable] | None,
    position_ids: torch.Tensor,
    bbox: torch.Tensor,
    visible: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The same bias without a gradient, also in exported programs: a fifth of the time on a CPU.

    Both distances on the page become one number, so that one look-up in a table of all pairs of bins replaces two, and
    the numbers are computed once for all heads; a mask that hides nothing is not applied.
    """
    batch, keys = visible.shape
    bias: torch.Tensor | None = None
    if on_page is not None:
        x, y = on_page
        heads, columns = x.weight.shape
        rows = y.weight.shape[1]
        pairs = (x.weight[:, None, :] + y.weight[:, :, None]).view(heads, rows * columns)
        bins = x.bins_of(bbox[..., 0]).add_(y.bins_of(bbox[..., 3]), alpha=columns)
        bias = pairs.index_select(1, bins.flatten()).view(heads, *bins.shape)
    if in_text is not None:
        bins = in_text.bins_of(position_ids)
        part = in_text.weight.index_select(1, bins.flatten()).view(-1, *bins.shape)
        bias = part.expand(-1, batch, -1, -1) if bias is None else bias.add_(part)
    if bias is None:
        bias = torch.zeros(1, batch, 1, keys, dtype=dtype)
    bias = bias.transpose(0, 1).to(dtype)
    if not torch.compiler.is_exporting() and visible.all():
        return bias
    return bias.masked_fill(~visible[:, None, None, :], torch.finfo(dtype).min)


def text_table(config: LayoutLMv2Config) -> DistanceTable:
    """The 1-D table of a configuration."""
    largest = config.max_position_embeddings - 1
    return DistanceTable(config.num_attention_heads, config.rel_pos_bins, config.max_rel_pos, largest)


def page_table(config: LayoutLMv2Config) -> DistanceTable:
    """One of the two 2-D tables of a configuration."""
    largest = config.max_2d_position_embeddings - 1
    return DistanceTable(config.num_attention_heads, config.rel_2d_pos_bins, config.max_rel_2d_pos, largest)

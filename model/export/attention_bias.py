"""The relative attention bias as a runtime computes it fast: one lookup for the page, one for the text.

The model looks distances up with a gather whose gradient is cheap (`model.relative_bias`). Without a gradient, the
tables of x and y are one table over pairs of bins, and the heads are lookups at an offset: the same sums in the same
order, so the result is equal to the last bit.
"""

from __future__ import annotations

import torch
from torch import nn

from model.encoder import LayoutLMv2Encoder
from model.relative_bias import DistanceTable


class LookupBias(nn.Module):
    """`LayoutLMv2Encoder.attention_bias` for float32, in lookups into flat tables."""

    def __init__(self, encoder: LayoutLMv2Encoder) -> None:
        super().__init__()
        self.on_text = encoder.has_relative_attention_bias
        self.on_page = encoder.has_spatial_attention_bias
        if self.on_text:
            self.text_largest = encoder.rel_pos_bias.largest
            self.register_buffer("text_table", _by_distance(encoder.rel_pos_bias).flatten())
            self.heads, self.text_size = _by_distance(encoder.rel_pos_bias).shape
        if self.on_page:
            x, y = encoder.rel_pos_x_bias, encoder.rel_pos_y_bias
            self.page_largest = x.largest
            self.heads, bins = y.weight.shape
            pairs = x.weight.detach().float()[:, :, None] + y.weight.detach().float()[:, None, :]
            self.page_size = pairs[0].numel()
            self.register_buffer("page_table", pairs.flatten())
            self.register_buffer("x_bins", (x.bins * bins).int())
            self.register_buffer("y_bins", y.bins.int())
        self.text_table: torch.Tensor
        self.page_table: torch.Tensor
        self.x_bins: torch.Tensor
        self.y_bins: torch.Tensor

    def forward(self, position_ids: torch.Tensor, bbox: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """The bias of all layers, float32 [b, heads, s, s]; without tables [b, 1, 1, s].

        Args:
            position_ids: int64 [b or 1, s].
            bbox: int64 [b, s, 4].
            visible: bool [b, s].
        """
        lowest = torch.finfo(torch.float32).min
        mask = torch.where(visible, 0.0, lowest)[:, None, None, :]
        if not self.on_page and not self.on_text:
            return mask
        heads = torch.arange(self.heads, dtype=torch.int32)[:, None, None]
        bias = mask
        if self.on_page:
            x = _look_up(self.x_bins, _distances(bbox[..., 0]) + self.page_largest)
            y = _look_up(self.y_bins, _distances(bbox[..., 3]) + self.page_largest)
            bias = _look_up(self.page_table, (x + y).unsqueeze(1) + heads * self.page_size)
        if self.on_text:
            index = (_distances(position_ids) + self.text_largest).unsqueeze(1) + heads * self.text_size
            part = _look_up(self.text_table, index)
            bias = bias + part if self.on_page else part.expand(visible.shape[0], -1, -1, -1)
        # A finite bias is lost in the lowest value that float32 has: hidden tokens get that value.
        return bias + mask


def _by_distance(table: DistanceTable) -> torch.Tensor:
    """The learned number of each distance: float32 [heads, 2 * largest + 1]."""
    return table.weight.detach().float()[:, table.bins]


def _distances(positions: torch.Tensor) -> torch.Tensor:
    """Keys minus queries: int32 [b, s, s]."""
    positions = positions.int()
    return positions.unsqueeze(-2) - positions.unsqueeze(-1)


def _look_up(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Entries of a flat table at int32 indices of any shape; `table[index]` would export as an operator for int64."""
    return table.index_select(0, index.flatten()).view(index.shape)

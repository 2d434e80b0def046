"""Embeddings of words, of their positions in the text and on the page, and of visual tokens (paper, section 2.1)."""

from __future__ import annotations

import torch
from torch import nn

from model.config import LayoutLMv2Config


class LayoutLMv2Embeddings(nn.Module):
    """The embedding tables that text and visual tokens share, and the embedding of text."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        boxes = config.max_2d_position_embeddings
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.x_position_embeddings = nn.Embedding(boxes, config.coordinate_size)
        self.y_position_embeddings = nn.Embedding(boxes, config.coordinate_size)
        self.h_position_embeddings = nn.Embedding(boxes, config.shape_size)
        self.w_position_embeddings = nn.Embedding(boxes, config.shape_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def spatial(self, bbox: torch.Tensor) -> torch.Tensor:
        """Embed boxes, integers [..., 4] in 0..1000, as [..., hidden_size]: x0, y0, x1, y1, height, width in turn."""
        x0, y0, x1, y1 = bbox.unbind(dim=-1)
        return torch.cat(
            [
                self.x_position_embeddings(x0),
                self.y_position_embeddings(y0),
                self.x_position_embeddings(x1),
                self.y_position_embeddings(y1),
                self.h_position_embeddings(y1 - y0),
                self.w_position_embeddings(x1 - x0),
            ],
            dim=-1,
        )

    def positional(self, bbox: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        """Embed positions on the page [..., 4] and in the text [...], integers, as [..., hidden_size]."""
        return self.position_embeddings(position_ids) + self.spatial(bbox)

    def forward(
        self,
        inputs_embeds: torch.Tensor,
        bbox: torch.Tensor,
        position_ids: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> torch.Tensor:
        """The encoder's text input, from word vectors [b, t, hidden_size] and their boxes, positions and types."""
        total = inputs_embeds + self.positional(bbox, position_ids) + self.token_type_embeddings(token_type_ids)
        return self.dropout(self.LayerNorm(total))


def visual_boxes(rows: int, columns: int, device: torch.device | None = None) -> torch.Tensor:
    """The boxes of a grid of visual tokens over the page, row by row: int64 [rows * columns, 4], 0..1000.

    Edges are at i * 1000 / n rounded down, so that neighbours share an edge, as in the reference.
    """
    x = torch.arange(columns + 1, device=device) * 1000 // columns
    y = torch.arange(rows + 1, device=device) * 1000 // rows
    left, top = x[:-1].repeat(rows), y[:-1].repeat_interleave(columns)
    right, bottom = x[1:].repeat(rows), y[1:].repeat_interleave(columns)
    return torch.stack([left, top, right, bottom], dim=-1)

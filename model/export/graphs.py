"""The two graphs of an exported model: images to visual features once a page, windows to logits.

Both take any number of pages, windows and tokens.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from model.pretrained import LayoutLMv2PreTrainedModel
from model.runtimes.graph_inputs import TEXT_INPUTS

IMAGE_SHAPE = (3, 224, 224)
"""Channels (BGR), height and width of the images that an exported model takes."""


class ImageGraph(nn.Module):
    """uint8 [pages, 3, 224, 224] to the features of each page, float32 [pages, visual_tokens, hidden_size]."""

    def __init__(self, model: LayoutLMv2PreTrainedModel) -> None:
        super().__init__()
        self.base: Any = model.base_model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.base.image_features(images)
        return features


class TextGraph(nn.Module):
    """Windows and the features of their pages to float32 logits: [b, t, labels], [b, labels] or [b, t, 2], by task."""

    def __init__(self, model: LayoutLMv2PreTrainedModel) -> None:
        """`model`: with the head of its task, in evaluation mode and float32; it is copied."""
        super().__init__()
        # Without gradients, or the export to ONNX lays the attention out as for a training, and fails.
        self.model: Any = copy.deepcopy(model).requires_grad_(False)
        base: Any = self.model.base_model
        base.visual = base.visual_proj = nn.Identity()  # the features are given: without their weights

    def forward(
        self,
        input_ids: torch.Tensor,
        token_type_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        bbox: torch.Tensor,
        features: torch.Tensor,
        image_of_row: torch.Tensor,
    ) -> torch.Tensor:
        output = self.model(
            input_ids=input_ids,
            bbox=bbox,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            image_features=features,
            image_of_row=image_of_row,
            return_dict=True,
        )
        if hasattr(output, "start_logits"):
            return torch.stack([output.start_logits, output.end_logits], dim=-1)
        logits: torch.Tensor = output.logits
        return logits


def export_image_graph(model: LayoutLMv2PreTrainedModel) -> ExportedProgram:
    """The image graph of a model in float32, for any number of pages."""
    return _export(ImageGraph(model), {"images": torch.zeros(2, *IMAGE_SHAPE, dtype=torch.uint8)}, {"images": 1})


def export_text_graph(model: LayoutLMv2PreTrainedModel) -> ExportedProgram:
    """The text graph of a model in float32, for any number of windows, tokens and pages."""
    windows, tokens, pages = 2, 24, 3
    base: Any = model.base_model
    example = {
        "input_ids": torch.ones(windows, tokens, dtype=torch.long),
        "token_type_ids": torch.zeros(windows, tokens, dtype=torch.long),
        "attention_mask": torch.ones(windows, tokens, dtype=torch.long),
        "bbox": torch.zeros(windows, tokens, 4, dtype=torch.long),
        "features": torch.zeros(pages, base.visual_tokens, model.config.hidden_size),
        "image_of_row": torch.zeros(windows, dtype=torch.long),
    }
    dynamic = {name: 1 if name in ("features", "image_of_row") else 2 for name in TEXT_INPUTS}
    return _export(TextGraph(model), example, dynamic)


def _export(graph: nn.Module, example: dict[str, torch.Tensor], dynamic: dict[str, int]) -> ExportedProgram:
    """`dynamic`: how many of the first dimensions of each input may have any size."""
    shapes = {name: dict.fromkeys(range(count), Dim.DYNAMIC) for name, count in dynamic.items()}
    with torch.no_grad():
        return torch.export.export(graph.eval(), (), example, dynamic_shapes=shapes)

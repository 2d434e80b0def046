"""The visual backbone prepared for predictions: the same features with fewer and faster operations.

Three changes, each exact up to rounding. Fixed normalisations are part of the convolutions before them. The layout is
channels last, in which PyTorch runs 1x1 convolutions through oneDNN also in one thread. And as nothing but sums lies
between the last convolution of the pyramid and the average over the cells of the grid, the average is taken first: the
convolution then has a few sums per cell to weight, instead of every pixel.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.backbone import VisualBackbone
from model.feature_pyramid import Convolution, FeaturePyramid, FrozenBatchNorm2d

TAPS = 3
"""Rows and columns of the pyramid's last convolution."""


class InferenceBackbone(nn.Module):
    """Computes what a `VisualBackbone` in evaluation mode does; made by `prepare`. It cannot be trained."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: VisualBackbone) -> None:
        """Weights are copied, so that `backbone` stays as it is."""
        super().__init__()
        pyramid = copy.deepcopy(backbone.backbone)
        assert isinstance(pyramid, FeaturePyramid)
        fold_normalisations(pyramid)
        frozen: Any = pyramid.eval().requires_grad_(False)  # PyTorch's types leave memory_format out
        self.pyramid: FeaturePyramid = frozen.to(memory_format=torch.channels_last)
        self.pool_shape = backbone.pool_shape
        self.register_buffer("mean", backbone.pixel_mean, persistent=False)
        self.register_buffer("std", backbone.pixel_std, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Features [b, rows * columns, channels] of pixels [b, 3, h, w], as `VisualBackbone.forward` gives them."""
        dtype = next(self.pyramid.parameters()).dtype
        # Never normalise in half precision: the mean would be off by up to a quarter of a level.
        pixels = (image.to(torch.promote_types(dtype, torch.float32)) - self.mean) / self.std
        sums = self.pyramid.sum_of_levels(pixels.to(dtype).contiguous(memory_format=torch.channels_last))
        return averaged_convolution(sums, self.pyramid.output, self.pool_shape)


def prepare(backbone: VisualBackbone) -> nn.Module:
    """What computes the features of `backbone` fastest: a prepared copy, or itself if it has parts that none is for."""
    pyramid = backbone.backbone
    normalised = [part for part in pyramid.modules() if isinstance(part, Convolution) and not _can_fold(part.norm)]
    if not isinstance(pyramid, FeaturePyramid) or normalised or pyramid.output.norm is not None:
        return backbone
    return InferenceBackbone(backbone)


def fold_normalisations(module: nn.Module) -> None:
    """Replace the fixed normalisation after every convolution of `module` by other weights of the convolution."""
    for part in module.modules():
        norm = part.norm if isinstance(part, Convolution) else None
        if isinstance(norm, FrozenBatchNorm2d | nn.BatchNorm2d):
            assert isinstance(part, Convolution)
            assert norm.running_var is not None and norm.running_mean is not None
            dtype = part.weight.dtype
            # In float64, as two roundings less keep the features closer to the original ones.
            scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
            bias = torch.zeros_like(scale) if part.bias is None else part.bias.double()
            part.weight = nn.Parameter((part.weight.double() * scale.view(-1, 1, 1, 1)).to(dtype), requires_grad=False)
            shift = norm.bias.double() + (bias - norm.running_mean.double()) * scale
            part.bias = nn.Parameter(shift.to(dtype), requires_grad=False)
            part.norm = None


def averaged_convolution(features: Tensor, convolution: nn.Conv2d, cells: tuple[int, int]) -> Tensor:
    """The averages of a 3x3 convolution over a grid of cells: [b, rows * columns, out], cells row by row.

    Equal to pooling the convolution of `features` [b, in, h, w] to `cells`. An average of the convolution weights, for
    each of its nine taps, the average of the features over the cell moved by the tap (zero outside the image).
    """
    rows, columns = (
        _cell_averages(side, count, features) for side, count in zip(features.shape[2:], cells, strict=True)
    )
    # [b, in, taps * rows, taps * columns], as two products with small matrices.
    moved = rows.t() @ (features @ columns)
    moved = moved.unflatten(3, (TAPS, cells[1])).unflatten(2, (TAPS, cells[0]))
    by_cell = moved.permute(0, 3, 5, 1, 2, 4).flatten(3).flatten(1, 2)  # [b, cells, in * taps * taps]
    return F.linear(by_cell, convolution.weight.flatten(1), convolution.bias)


def _cell_averages(side: int, cells: int, like: Tensor) -> Tensor:
    """[side, taps * cells]: what a position contributes to the average of each cell moved by -1, 0 or 1.

    The cells are those of adaptive pooling, which may overlap where `cells` does not divide `side`.
    """
    averages = torch.zeros(side, TAPS, cells)
    for cell in range(cells):
        first, end = side * cell // cells, -(-side * (cell + 1) // cells)
        for tap in range(TAPS):
            moved = range(max(0, first + tap - 1), min(side, end + tap - 1))
            averages[list(moved), tap, cell] = 1 / (end - first)
    return averages.flatten(1).to(like)


def _can_fold(norm: nn.Module | None) -> bool:
    return norm is None or isinstance(norm, FrozenBatchNorm2d) or type(norm) is nn.BatchNorm2d

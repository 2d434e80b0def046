"""The prepared backbone gives the features of the plain one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model.backbone import VisualBackbone, pool
from model.feature_pyramid import Convolution
from model.runtimes.inference_backbone import InferenceBackbone, averaged_convolution, prepare
from model.untrained import untrained_config


def backbone(pool_shape: tuple[int, int] = (7, 7), **arguments: Any) -> VisualBackbone:
    config = untrained_config("token-classification")
    options = {f"MODEL.{name.replace('__', '.')}": value for name, value in arguments.items()}
    changed = config.replace(
        detectron2_config_args={**config.detectron2_config_args, **options},
        image_feature_pool_shape=[*pool_shape, config.image_feature_pool_shape[2]],
    )
    torch.manual_seed(0)
    made = VisualBackbone(changed).eval()
    for name, value in made.named_buffers():  # as after training
        if name.endswith(("running_mean", "norm.bias")):
            value.normal_(std=0.1)
        if name.endswith(("running_var", "norm.weight")):
            value.uniform_(0.5, 1.5)
    return made


def images(count: int = 1, side: int = 224) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"RESNETS__NORM": "BN", "FPN__FUSE_TYPE": "avg"},
        {"RESNETS__NORM": ""},
    ],
    ids=str,
)
@torch.inference_mode()
def test_features_equal_those_of_the_plain_backbone(arguments: dict[str, Any]) -> None:
    plain = backbone(**arguments)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    prepared = prepare(plain)
    assert isinstance(prepared, InferenceBackbone)
    expected = plain(images())
    scale = expected.abs().max().item()
    torch.testing.assert_close(prepared(images()), expected, rtol=1e-4, atol=1e-5 * scale)
    after = plain.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(("side", "cells"), [(56, (7, 7)), (16, (7, 3)), (8, (8, 1))])
def test_an_average_of_a_convolution_equals_pooling_its_result(side: int, cells: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    convolution = torch.nn.Conv2d(5, 4, 3, padding=1).double()
    features = torch.randn(2, 5, side, side + 8, generator=generator, dtype=torch.float64)
    expected = pool(convolution(features), cells).flatten(2).transpose(1, 2)
    torch.testing.assert_close(averaged_convolution(features, convolution, cells).float(), expected.float())


def test_a_normalisation_by_the_image_itself_is_left_alone() -> None:
    plain = backbone(RESNETS__NORM="GN", RESNETS__STEM_OUT_CHANNELS=32, RESNETS__WIDTH_PER_GROUP=32)
    assert any(isinstance(part, Convolution) for part in plain.modules())
    assert prepare(plain) is plain

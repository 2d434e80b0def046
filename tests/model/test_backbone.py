"""The visual backbone: detectron2's features and names from plain PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from model.backbone import VisualBackbone, pool
from model.config import LayoutLMv2Config
from model.feature_pyramid import FrozenBatchNorm2d, PyramidOptions
from tests.fixtures.backbone.cases import CALM, CASES, arguments, fill_by_name, picture

TINY = ("tiny", "tiny-segment", "tiny-separate-qkv")


def small_backbone(pool_shape: tuple[int, int, int] = (7, 7, 16), **options: object) -> VisualBackbone:
    config = LayoutLMv2Config(detectron2_config_args=arguments(**options), image_feature_pool_shape=list(pool_shape))
    return VisualBackbone(config).eval()


@pytest.fixture
def single_process_group(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", TINY)
def test_features_equal_those_of_the_reference_model(fixtures_directory: Path, name: str) -> None:
    folder = fixtures_directory / "goldens" / name
    tensors = load_file(folder / "tensors.safetensors")
    weights = load_file(folder / "checkpoint-base" / "model.safetensors")
    backbone = VisualBackbone(LayoutLMv2Config.from_pretrained(folder / "checkpoint-base")).eval()

    visual = {key.removeprefix("visual."): value for key, value in weights.items() if key.startswith("visual.")}
    assert sorted(visual) == sorted(backbone.state_dict())
    backbone.load_state_dict(visual)
    with torch.no_grad():
        features = backbone(tensors["in.image"])
    expected = tensors["model.visual_tokens"]
    assert features.shape == expected.shape == (2, 49, 16)
    assert (features - expected).abs().max() <= 1e-5 * expected.std()


@pytest.mark.parametrize("name", sorted(CASES))
def test_features_of_other_networks_equal_those_of_detectron2(fixtures_directory: Path, name: str) -> None:
    expected = load_file(fixtures_directory / "backbone" / "features.safetensors")[name]
    backbone = small_backbone((*expected.shape[1:3], 16), **CASES[name]).double()
    fill_by_name(backbone, gain=CALM)
    with torch.no_grad():
        features = backbone(picture(backbone.pixel_mean.shape[0], 64, 96))
    difference = (features - expected.flatten(1, 2)).abs().max()
    assert difference <= 1e-9 * expected.std()


def test_the_default_network_has_the_names_and_shapes_of_the_published_model(shared_directory: Path) -> None:
    expected = json.loads((shared_directory / "goldens" / "base" / "state_dict_keys.json").read_text())
    with torch.device("meta"):
        backbone = VisualBackbone(LayoutLMv2Config())
    prefix = "layoutlmv2.visual."
    assert {prefix + key: list(value.shape) for key, value in backbone.state_dict().items()} == {
        key: shape for key, shape in expected.items() if key.startswith(prefix)
    }


def test_features_of_the_default_network_equal_the_reference(shared_directory: Path) -> None:
    tensors = load_file(shared_directory / "goldens" / "base" / "tensors.safetensors")
    backbone = VisualBackbone(LayoutLMv2Config()).eval()
    fill_by_name(backbone, prefix="visual.")
    with torch.no_grad():
        features = backbone(tensors["in.image"][:1])
    expected = tensors["model.visual_tokens"][:1]
    # These weights amplify rounding: one thread or two, AVX2 or AVX-512 already differ by 0.00009 of the spread.
    assert (features - expected).abs().max() <= 1e-4 * (expected.max() - expected.min())


def test_only_the_inputs_of_the_finest_level_are_computed() -> None:
    backbone = small_backbone()
    run: list[str] = []
    for name, module in backbone.named_modules():
        module.register_forward_hook(lambda *_, name=name: run.append(name))
    backbone(picture(3, 64, 64))
    assert "backbone.fpn_output2" in run and "backbone.fpn_lateral5" in run
    assert not {"backbone.fpn_output3", "backbone.fpn_output4", "backbone.fpn_output5"} & set(run)


def test_an_image_list_is_equivalent_to_its_tensor() -> None:
    backbone = small_backbone()
    image = picture(3, 64, 64)
    assert torch.equal(backbone(SimpleNamespace(tensor=image.float())), backbone(image))


def test_the_callers_image_is_not_modified() -> None:
    image = picture(3, 64, 64).float()
    before = image.clone()
    small_backbone()(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(1, 3, 200, 312), "200 x 312 pixels: height and width must be multiples of 32"),
        (torch.zeros(3, 64, 64), r"shape \[batch, 3, height, width\], not \[3, 64, 64\]"),
        (torch.zeros(1, 1, 64, 64), r"not \[1, 1, 64, 64\]"),
    ],
)
def test_an_image_of_an_invalid_shape_is_rejected(image: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_backbone()(image)


def test_an_input_that_is_not_an_image_is_rejected() -> None:
    with pytest.raises(TypeError, match="not list"):
        small_backbone()([1, 2, 3])


@pytest.mark.parametrize("shape", [(7, 7), (4, 5), (3, 14), (20, 30)])
def test_pooling_is_adaptive_average_pooling(shape: tuple[int, int]) -> None:
    features = torch.rand(2, 3, 14, 21, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.adaptive_avg_pool2d(features, shape)
    torch.testing.assert_close(pool(features, shape), expected, rtol=1e-6, atol=1e-6)


def test_half_precision_normalises_pixels_in_float32() -> None:
    backbone = small_backbone().to(torch.bfloat16)
    seen: list[torch.Tensor] = []
    backbone.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = picture(3, 64, 64)
    features = backbone(image)
    mean = torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1)
    deviation = torch.tensor([57.375, 57.12, 58.395]).view(3, 1, 1)
    assert torch.equal(seen[0], ((image - mean) / deviation).to(torch.bfloat16))
    assert features.dtype == torch.bfloat16 and features.isfinite().all()


def test_the_stem_and_first_stage_do_not_train_and_neither_does_any_normalisation() -> None:
    backbone = small_backbone().train()
    backbone(picture(3, 64, 64)).square().mean().backward()
    trained = {name for name, parameter in backbone.named_parameters() if parameter.grad is not None}
    assert "backbone.bottom_up.res3.0.conv1.weight" in trained and "backbone.fpn_output2.bias" in trained
    assert not [name for name in trained if ".stem." in name or ".res2." in name or ".norm." in name]


def test_gradients_equal_those_of_a_plain_normalisation() -> None:
    norm = FrozenBatchNorm2d(4)
    for number, buffer in enumerate(norm.buffers(), start=1):
        buffer.copy_(torch.linspace(0.5, 1.5, 4) * number)
    features = torch.rand(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm(features.clone().requires_grad_()), norm(features))


def test_initial_weights_have_the_spread_of_detectron2s_fills() -> None:
    torch.manual_seed(0)
    state = small_backbone(RESNETS__WIDTH_PER_GROUP=64).state_dict()
    for name, fan in (("bottom_up.stem.conv1", 8 * 49), ("bottom_up.res5.0.conv2", 512 * 9)):
        weight = state[f"backbone.{name}.weight"]
        assert weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.05)
    lateral = state["backbone.fpn_lateral5.weight"]
    assert lateral.abs().max() <= (3 / lateral.shape[1]) ** 0.5
    assert not state["backbone.fpn_lateral5.bias"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"RESNETS__DEPTH": 42}, r"MODEL.RESNETS.DEPTH is 42; choose one of \[18, 34, 50, 101, 152\]"),
        ({"RESNETS__NORM": "XN"}, "MODEL.RESNETS.NORM is 'XN'"),
        ({"FPN__FUSE_TYPE": "max"}, "MODEL.FPN.FUSE_TYPE is 'max'"),
        ({"FPN__IN_FEATURES": ["res3", "res4"]}, "MODEL.FPN.IN_FEATURES"),
        ({"RESNETS__OUT_FEATURES": ["res2", "res3"]}, r"MODEL.RESNETS.OUT_FEATURES lacks \['res4', 'res5'\]"),
        ({"RESNETS__RES5_DILATION": 2}, "MODEL.RESNETS.RES5_DILATION"),
        ({"RESNETS__DEPTH": 18}, "MODEL.RESNETS.RES2_OUT_CHANNELS is 16; at depths 18 and 34 it must be 64"),
        ({"RESNETS__DEFORM_ON_PER_STAGE": [False, True, False, False]}, "deformable"),
        ({"BACKBONE__NAME": "build_vit"}, "only 'build_resnet_fpn_backbone' is built in"),
        ({"PIXEL_MEAN": [1.0]}, "MODEL.PIXEL_MEAN has 1 values and MODEL.PIXEL_STD 3"),
    ],
)
def test_invalid_options_are_rejected_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PyramidOptions.from_arguments(arguments(**options))


def test_without_options_detectron2s_defaults_apply() -> None:
    options = PyramidOptions.from_arguments(
        {
            "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
            "MODEL.FPN.IN_FEATURES": ["res2"],
            "MODEL.RESNETS.OUT_FEATURES": ["res2"],
            "MODEL.ROI_HEADS.NUM_CLASSES": 5,
        }
    )
    assert (options.RESNETS_DEPTH, options.RESNETS_NORM, options.RESNETS_STRIDE_IN_1X1) == (50, "FrozenBN", True)
    assert (options.FPN_OUT_CHANNELS, options.FPN_NORM, options.PIXEL_STD) == (256, "", (1.0, 1.0, 1.0))


def test_channels_that_contradict_the_pool_shape_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"image_feature_pool_shape .*99"):
        small_backbone((7, 7, 99))


def test_synchronising_without_torch_distributed_names_the_call_to_make() -> None:
    with pytest.raises(RuntimeError, match="init_process_group"):
        small_backbone().synchronize_batch_norm()


@pytest.mark.usefixtures("single_process_group")
def test_synchronising_without_a_gpu_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RuntimeError, match="sees none"):
        small_backbone().synchronize_batch_norm()


@pytest.mark.usefixtures("single_process_group")
def test_synchronising_needs_as_many_processes_as_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(RuntimeError, match="1 processes cannot be divided between machines of 2 GPUs"):
        small_backbone().synchronize_batch_norm()


@pytest.mark.usefixtures("single_process_group")
@pytest.mark.parametrize("norm", ["FrozenBN", "BN"])
def test_synchronising_makes_every_normalisation_trainable_and_shared(
    monkeypatch: pytest.MonkeyPatch, norm: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    backbone = small_backbone(RESNETS__NORM=norm)
    fill_by_name(backbone)
    image = picture(3, 64, 64)
    names = {name for name in backbone.state_dict() if not name.endswith("num_batches_tracked")}
    with torch.no_grad():
        expected = backbone(image)
        backbone.synchronize_batch_norm()
        features = backbone(image)
    norms = [module for name, module in backbone.named_modules() if name.endswith(".norm")]
    assert norms and all(isinstance(module, torch.nn.SyncBatchNorm) for module in norms)
    assert all(module.weight.requires_grad for module in norms)
    assert {name for name in backbone.state_dict() if not name.endswith("num_batches_tracked")} == names
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("single_process_group")
def test_synchronising_accepts_a_process_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    backbone = small_backbone()
    group = torch.distributed.new_group([0])
    backbone.synchronize_batch_norm(process_group=group)
    assert backbone.get_submodule("backbone.bottom_up.stem.conv1.norm").process_group is group


def test_missing_detectron2_is_an_error_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("detectron2", "detectron2.config", "detectron2.modeling"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install .*facebookresearch/detectron2"):
        VisualBackbone(LayoutLMv2Config(visual_backbone="detectron2"))


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_installed_detectron2_computes_the_same_features(name: str) -> None:
    pytest.importorskip("detectron2.modeling")
    native = small_backbone(**CASES[name])
    fill_by_name(native)
    config = LayoutLMv2Config(
        detectron2_config_args=arguments(**CASES[name]),
        image_feature_pool_shape=[7, 7, 16],
        visual_backbone="detectron2",
    )
    library = VisualBackbone(config).eval()
    assert list(library.state_dict()) == list(native.state_dict())
    library.load_state_dict(native.state_dict())
    image = picture(native.pixel_mean.shape[0], 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(library(image), native(image), rtol=1e-5, atol=1e-5)

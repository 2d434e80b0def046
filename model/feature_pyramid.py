"""Feature pyramid over ResNet or ResNeXt in plain PyTorch, with detectron2's options and parameter names.

The networks are those of "Deep Residual Learning for Image Recognition" (He et al., 2016), "Aggregated Residual
Transformations for Deep Neural Networks" (Xie et al., 2017) and "Feature Pyramid Networks for Object Detection" (Lin et
al., 2017). Option names, defaults, module names and initial weights are those of detectron2 0.6, so that its
checkpoints load unchanged. Only the finest level, `p2`, is computed: LayoutLMv2 uses no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS_PER_STAGE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
NORMS = ("", "FrozenBN", "BN", "SyncBN", "GN")
STAGES = ("res2", "res3", "res4", "res5")


@dataclass(frozen=True)
class PyramidOptions:
    """The options of detectron2's configuration that define the backbone.

    Names omit `MODEL.` and have underscores for dots: FPN_OUT_CHANNELS is `MODEL.FPN.OUT_CHANNELS`.

    Raises:
        ValueError: an option is invalid, or only detectron2 supports it; the message names the option.
    """

    PIXEL_MEAN: tuple[float, ...] = (103.53, 116.28, 123.675)
    PIXEL_STD: tuple[float, ...] = (1.0, 1.0, 1.0)
    BACKBONE_NAME: str = "build_resnet_backbone"
    BACKBONE_FREEZE_AT: int = 2
    FPN_IN_FEATURES: tuple[str, ...] = ()
    FPN_OUT_CHANNELS: int = 256
    FPN_NORM: str = ""
    FPN_FUSE_TYPE: str = "sum"
    RESNETS_DEPTH: int = 50
    RESNETS_OUT_FEATURES: tuple[str, ...] = ("res4",)
    RESNETS_NUM_GROUPS: int = 1
    RESNETS_NORM: str = "FrozenBN"
    RESNETS_WIDTH_PER_GROUP: int = 64
    RESNETS_STRIDE_IN_1X1: bool = True
    RESNETS_RES5_DILATION: int = 1
    RESNETS_RES2_OUT_CHANNELS: int = 256
    RESNETS_STEM_OUT_CHANNELS: int = 64
    RESNETS_DEFORM_ON_PER_STAGE: tuple[bool, ...] = (False, False, False, False)

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> PyramidOptions:
        """Read flat keys such as `MODEL.RESNETS.DEPTH`; keys that do not concern the backbone are ignored."""
        options: dict[str, Any] = {}
        for option in fields(cls):
            group, _, rest = option.name.partition("_")
            key = f"MODEL.{option.name}" if group == "PIXEL" else f"MODEL.{group}.{rest}"
            if key in arguments:
                value = arguments[key]
                options[option.name] = tuple(value) if isinstance(value, (list, tuple)) else value
        return cls(**options)

    def __post_init__(self) -> None:
        def require(condition: bool, message: str) -> None:
            if not condition:
                raise ValueError(f"detectron2_config_args: {message}")

        require(
            self.BACKBONE_NAME == "build_resnet_fpn_backbone",
            f"MODEL.BACKBONE.NAME is {self.BACKBONE_NAME!r}, but only 'build_resnet_fpn_backbone' is built in; "
            'install detectron2 and set visual_backbone="detectron2" for others',
        )
        require(
            len(self.PIXEL_MEAN) == len(self.PIXEL_STD) > 0,
            f"MODEL.PIXEL_MEAN has {len(self.PIXEL_MEAN)} values and MODEL.PIXEL_STD {len(self.PIXEL_STD)}; "
            "give each one value per channel",
        )
        require(
            self.RESNETS_DEPTH in BLOCKS_PER_STAGE,
            f"MODEL.RESNETS.DEPTH is {self.RESNETS_DEPTH!r}; choose one of {sorted(BLOCKS_PER_STAGE)}",
        )
        require(self.RESNETS_NORM in NORMS, f"MODEL.RESNETS.NORM is {self.RESNETS_NORM!r}; choose one of {NORMS}")
        require(self.FPN_NORM in NORMS, f"MODEL.FPN.NORM is {self.FPN_NORM!r}; choose one of {NORMS}")
        fuse = self.FPN_FUSE_TYPE
        require(fuse in ("sum", "avg"), f"MODEL.FPN.FUSE_TYPE is {fuse!r}; choose 'sum' or 'avg'")
        require(
            self.FPN_IN_FEATURES in [STAGES[:number] for number in range(1, len(STAGES) + 1)],
            f"MODEL.FPN.IN_FEATURES is {list(self.FPN_IN_FEATURES)}; 'p2' needs 'res2' and the stages that follow it",
        )
        missing = [name for name in self.FPN_IN_FEATURES if name not in self.RESNETS_OUT_FEATURES]
        require(not missing, f"MODEL.RESNETS.OUT_FEATURES lacks {missing}, which MODEL.FPN.IN_FEATURES names")
        require(
            self.RESNETS_RES5_DILATION == 1 or (self.RESNETS_RES5_DILATION == 2 and "res5" not in self.FPN_IN_FEATURES),
            f"MODEL.RESNETS.RES5_DILATION is {self.RESNETS_RES5_DILATION!r}; a pyramid over 'res5' needs 1",
        )
        require(
            not any(self.RESNETS_DEFORM_ON_PER_STAGE),
            "MODEL.RESNETS.DEFORM_ON_PER_STAGE enables deformable convolutions, which are not built in; "
            'install detectron2 and set visual_backbone="detectron2"',
        )
        if self.RESNETS_DEPTH < 50:
            for name, only in (("RES2_OUT_CHANNELS", 64), ("NUM_GROUPS", 1), ("RES5_DILATION", 1)):
                value = getattr(self, f"RESNETS_{name}")
                require(value == only, f"MODEL.RESNETS.{name} is {value!r}; at depths 18 and 34 it must be {only}")


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation with fixed statistics and affine parameters: four buffers, no trainable parameters.

    The state dict has `num_batches_tracked` only if the frozen batch normalisation counted batches.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features) - eps)
        self.register_buffer("num_batches_tracked", None)

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            # The backward pass of batch_norm also computes gradients of the statistics, and keeps memory for them.
            scale = self.weight * (self.running_var + self.eps).rsqrt()
            shift = self.bias - self.running_mean * scale
            return x * scale.view(1, -1, 1, 1).to(x.dtype) + shift.view(1, -1, 1, 1).to(x.dtype)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"


def make_norm(name: str, channels: int) -> nn.Module | None:
    """The normalisation with detectron2's name `name`, or None for ""."""
    if name == "FrozenBN":
        return FrozenBatchNorm2d(channels)
    if name == "BN":
        return nn.BatchNorm2d(channels)
    if name == "SyncBN":
        return nn.SyncBatchNorm(channels)
    if name == "GN":
        return nn.GroupNorm(32, channels)
    return None


class Convolution(nn.Conv2d):
    """A convolution followed by an optional normalisation; by default without a bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, norm: str, **options: Any) -> None:
        options.setdefault("bias", False)
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.norm = make_norm(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return x if self.norm is None else self.norm(x)


def fill_for_relu(*convolutions: Convolution | None) -> None:
    """Caffe2's MSRA fill: He's normal distribution over fan-out."""
    for convolution in convolutions:
        if convolution is not None:
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")


def fill_for_linear(convolution: Convolution) -> None:
    """Caffe2's Xavier fill, which is a uniform distribution over fan-in, and a bias of zero."""
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: depths 18 and 34."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.shortcut = (
            Convolution(in_channels, out_channels, 1, stride=stride, norm=norm) if in_channels != out_channels else None
        )
        self.conv1 = Convolution(in_channels, out_channels, 3, stride=stride, padding=1, norm=norm)
        self.conv2 = Convolution(out_channels, out_channels, 3, padding=1, norm=norm)
        fill_for_relu(self.conv1, self.conv2, self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(F.relu_(self.conv1(x)))
        return F.relu_(residual.add_(x if self.shortcut is None else self.shortcut(x)))


class BottleneckBlock(nn.Module):
    """1x1, 3x3 (grouped in ResNeXt) and 1x1 convolutions and a shortcut: depths 50, 101 and 152."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        inner_channels: int,
        stride: int,
        dilation: int,
        options: PyramidOptions,
    ) -> None:
        super().__init__()
        norm = options.RESNETS_NORM
        # The original ResNets have the stride in the 1x1 convolution, Torch's and ResNeXt in the 3x3 one.
        stride_first, stride_second = (stride, 1) if options.RESNETS_STRIDE_IN_1X1 else (1, stride)
        self.shortcut = (
            Convolution(in_channels, out_channels, 1, stride=stride, norm=norm) if in_channels != out_channels else None
        )
        self.conv1 = Convolution(in_channels, inner_channels, 1, stride=stride_first, norm=norm)
        self.conv2 = Convolution(
            inner_channels,
            inner_channels,
            3,
            stride=stride_second,
            padding=dilation,
            dilation=dilation,
            groups=options.RESNETS_NUM_GROUPS,
            norm=norm,
        )
        self.conv3 = Convolution(inner_channels, out_channels, 1, norm=norm)
        fill_for_relu(self.conv1, self.conv2, self.conv3, self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv3(F.relu_(self.conv2(F.relu_(self.conv1(x)))))
        return F.relu_(residual.add_(x if self.shortcut is None else self.shortcut(x)))


class Stem(nn.Module):
    """7x7 convolution and max pooling: the image at a quarter of its size."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.conv1 = Convolution(in_channels, out_channels, 7, stride=2, padding=3, norm=norm)
        fill_for_relu(self.conv1)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu_(self.conv1(x)), kernel_size=3, stride=2, padding=1)


class ResNet(nn.Module):
    """The stem, and the stages from `res2` to the last one in `RESNETS_OUT_FEATURES`."""

    def __init__(self, options: PyramidOptions) -> None:
        super().__init__()
        self.stem = Stem(len(options.PIXEL_MEAN), options.RESNETS_STEM_OUT_CHANNELS, options.RESNETS_NORM)
        last = max(STAGES.index(name) for name in options.RESNETS_OUT_FEATURES if name in STAGES)
        self.stage_names = STAGES[: last + 1]
        self.channels: dict[str, int] = {}
        in_channels, out_channels = options.RESNETS_STEM_OUT_CHANNELS, options.RESNETS_RES2_OUT_CHANNELS
        inner_channels = options.RESNETS_NUM_GROUPS * options.RESNETS_WIDTH_PER_GROUP
        for name, blocks in zip(self.stage_names, BLOCKS_PER_STAGE[options.RESNETS_DEPTH], strict=False):
            dilation = options.RESNETS_RES5_DILATION if name == "res5" else 1
            stage = []
            for index in range(blocks):
                stride = 2 if index == 0 and name != "res2" and dilation == 1 else 1
                block: nn.Module
                if options.RESNETS_DEPTH < 50:
                    block = BasicBlock(in_channels, out_channels, stride=stride, norm=options.RESNETS_NORM)
                else:
                    block = BottleneckBlock(
                        in_channels,
                        out_channels,
                        inner_channels=inner_channels,
                        stride=stride,
                        dilation=dilation,
                        options=options,
                    )
                stage.append(block)
                in_channels = out_channels
            self.add_module(name, nn.Sequential(*stage))
            self.channels[name] = out_channels
            out_channels, inner_channels = out_channels * 2, inner_channels * 2
        self._freeze(options.BACKBONE_FREEZE_AT)

    def _freeze(self, stages: int) -> None:
        """Freeze the first `stages` parts (1 is the stem alone), statistics included."""
        for name in ("stem", *self.stage_names)[: max(stages, 0)]:
            part = self.get_submodule(name)
            part.requires_grad_(False)
            freeze_batch_norm(part)

    def forward(self, x: Tensor, stages: tuple[str, ...]) -> list[Tensor]:
        """Feature maps of `stages`, in order; later stages are not run."""
        outputs = []
        x = self.stem(x)
        for name in self.stage_names[: 1 + self.stage_names.index(stages[-1])]:
            x = self.get_submodule(name)(x)
            if name in stages:
                outputs.append(x)
        return outputs


def freeze_batch_norm(module: nn.Module) -> None:
    """Replace every trainable batch normalisation below `module` by a frozen one with the same values."""
    for name, child in module.named_children():
        if not isinstance(child, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            freeze_batch_norm(child)
            continue
        frozen = FrozenBatchNorm2d(child.num_features, child.eps)
        for key, value in child.state_dict().items():
            setattr(frozen, key, value.detach().clone())
        module.add_module(name, frozen)


class FeaturePyramid(nn.Module):
    """The pyramid over a ResNet. Levels above `p2` have parameters, for checkpoints, but are not computed."""

    def __init__(self, options: PyramidOptions) -> None:
        super().__init__()
        bottom_up = ResNet(options)
        self.in_features = options.FPN_IN_FEATURES
        self.out_channels = options.FPN_OUT_CHANNELS
        self.average = options.FPN_FUSE_TYPE == "avg"
        self.levels = tuple(int(name.removeprefix("res")) for name in self.in_features)
        with_bias = options.FPN_NORM == ""
        for level, name in zip(self.levels, self.in_features, strict=True):
            channels = self.out_channels
            lateral = Convolution(bottom_up.channels[name], channels, 1, norm=options.FPN_NORM, bias=with_bias)
            output = Convolution(channels, channels, 3, padding=1, norm=options.FPN_NORM, bias=with_bias)
            fill_for_linear(lateral)
            fill_for_linear(output)
            self.add_module(f"fpn_lateral{level}", lateral)
            self.add_module(f"fpn_output{level}", output)
        self.bottom_up = bottom_up

    @property
    def size_divisor(self) -> int:
        """A quarter of the image's sides, rounded up, must be a multiple of this: each level halves the size."""
        return 2 ** (len(self.levels) - 1)

    @property
    def output(self) -> Convolution:
        """The convolution that ends the finest level."""
        return cast(Convolution, self.get_submodule(f"fpn_output{self.levels[0]}"))

    def forward(self, x: Tensor) -> Tensor:
        """The features `p2`, [b, FPN_OUT_CHANNELS, ceil(h / 4), ceil(w / 4)], of normalised pixels [b, channels, h, w].

        Raises:
            ValueError: like `sum_of_levels`.
        """
        return self.output(self.sum_of_levels(x))

    def sum_of_levels(self, x: Tensor) -> Tensor:
        """What `output` is applied to: the same shape, all levels added up at the size of the finest.

        Raises:
            ValueError: the sides cannot be halved at every level (multiples of 32 can).
        """
        if any(-(-side // 4) % self.size_divisor for side in x.shape[-2:]):
            raise ValueError(
                f"image of {x.shape[-2]} x {x.shape[-1]} pixels: height and width must be multiples of "
                f"{4 * self.size_divisor}; resize it (the image processor's size is 224 x 224)"
            )
        top_down: Tensor | None = None
        for level, features in reversed(list(zip(self.levels, self.bottom_up(x, self.in_features), strict=True))):
            lateral = self.get_submodule(f"fpn_lateral{level}")(features)
            if top_down is not None:
                lateral = lateral + F.interpolate(top_down, scale_factor=2.0, mode="nearest")
                if self.average:
                    lateral = lateral / 2
            top_down = lateral
        assert top_down is not None
        return top_down

"""The visual backbone: page images in, a feature vector for each cell of a coarse grid out (LayoutLMv2 paper, 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

from model.feature_pyramid import FeaturePyramid, FrozenBatchNorm2d, PyramidOptions

if TYPE_CHECKING:
    from model.config import LayoutLMv2Config

INSTALL_DETECTRON2 = (
    "python -m pip install --no-build-isolation 'git+https://github.com/facebookresearch/detectron2.git' "
    "(it compiles for a few minutes against the installed torch, and requires torchvision)"
)


class VisualBackbone(nn.Module):
    """A feature pyramid over an image, averaged to `config.image_feature_pool_shape` cells.

    `config.detectron2_config_args` defines the network. `config.visual_backbone` chooses the implementation: "native"
    is plain PyTorch and computes only `p2`, "detectron2" is the library; parameters, their names and the features are
    the same.

    Raises:
        ValueError: the options define no valid network, or contradict the channels in `image_feature_pool_shape`.
        ImportError: "detectron2" is chosen but not installed.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        arguments = config.detectron2_config_args
        self.backbone: nn.Module
        if config.visual_backbone == "detectron2":
            self.backbone, channels, mean, std = build_detectron2_backbone(arguments)
        else:
            options = PyramidOptions.from_arguments(arguments)
            self.backbone = FeaturePyramid(options)
            channels, mean, std = options.FPN_OUT_CHANNELS, options.PIXEL_MEAN, options.PIXEL_STD
        shape = list(config.image_feature_pool_shape)
        if len(shape) > 2 and shape[2] != channels:
            raise ValueError(
                f"image_feature_pool_shape {shape} ends in {shape[2]} channels, but the backbone has {channels} "
                "(MODEL.FPN.OUT_CHANNELS of detectron2_config_args); make the two equal"
            )
        self.pool_shape = (int(shape[0]), int(shape[1]))
        self.out_channels = channels
        # The configuration has these two, so checkpoints do not store them.
        self.register_buffer("pixel_mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> VisualBackbone:
        """Move or cast the module; the pixel statistics move too but stay float32, as bfloat16 would round them."""
        statistics = self.pixel_mean, self.pixel_std
        super()._apply(fn, recurse)
        device = self.pixel_mean.device
        if not statistics[0].is_meta:
            self.pixel_mean, self.pixel_std = (kept.to(device) for kept in statistics)
        return self

    def forward(self, image: Tensor | Any) -> Tensor:
        """Visual features of images.

        Args:
            image: [b, 3, h, w] BGR pixels, 0 to 255, uint8 or floating; or an object with such a tensor as `.tensor`,
                like detectron2's ImageList. Both sides are multiples of 32 (224 is usual). It is not modified.

        Returns:
            [b, rows * columns, channels] in the parameters' dtype, cells row by row.

        Raises:
            TypeError: `image` is neither a tensor nor an ImageList.
            ValueError: `image` has another shape.
        """
        pixels = image if isinstance(image, Tensor) else getattr(image, "tensor", None)
        if not isinstance(pixels, Tensor):
            raise TypeError(f"image must be a tensor or an ImageList with a tensor, not {type(image).__name__}")
        channels = self.pixel_mean.shape[0]
        if pixels.ndim != 4 or pixels.shape[1] != channels:
            raise ValueError(f"image must have shape [batch, {channels}, height, width], not {list(pixels.shape)}")
        dtype = next(self.backbone.parameters()).dtype
        # Never normalise in half precision: the mean would be off by up to a quarter of a level.
        pixels = (pixels.to(torch.promote_types(dtype, torch.float32)) - self.pixel_mean) / self.pixel_std
        features = self.backbone(pixels.to(dtype))
        if isinstance(features, dict):
            features = features["p2"]
        return pool(features, self.pool_shape).flatten(start_dim=2).transpose(1, 2).contiguous()

    def synchronize_batch_norm(self, process_group: torch.distributed.ProcessGroup | None = None) -> None:
        """Make processes share the statistics of every batch normalisation of the backbone, frozen ones included.

        For training on several GPUs; call it in every process, after `torch.distributed.init_process_group` and before
        the model is wrapped (DistributedDataParallel). The normalisation then trains. The processes of a machine share
        statistics; as in the reference, they are assumed to be consecutive ranks, one for each GPU that this process
        sees.

        Args:
            process_group: the processes that share statistics, if that assumption does not hold: for instance if every
                process sees a single GPU, as under Ray Train.

        Raises:
            RuntimeError: torch.distributed is not initialized, or the assumption does not fit the number of processes.
        """
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            raise RuntimeError(
                "synchronize_batch_norm needs torch.distributed: call torch.distributed.init_process_group first "
                "(torchrun and Ray Train provide what it needs), or train in one process without it"
            )
        if process_group is None:
            process_group = group_of_this_machine()
        self.backbone = with_synchronized_batch_norm(self.backbone, process_group)


def pool(features: Tensor, shape: tuple[int, int]) -> Tensor:
    """Average [b, c, h, w] to [b, c, *shape].

    Equal to adaptive average pooling. If the sides divide evenly (as the usual 56 and 7 do) it is plain average
    pooling, whose backward pass, unlike that of the adaptive one, is deterministic on GPUs; the reference switches by
    torch's determinism flag instead.
    """
    height, width = features.shape[-2:]
    if height % shape[0] == 0 and width % shape[1] == 0:
        return F.avg_pool2d(features, (height // shape[0], width // shape[1]))
    return F.adaptive_avg_pool2d(features, shape)


def group_of_this_machine() -> torch.distributed.ProcessGroup:
    """The group of ranks on this machine; every process must call this, because all create all groups."""
    rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    processes_per_machine = torch.cuda.device_count()
    if processes_per_machine == 0:
        raise RuntimeError(
            "synchronize_batch_norm shares statistics between the GPUs of a machine, and this process sees none; "
            "train with frozen normalisation (leave it out), or pass process_group"
        )
    if processes % processes_per_machine != 0:
        raise RuntimeError(
            f"synchronize_batch_norm needs one process per GPU: {processes} processes cannot be divided between "
            f"machines of {processes_per_machine} GPUs; start as many as there are GPUs, or pass process_group"
        )
    groups = [
        torch.distributed.new_group(ranks=list(range(first, first + processes_per_machine)))
        for first in range(0, processes, processes_per_machine)
    ]
    return groups[rank // processes_per_machine]


def with_synchronized_batch_norm(module: nn.Module, process_group: torch.distributed.ProcessGroup) -> nn.Module:
    """`module` with every batch normalisation in it replaced by SyncBatchNorm with the same values."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return nn.SyncBatchNorm.convert_sync_batchnorm(module, process_group)
    # detectron2 has its own class with the same name and buffers.
    if isinstance(module, FrozenBatchNorm2d) or type(module).__name__ == "FrozenBatchNorm2d":
        frozen: Any = module
        synchronized = nn.SyncBatchNorm(frozen.num_features, eps=frozen.eps, process_group=process_group)
        synchronized.weight = nn.Parameter(frozen.weight)
        synchronized.bias = nn.Parameter(frozen.bias)
        synchronized.running_mean, synchronized.running_var = frozen.running_mean, frozen.running_var
        synchronized.num_batches_tracked = torch.zeros((), dtype=torch.long, device=frozen.running_mean.device)
        return synchronized.train(frozen.training)
    for name, child in module.named_children():
        setattr(module, name, with_synchronized_batch_norm(child, process_group))
    return module


def build_detectron2_backbone(
    arguments: dict[str, Any],
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    """detectron2's own network for flat configuration keys, the channels of `p2`, and the pixel mean and deviation."""
    try:
        from detectron2.config import get_cfg
        from detectron2.modeling import build_backbone
    except ImportError as error:
        raise ImportError(
            f'visual_backbone="detectron2" needs detectron2, which could not be imported ({error}). Install it: '
            f'{INSTALL_DETECTRON2}; or leave visual_backbone at "native", which computes the same features.'
        ) from error
    configuration = get_cfg()
    for key, value in arguments.items():
        *path, name = key.split(".")
        node = configuration
        for part in path:
            if part not in node:
                raise ValueError(f"detectron2_config_args: the installed detectron2 has no section for {key!r}")
            node = node[part]
        setattr(node, name, value)
    backbone = build_backbone(configuration)
    levels = backbone.output_shape()
    if "p2" not in levels:
        raise ValueError("detectron2_config_args: there is no 'p2'; MODEL.FPN.IN_FEATURES must begin with 'res2'")
    model = configuration.MODEL
    return backbone, levels["p2"].channels, tuple(model.PIXEL_MEAN), tuple(model.PIXEL_STD)

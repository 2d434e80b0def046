"""The conditions that the parameters of a configuration must meet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.config import LayoutLMv2Config

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")

# The names of the functions in `model.activations`, here so that a configuration can be read without PyTorch.
ACTIVATION_NAMES = (
    "gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh", "gelu_pytorch_tanh",
    "hardswish", "laplace", "leaky_relu", "linear", "mish", "prelu", "quick_gelu", "relu", "relu2", "relu6", "sigmoid",
    "silu", "swish", "tanh",
)  # fmt: skip

_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "max_2d_position_embeddings", "max_rel_pos", "rel_pos_bins",
    "max_rel_2d_pos", "rel_2d_pos_bins", "coordinate_size", "shape_size",
)  # fmt: skip
_FLAGS = (
    "fast_qkv", "convert_sync_batchnorm", "has_relative_attention_bias", "has_spatial_attention_bias",
    "has_visual_segment_embedding", "relation_geometry", "relation_token_labels", "return_dict",
    "output_hidden_states", "output_attentions",
)  # fmt: skip


def check_config(config: LayoutLMv2Config) -> None:
    """Reject a configuration with which no model can be built or run.

    Raises:
        ValueError: the message names the parameter, its value, and what is allowed.
    """
    _check_types(config)
    if config.hidden_size % config.num_attention_heads:
        raise ValueError(
            f"hidden_size ({config.hidden_size}) must be a multiple of num_attention_heads "
            f"({config.num_attention_heads})"
        )
    if (spatial := 4 * config.coordinate_size + 2 * config.shape_size) != config.hidden_size:
        raise ValueError(
            f"4 * coordinate_size + 2 * shape_size is {spatial} ({config.coordinate_size} and {config.shape_size}), "
            f"but must equal hidden_size ({config.hidden_size}): the six parts of a box's embedding are concatenated"
        )
    if config.hidden_act not in ACTIVATION_NAMES:
        raise ValueError(f"hidden_act is {config.hidden_act!r}; choose one of {', '.join(ACTIVATION_NAMES)}")
    if config.pad_token_id is not None and not 0 <= config.pad_token_id < config.vocab_size:
        raise ValueError(f"pad_token_id is {config.pad_token_id}, not a token of vocab_size {config.vocab_size}")
    if config.max_2d_position_embeddings < 1001:
        raise ValueError(
            f"max_2d_position_embeddings is {config.max_2d_position_embeddings}; boxes go up to 1000, so at least 1001"
        )
    if config.has_relative_attention_bias:
        _check_bins("rel_pos_bins", config.rel_pos_bins, "max_rel_pos", config.max_rel_pos)
    if config.has_spatial_attention_bias:
        _check_bins("rel_2d_pos_bins", config.rel_2d_pos_bins, "max_rel_2d_pos", config.max_rel_2d_pos)
    _check_visual(config)
    _check_task(config)


def _check_types(config: LayoutLMv2Config) -> None:
    for name in _SIZES:
        value = getattr(config, name)
        if not _is_integer(value) or value < 1:
            raise ValueError(f"{name} must be an integer of 1 or more, not {value!r}")
    for name in _FLAGS:
        value = getattr(config, name)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {value!r}")
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        value = getattr(config, name)
        if not _is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability from 0 to 1, not {value!r}")
    for name in ("initializer_range", "layer_norm_eps"):
        value = getattr(config, name)
        if not _is_number(value) or value < 0:
            raise ValueError(f"{name} must be a number of 0 or more, not {value!r}")
    if config.pad_token_id is not None and not _is_integer(config.pad_token_id):
        raise ValueError(f"pad_token_id must be an integer or null, not {config.pad_token_id!r}")
    if not _is_integer(config.chunk_size_feed_forward) or config.chunk_size_feed_forward < 0:
        raise ValueError(f"chunk_size_feed_forward must be 0 or more tokens, not {config.chunk_size_feed_forward!r}")


def _check_bins(bins_name: str, bins: int, distance_name: str, distance: int) -> None:
    # Half of the bins are for each direction, half of those for single steps, the rest grow up to the distance.
    if bins < 4:
        raise ValueError(f"{bins_name} is {bins}; the logarithmic bins need at least 4")
    if distance <= bins // 4:
        raise ValueError(f"{distance_name} is {distance}; with {bins_name} {bins} it must be more than {bins // 4}")


def _check_visual(config: LayoutLMv2Config) -> None:
    if not isinstance(config.detectron2_config_args, dict):
        raise ValueError(f"detectron2_config_args must be a mapping, not {config.detectron2_config_args!r}")
    shape: Any = config.image_feature_pool_shape
    if not isinstance(shape, list) or len(shape) != 3 or not all(_is_integer(size) and size > 0 for size in shape):
        raise ValueError(f"image_feature_pool_shape must be [rows, columns, channels], all 1 or more, not {shape!r}")
    channels = config.detectron2_config_args.get("MODEL.FPN.OUT_CHANNELS", 256)
    if shape[2] != channels:
        raise ValueError(
            f"image_feature_pool_shape ends in {shape[2]} channels, but the backbone has {channels} "
            "(MODEL.FPN.OUT_CHANNELS of detectron2_config_args, 256 by default)"
        )
    if shape[0] * shape[1] > config.max_position_embeddings:
        raise ValueError(
            f"image_feature_pool_shape makes {shape[0] * shape[1]} visual tokens, more than "
            f"max_position_embeddings ({config.max_position_embeddings})"
        )
    if config.visual_backbone not in ("native", "detectron2"):
        raise ValueError(f'visual_backbone must be "native" or "detectron2", not {config.visual_backbone!r}')


def _check_task(config: LayoutLMv2Config) -> None:
    if not isinstance(config.id2label, dict) or not config.id2label:
        raise ValueError(f"id2label must map 0, 1, 2 ... to label names, not {config.id2label!r}")
    if sorted(config.id2label) != list(range(len(config.id2label))):
        raise ValueError(f"id2label must have the keys 0 to {len(config.id2label) - 1}, not {sorted(config.id2label)}")
    if not isinstance(config.label2id, dict):
        raise ValueError(f"label2id must map label names to 0, 1, 2 ..., not {config.label2id!r}")
    if config.problem_type is not None and config.problem_type not in PROBLEM_TYPES:
        raise ValueError(f"problem_type must be null or one of {', '.join(PROBLEM_TYPES)}, not {config.problem_type!r}")
    if config.problem_type == "single_label_classification" and config.num_labels == 1:
        raise ValueError(
            'problem_type "single_label_classification" needs num_labels of 2 or more; "regression" is for one output'
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

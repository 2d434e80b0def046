"""The model's configuration, and `config.json` in Hugging Face's format."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from model.config_rules import check_config
from model.hub import Publishable

CONFIG_NAME = "config.json"
MODEL_TYPE = "layoutlmv2"
MODEL_TYPES = (MODEL_TYPE, "layoutxlm")
"""The values of `model_type` that describe this network; LayoutXLM is the same one with another vocabulary."""
WRITTEN_IF_SET = frozenset(
    [
        "visual_backbone", "relation_geometry", "relation_token_labels", "chunk_size_feed_forward", "problem_type",
        "id2label", "label2id", "return_dict", "output_hidden_states", "output_attentions", "architectures", "dtype",
        "transformers_version",
    ]
)  # fmt: skip
"""Parameters that a new `config.json` contains only if they differ from the default, as in the reference."""


def default_detectron2_config() -> dict[str, Any]:
    """The visual backbone of the published model: an FPN over ResNeXt-101 32x8d.

    Keys and values are those of the reference's `get_default_detectron2_config`; most concern detectron2's detection
    heads, which LayoutLMv2 does not use, and are kept so that `config.json` stays the same.
    """
    roi_head = {"NAME": "StandardROIHeads", "NUM_CLASSES": 5, "IN_FEATURES": ["p2", "p3", "p4", "p5"]}
    box_head = {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 14}
    mask_head = {"NAME": "MaskRCNNConvUpsampleHead", "NUM_CONV": 4, "POOLER_RESOLUTION": 7}
    proposals = {
        "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
        "PRE_NMS_TOPK_TRAIN": 2000,
        "PRE_NMS_TOPK_TEST": 1000,
        "POST_NMS_TOPK_TRAIN": 1000,
    }
    resnet = {
        "DEPTH": 101,
        "SIZES": [[32], [64], [128], [256], [512]],
        "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
        "OUT_FEATURES": ["res2", "res3", "res4", "res5"],
        "NUM_GROUPS": 32,
        "WIDTH_PER_GROUP": 8,
        "STRIDE_IN_1X1": False,
    }
    sections: dict[str, dict[str, Any]] = {
        "": {"MASK_ON": True, "PIXEL_STD": [57.375, 57.12, 58.395], "POST_NMS_TOPK_TEST": 1000},
        "BACKBONE.": {"NAME": "build_resnet_fpn_backbone"},
        "FPN.": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
        "ANCHOR_GENERATOR.": {"SIZES": [[32], [64], [128], [256], [512]]},
        "RPN.": proposals,
        "ROI_HEADS.": roi_head,
        "ROI_BOX_HEAD.": box_head,
        "ROI_MASK_HEAD.": mask_head,
        "RESNETS.": resnet,
    }
    return {f"MODEL.{section}{key}": value for section, values in sections.items() for key, value in values.items()}


@dataclass(init=False, eq=False, repr=False)
class LayoutLMv2Config(Publishable):
    """Every parameter of the reference's configuration, with the same name and default.

    Takes keyword arguments only. Unknown names are kept as attributes and written back, as in the reference.
    `num_labels` can replace `id2label`. Values are checked on construction, and again when a model is built
    (`validate`).

    Not in the reference: `visual_backbone`, "native" (plain PyTorch) or "detectron2" (the library, if installed);
    `relation_geometry` and `relation_token_labels`, see `LayoutLMv2ForRelationExtraction`.

    Raises:
        ValueError: a value is invalid; the message names the parameter.
    """

    model_type: ClassVar[str] = MODEL_TYPE

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    max_2d_position_embeddings: int = 1024
    max_rel_pos: int = 128
    rel_pos_bins: int = 32
    fast_qkv: bool = True
    max_rel_2d_pos: int = 256
    rel_2d_pos_bins: int = 64
    convert_sync_batchnorm: bool = True
    image_feature_pool_shape: list[int] = field(default_factory=lambda: [7, 7, 256])
    coordinate_size: int = 128
    shape_size: int = 128
    has_relative_attention_bias: bool = True
    has_spatial_attention_bias: bool = True
    has_visual_segment_embedding: bool = False
    detectron2_config_args: dict[str, Any] = field(default_factory=default_detectron2_config)

    visual_backbone: str = "native"
    relation_geometry: bool = False
    relation_token_labels: bool = False
    chunk_size_feed_forward: int = 0
    problem_type: str | None = None
    id2label: dict[int, str] = field(default_factory=lambda: numbered_labels(2))
    label2id: dict[str, int] = field(default_factory=lambda: _inverse(numbered_labels(2)))
    return_dict: bool = True
    output_hidden_states: bool = False
    output_attentions: bool = False
    architectures: list[str] | None = None
    dtype: str | None = None
    transformers_version: str | None = None

    def __init__(self, **values: Any) -> None:
        self._take(values)
        self._read: dict[str, Any] = {"model_type": MODEL_TYPE}
        defaults = {parameter.name: _plain(_default(parameter)) for parameter in fields(self)}
        self._as_read: dict[str, Any] = {name: defaults[name] for name in WRITTEN_IF_SET}

    def _take(self, values: Mapping[str, Any]) -> None:
        remaining = dict(values)
        if (model_type := remaining.pop("model_type", MODEL_TYPE)) not in MODEL_TYPES:
            raise ValueError(f"model_type is {model_type!r}; this package has {' and '.join(MODEL_TYPES)}")
        num_labels = remaining.pop("num_labels", None)
        if (torch_dtype := remaining.pop("torch_dtype", None)) is not None and remaining.get("dtype") is None:
            remaining["dtype"] = torch_dtype
        remaining.pop("use_return_dict", None)
        for parameter in fields(self):
            value = copy.deepcopy(remaining.pop(parameter.name, None))
            # null means the default, except for pad_token_id, where it means that there is none.
            if value is None and not (parameter.name == "pad_token_id" and parameter.name in values):
                value = _default(parameter)
            setattr(self, parameter.name, value)
        for name, value in remaining.items():
            # Private names, and names of methods here, do not become attributes; they are only written back.
            if not name.startswith("_") and not hasattr(type(self), name):
                setattr(self, name, copy.deepcopy(value))
        self.dtype = None if self.dtype is None else str(self.dtype).removeprefix("torch.")
        if isinstance(self.image_feature_pool_shape, list | tuple):
            self.image_feature_pool_shape = list(self.image_feature_pool_shape)
            if len(self.image_feature_pool_shape) == 2 and isinstance(self.detectron2_config_args, dict):
                # Old files do not state the channels, which the backbone defines.
                self.image_feature_pool_shape.append(self.detectron2_config_args.get("MODEL.FPN.OUT_CHANNELS", 256))
        if values.get("id2label") is not None:
            self._take_labels(values, num_labels)
        elif num_labels is not None:
            self.num_labels = num_labels
        self.validate()

    def _take_labels(self, values: Mapping[str, Any], num_labels: int | None) -> None:
        try:
            self.id2label = {int(index): label for index, label in self.id2label.items()}
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"id2label must map 0, 1, 2 ... to label names, not {self.id2label!r}") from None
        if values.get("label2id") is None:
            self.label2id = _inverse(self.id2label)
        if num_labels is not None and num_labels != len(self.id2label):
            raise ValueError(f"num_labels is {num_labels}, but id2label has {len(self.id2label)} labels: give only one")

    def validate(self) -> None:
        """Check the values again, for those set after construction. Raises ValueError like the class."""
        check_config(self)

    @property
    def num_labels(self) -> int:
        """The number of labels of a head; setting another number names them LABEL_0, LABEL_1 and so on."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, number: int) -> None:
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"num_labels must be an integer of 1 or more, not {number!r}")
        if number != len(self.id2label):
            self.id2label = numbered_labels(number)
            self.label2id = _inverse(self.id2label)

    @property
    def use_return_dict(self) -> bool:
        return self.return_dict

    @classmethod
    def get_default_detectron2_config(cls) -> dict[str, Any]:
        """The default of `detectron2_config_args`."""
        return default_detectron2_config()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> LayoutLMv2Config:
        """The configuration described by `values`, the content of a `config.json`.

        `to_diff_dict` returns these values unchanged, unknown keys included, except for what `overrides` or later
        assignments change.

        Raises:
            ValueError: like the class.
            TypeError: an override is neither a parameter nor a key of `values`.
        """
        config = cls(**values)
        config._read = copy.deepcopy(dict(values))
        config._as_read = config._public()
        for name in overrides:
            if name not in config._public() and name not in values and name not in ("num_labels", "torch_dtype"):
                raise TypeError(f"{name!r} is not a parameter of {cls.__name__}")
        return config.replace(**overrides) if overrides else config

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **overrides: Any) -> LayoutLMv2Config:
        """Read `config.json` from a folder, a hub id or `s3://bucket/prefix`; `overrides` replace its values.

        `revision`, `subfolder` and the other options of `model.checkpoint_source.resolve_checkpoint` are taken too.

        Raises:
            OSError, ValueError, TypeError: the file cannot be read, or `from_dict` rejects it.
        """
        # Here, so that a configuration alone needs no network code.
        from model.checkpoint_source import read_config_json, split_source_options

        options, overrides = split_source_options(overrides)
        return cls.from_dict(read_config_json(pretrained_model_name_or_path, **options), **overrides)

    @classmethod
    def from_json_file(cls, json_file: str | Path) -> LayoutLMv2Config:
        """The configuration in a JSON file. Raises OSError, and ValueError like the class."""
        return cls.from_dict(json.loads(Path(json_file).read_text(encoding="utf-8")))

    def to_dict(self) -> dict[str, Any]:
        """Every parameter, and every other key of the file that was read, as plain JSON values."""
        return {**self.to_diff_dict(), **self._public()}

    def to_diff_dict(self) -> dict[str, Any]:
        """The content of `config.json`: plain JSON values. A configuration that was read is returned unchanged.

        A new one has every parameter of the model, and those that all kinds of model share (`id2label`, `return_dict`
        ...) only where they differ from the default, as in the reference.
        """
        written = copy.deepcopy(self._read)
        for name, value in self._public().items():
            if name not in self._as_read or value != self._as_read[name]:
                written[name] = value
                if name == "dtype":
                    written.pop("torch_dtype", None)
        if "num_labels" in written:
            written["num_labels"] = self.num_labels
        return written

    def to_json_string(self, use_diff: bool = True) -> str:
        """`to_diff_dict`, or `to_dict` with `use_diff=False`, as text, formatted as in the reference."""
        values = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(values, indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | Path, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file."""
        Path(json_file_path).write_text(self.to_json_string(use_diff), encoding="utf-8")

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write `config.json` into `save_directory`, which is created if necessary."""
        self.validate()
        path = Path(save_directory)
        path.mkdir(parents=True, exist_ok=True)
        self.to_json_file(path / CONFIG_NAME)

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Set several parameters; they are checked when a model is built (or by `validate`), as any set later.

        `id2label` also sets `label2id`, unless that is given too.
        """
        changes = dict(config_dict)
        if (labels := changes.get("id2label")) is not None:
            changes["id2label"] = {int(index): label for index, label in labels.items()}
            changes.setdefault("label2id", _inverse(changes["id2label"]))
        for name, value in changes.items():
            setattr(self, name, value)

    def replace(self, **changes: Any) -> LayoutLMv2Config:
        """A copy with other values. Raises ValueError like the class."""
        changed = copy.deepcopy(self)
        if (torch_dtype := changes.pop("torch_dtype", None)) is not None:
            changes.setdefault("dtype", torch_dtype)
        if changes.get("id2label") is not None:
            changes.setdefault("label2id", None)
        if changes.get("num_labels") not in (None, self.num_labels):
            changes.setdefault("id2label", None)
            changes.setdefault("label2id", None)
        changed._take({**vars(self), **changes})
        return changed

    def _public(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in vars(self).items() if not name.startswith("_")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayoutLMv2Config) and self._public() == other._public()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def numbered_labels(number: int) -> dict[int, str]:
    """LABEL_0, LABEL_1 and so on: the default names of labels."""
    return {index: f"LABEL_{index}" for index in range(number)}


def _inverse(labels: Mapping[int, str]) -> dict[str, int]:
    return {label: index for index, label in labels.items()}


def _default(parameter: Any) -> Any:
    return parameter.default if parameter.default_factory is MISSING else parameter.default_factory()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)

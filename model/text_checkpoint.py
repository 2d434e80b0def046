"""Initialization from a text model: a LayoutLMv2 with the weights of a BERT-like checkpoint; layout and image are new.

LayoutLMv2 is BERT's encoder with additional inputs (paper, section 2: "initialized with" a text model's weights), so
every tensor of the text model is used. The attention keys have a bias in BERT and none here: it adds a constant to all
scores of a query, to which softmax is invariant, so omitting it changes nothing.
"""

from __future__ import annotations

import json
from os import PathLike
from typing import Any

import torch

from model.checkpoint import CheckpointError, CheckpointMismatchError, read_weights
from model.checkpoint_source import find_weights, resolve_checkpoint
from model.config import LayoutLMv2Config
from model.pretrained import LayoutLMv2PreTrainedModel

TEXT_MODEL_TYPES = ("bert", "electra", "roberta", "xlm-roberta", "camembert")
"""Values of `model_type` with BERT's encoder."""

OFFSET_MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")
"""Those of them whose position ids follow the padding token's id, as in fairseq: the rows of the table up to it are
never used. Here positions start at 0 in every model, also in the published LayoutXLM."""

EMBEDDING_KEYS = {
    "embeddings.word_embeddings.weight": "embeddings.word_embeddings.weight",
    "embeddings.position_embeddings.weight": "embeddings.position_embeddings.weight",
    "embeddings.token_type_embeddings.weight": "embeddings.token_type_embeddings.weight",
    "embeddings.LayerNorm.weight": "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias": "embeddings.LayerNorm.bias",
}
LAYER_KEYS = {
    "attention.self.query.weight": "attention.self.query.weight",
    "attention.self.query.bias": "attention.self.query.bias",
    "attention.self.key.weight": "attention.self.key.weight",
    "attention.self.value.weight": "attention.self.value.weight",
    "attention.self.value.bias": "attention.self.value.bias",
    "attention.output.dense.weight": "attention.output.dense.weight",
    "attention.output.dense.bias": "attention.output.dense.bias",
    "attention.output.LayerNorm.weight": "attention.output.LayerNorm.weight",
    "attention.output.LayerNorm.bias": "attention.output.LayerNorm.bias",
    "intermediate.dense.weight": "intermediate.dense.weight",
    "intermediate.dense.bias": "intermediate.dense.bias",
    "output.dense.weight": "output.dense.weight",
    "output.dense.bias": "output.dense.bias",
    "output.LayerNorm.weight": "output.LayerNorm.weight",
    "output.LayerNorm.bias": "output.LayerNorm.bias",
}
"""The text model's names mapped to this model's, for the embeddings and for each encoder layer. With `fast_qkv` the
three projections then become one `qkv_linear`, `q_bias` and `v_bias`."""

_SHARED_PARAMETERS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "hidden_act": "hidden_act",
    "max_position_embeddings": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "layer_norm_eps": "layer_norm_eps",
    "pad_token_id": "pad_token_id",
}


def text_config(source: str | PathLike[str], **values: Any) -> LayoutLMv2Config:
    """A configuration with the sizes of a text checkpoint.

    The six parts of a box's embedding have equal widths if possible, as in the published model (128 of 768 each).

    Args:
        source: folder, hub id or s3:// URI of the text checkpoint.
        values: everything else, such as `id2label`, `image_feature_pool_shape` and `detectron2_config_args`.

    Raises:
        CheckpointError: it cannot be read, or is not a BERT-like model.
        ValueError: its sizes are invalid for a LayoutLMv2.
    """
    stored = _stored_config(source)
    if stored.get("position_embedding_type", "absolute") != "absolute":
        raise CheckpointError(
            f"{source} has {stored['position_embedding_type']} positions; only absolute ones are supported"
        )
    shared = {ours: stored[theirs] for theirs, ours in _SHARED_PARAMETERS.items() if theirs in stored}
    if "hidden_size" not in shared:
        raise CheckpointError(f"the config.json of {source} has no hidden_size")
    if "max_position_embeddings" in shared:
        shared["max_position_embeddings"] -= _first_position(stored)
    part = shared["hidden_size"] // 6
    rest = shared["hidden_size"] - 4 * part
    if rest % 2:
        raise ValueError(f"{source}: hidden_size {shared['hidden_size']} is odd, so it cannot be split for boxes")
    return LayoutLMv2Config(**{**shared, "coordinate_size": part, "shape_size": rest // 2, **values})


def load_text_checkpoint(model: LayoutLMv2PreTrainedModel, source: str | PathLike[str]) -> frozenset[str]:
    """Load the weights of a text checkpoint into a model, in place.

    Returns:
        The names of the model's parameters that were loaded; all others are unchanged.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        CheckpointMismatchError: a tensor is missing, or has another shape than the model's.
    """
    stored: dict[str, torch.Tensor] = {}
    for path in find_weights(resolve_checkpoint(source)):
        stored.update(read_weights(path))
    stored = {_plain_name(name): tensor for name, tensor in stored.items()}
    base = model.base_model
    names = dict(EMBEDDING_KEYS)
    for index in range(base.config.num_hidden_layers):
        layer = f"encoder.layer.{index}."
        names |= {layer + theirs: layer + ours for theirs, ours in LAYER_KEYS.items()}
    missing = [theirs for theirs in names if theirs not in stored]
    if missing:
        raise CheckpointMismatchError(f"{source} is not a BERT-like text model: it lacks {', '.join(missing[:4])}")
    weights = {ours: stored[theirs] for theirs, ours in names.items()}
    positions = EMBEDDING_KEYS["embeddings.position_embeddings.weight"]
    weights[positions] = weights[positions][_first_position(_stored_config(source)) :]
    if base.config.fast_qkv:
        weights = _joined_projections(weights, base.config.num_hidden_layers)
    state = base.state_dict()
    for name, tensor in weights.items():
        if tensor.shape != state[name].shape:
            raise CheckpointMismatchError(
                f"{source}: {name} has shape {list(tensor.shape)}, expected {list(state[name].shape)}; "
                "take the configuration from the text checkpoint"
            )
    base.load_state_dict(weights, strict=False)
    prefix = "" if base is model else f"{model.base_model_prefix}."
    return frozenset(prefix + name for name in weights)


def _stored_config(source: str | PathLike[str]) -> dict[str, Any]:
    path = resolve_checkpoint(source, weights=False) / "config.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    kind = stored.get("model_type") if isinstance(stored, dict) else None
    if kind not in TEXT_MODEL_TYPES:
        raise CheckpointError(
            f"{source} has model_type {kind!r}; a text checkpoint must be one of {', '.join(TEXT_MODEL_TYPES)}; give a "
            "LayoutLMv2 checkpoint as --model"
        )
    return stored


def _first_position(stored: dict[str, Any]) -> int:
    """The row of a text model's position table that belongs to the first token."""
    return int(stored.get("pad_token_id", 1)) + 1 if stored["model_type"] in OFFSET_MODEL_TYPES else 0


def _plain_name(name: str) -> str:
    for prefix in ("bert.", "electra.", "roberta."):
        name = name.removeprefix(prefix)
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _joined_projections(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """The weights for a model with `fast_qkv`: queries, keys and values concatenated."""
    joined = {name: tensor for name, tensor in weights.items() if ".attention.self." not in name}
    for index in range(layers):
        attention = f"encoder.layer.{index}.attention.self."
        parts = [weights[f"{attention}{name}.weight"] for name in ("query", "key", "value")]
        joined[f"{attention}qkv_linear.weight"] = torch.cat(parts)
        joined[f"{attention}q_bias"] = weights[f"{attention}query.bias"].view(1, 1, -1)
        joined[f"{attention}v_bias"] = weights[f"{attention}value.bias"].view(1, 1, -1)
    return joined

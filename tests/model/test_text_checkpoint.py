"""Weights of a text model in a LayoutLMv2: the encoder then computes the same as the text model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from model import LayoutLMv2ForTokenClassification, LayoutLMv2Model
from model.checkpoint import CheckpointError, CheckpointMismatchError
from model.text_checkpoint import load_text_checkpoint, text_config

HIDDEN, HEADS, LAYERS, WIDE = 24, 2, 2, 40
BACKBONE = {
    "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
    "MODEL.FPN.IN_FEATURES": ["res2"],
    "MODEL.FPN.OUT_CHANNELS": 8,
    "MODEL.PIXEL_STD": [57.375, 57.12, 58.395],
    "MODEL.RESNETS.DEPTH": 18,
    "MODEL.RESNETS.OUT_FEATURES": ["res2"],
    "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
}
VALUES = {"image_feature_pool_shape": [1, 1, 8], "detectron2_config_args": BACKBONE}


def text_weights() -> dict[str, torch.Tensor]:
    """A BERT with random weights and BERT's parameter names."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.2

    def norm(name: str) -> dict[str, torch.Tensor]:
        return {f"{name}.LayerNorm.weight": 1 + random(HIDDEN), f"{name}.LayerNorm.bias": random(HIDDEN)}

    def linear(name: str, outputs: int, inputs: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": random(outputs, inputs), f"{name}.bias": random(outputs)}

    weights = {
        "embeddings.word_embeddings.weight": random(50, HIDDEN),
        "embeddings.position_embeddings.weight": random(32, HIDDEN),
        "embeddings.token_type_embeddings.weight": random(2, HIDDEN),
        **norm("embeddings"),
    }
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        for name in ("query", "key", "value"):
            weights |= linear(f"{layer}.attention.self.{name}", HIDDEN, HIDDEN)
        weights |= linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN) | norm(f"{layer}.attention.output")
        weights |= linear(f"{layer}.intermediate.dense", WIDE, HIDDEN)
        weights |= linear(f"{layer}.output.dense", HIDDEN, WIDE) | norm(f"{layer}.output")
    return weights


def text_encoder(weights: dict[str, torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    """BERT's encoder (Devlin et al., 2019), written out, with the biases of the keys."""
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"

        def linear(name: str, value: torch.Tensor, layer: str = layer) -> torch.Tensor:
            return functional.linear(value, weights[f"{layer}.{name}.weight"], weights[f"{layer}.{name}.bias"])

        def norm(name: str, value: torch.Tensor, layer: str = layer) -> torch.Tensor:
            prefix = f"{layer}.{name}.LayerNorm"
            return functional.layer_norm(value, (HIDDEN,), weights[f"{prefix}.weight"], weights[f"{prefix}.bias"], 1e-6)

        query, key, value = (
            linear(f"attention.self.{name}", hidden).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(-1, -2) / (HIDDEN // HEADS) ** 0.5
        context = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).flatten(2)
        hidden = norm("attention.output", linear("attention.output.dense", context) + hidden)
        wide = functional.gelu(linear("intermediate.dense", hidden))
        hidden = norm("output", linear("output.dense", wide) + hidden)
    return hidden


@pytest.fixture
def text_checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "text"
    folder.mkdir()
    config = {
        "model_type": "bert",
        "vocab_size": 50,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": WIDE,
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-6,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(text_weights(), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("fast_qkv", [True, False])
def test_the_encoder_computes_what_the_text_model_computes(text_checkpoint: Path, fast_qkv: bool) -> None:
    config = text_config(
        text_checkpoint,
        fast_qkv=fast_qkv,
        has_relative_attention_bias=False,
        has_spatial_attention_bias=False,
        **VALUES,
    )
    model = LayoutLMv2Model(config).eval()
    load_text_checkpoint(model, text_checkpoint)
    hidden = torch.randn(2, 5, HIDDEN, generator=torch.Generator().manual_seed(1))
    position_ids, boxes = torch.arange(5).expand(2, 5), torch.zeros(2, 5, 4, dtype=torch.int64)
    with torch.inference_mode():
        ours = model.encoder(hidden, position_ids, boxes, torch.ones(2, 5, dtype=torch.bool)).last_hidden_state
        theirs = text_encoder(text_weights(), hidden)
    # With fast_qkv this model has no biases of the keys; with separate projections they keep their initial values.
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_names_of_loaded_parameters_are_returned_and_all_others_are_unchanged(text_checkpoint: Path) -> None:
    model = LayoutLMv2ForTokenClassification(text_config(text_checkpoint, **VALUES))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loaded = load_text_checkpoint(model, text_checkpoint)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == loaded
    assert "layoutlmv2.embeddings.word_embeddings.weight" in loaded
    assert not any("visual" in name or "position_bias" in name or "classifier" in name for name in loaded)


def test_names_with_a_prefix_and_old_names_of_norms_are_accepted(text_checkpoint: Path) -> None:
    old = {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma"): t for name, t in text_weights().items()}
    save_file(old, text_checkpoint / "model.safetensors")
    model = LayoutLMv2Model(text_config(text_checkpoint, **VALUES))
    load_text_checkpoint(model, text_checkpoint)
    assert torch.equal(model.embeddings.LayerNorm.weight, text_weights()["embeddings.LayerNorm.weight"])


@pytest.mark.parametrize("model_type", ["roberta", "xlm-roberta"])
def test_positions_of_a_roberta_begin_after_its_padding_token(text_checkpoint: Path, model_type: str) -> None:
    stored = json.loads((text_checkpoint / "config.json").read_text())
    stored |= {"model_type": model_type, "pad_token_id": 1, "type_vocab_size": 1}
    (text_checkpoint / "config.json").write_text(json.dumps(stored))
    weights = text_weights()
    weights["embeddings.token_type_embeddings.weight"] = weights["embeddings.token_type_embeddings.weight"][:1].clone()
    save_file({f"roberta.{name}": tensor for name, tensor in weights.items()}, text_checkpoint / "model.safetensors")
    model = LayoutLMv2Model(text_config(text_checkpoint, **VALUES))
    assert "embeddings.position_embeddings.weight" in load_text_checkpoint(model, text_checkpoint)
    rows = weights["embeddings.position_embeddings.weight"]
    assert torch.equal(model.embeddings.position_embeddings.weight, rows[2:])
    assert (model.config.max_position_embeddings, model.config.type_vocab_size) == (30, 1)


def test_a_box_is_embedded_in_six_parts_that_share_the_width(text_checkpoint: Path) -> None:
    config = text_config(text_checkpoint, **VALUES)
    assert (config.coordinate_size, config.shape_size) == (4, 4)
    assert 4 * config.coordinate_size + 2 * config.shape_size == config.hidden_size


def test_another_kind_of_model_is_rejected(text_checkpoint: Path) -> None:
    (text_checkpoint / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CheckpointError, match="gpt2"):
        text_config(text_checkpoint)


def test_weights_that_are_missing_or_of_another_shape_are_named(text_checkpoint: Path) -> None:
    model = LayoutLMv2Model(text_config(text_checkpoint, **VALUES))
    weights = text_weights()
    save_file(
        {**weights, "embeddings.word_embeddings.weight": torch.zeros(7, HIDDEN)}, text_checkpoint / "model.safetensors"
    )
    with pytest.raises(CheckpointMismatchError, match=r"word_embeddings.*\[7, 24\], expected \[50, 24\]"):
        load_text_checkpoint(model, text_checkpoint)
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, text_checkpoint / "model.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"lacks encoder.layer.1.output.dense.bias"):
        load_text_checkpoint(model, text_checkpoint)

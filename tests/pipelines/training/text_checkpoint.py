"""A text model with random weights, to start from."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import LayoutLMv2Tokenizer
from model.text_checkpoint import EMBEDDING_KEYS, LAYER_KEYS

SIZES = {
    "vocab_size": 30522,
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}


def write_text_checkpoint(folder: Path) -> Path:
    """Write a BERT-like checkpoint of one small layer, with the published vocabulary; returns the folder."""
    folder.mkdir(parents=True)
    hidden, wide = SIZES["hidden_size"], SIZES["intermediate_size"]
    tables = {"word": SIZES["vocab_size"], "position": SIZES["max_position_embeddings"], "token_type": 2}
    shapes = {
        name: (hidden,) if "LayerNorm" in name else (tables[name.split(".")[1][:-11]], hidden)
        for name in EMBEDDING_KEYS
    }
    for name in LAYER_KEYS:
        outputs = wide if name.startswith("intermediate") else hidden
        inputs = wide if name.startswith("output.dense") else hidden
        is_vector = name.endswith("bias") or "LayerNorm" in name
        shapes[f"encoder.layer.0.{name}"] = (outputs,) if is_vector else (outputs, inputs)
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **SIZES}))
    LayoutLMv2Tokenizer().save_pretrained(folder)
    return folder

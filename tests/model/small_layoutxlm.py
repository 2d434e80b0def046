"""A small model of LayoutXLM's shape, and its checkpoint: like the published one with a SentencePiece model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

import model as model_package
from model import LayoutLMv2Config
from tests.model.preprocessing.small_sentencepiece import TOKENS, write_model_file
from tests.pipelines.datasets.drawn_corpus import TINY

LAYOUTXLM: dict[str, Any] = {
    **TINY,
    "vocab_size": TOKENS,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
    "fast_qkv": False,
    "has_relative_attention_bias": False,
    "has_spatial_attention_bias": False,
    "has_visual_segment_embedding": True,
}


def write_layoutxlm_checkpoint(
    folder: Path, labels: tuple[str, ...] = ("O", "B-KEY", "I-KEY"), kind: str = "TokenClassification"
) -> Path:
    """Write a checkpoint with random weights, equal in every run; returns the folder."""
    model_class = getattr(model_package, f"LayoutLMv2For{kind}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model_class(LayoutLMv2Config(**LAYOUTXLM, id2label=dict(enumerate(labels)))).save_pretrained(folder)
    write_model_file(folder)
    config = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder

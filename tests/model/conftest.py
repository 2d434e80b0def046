from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.config import LayoutLMv2Config
from model.heads import (
    LayoutLMv2ForQuestionAnswering,
    LayoutLMv2ForSequenceClassification,
    LayoutLMv2ForTokenClassification,
)
from model.layoutlmv2 import LayoutLMv2Model

SPREAD_TOLERANCE = 1e-4
LOSS_TOLERANCE = 1e-5
HEADS = {
    "token": LayoutLMv2ForTokenClassification,
    "sequence": LayoutLMv2ForSequenceClassification,
    "qa": LayoutLMv2ForQuestionAnswering,
}


@dataclass(frozen=True)
class Golden:
    """One small configuration: its checkpoint, inputs, and the outputs of the reference implementation."""

    folder: Path
    tensors: dict[str, torch.Tensor]

    def config(self, **overrides: Any) -> LayoutLMv2Config:
        text = (self.folder / "checkpoint-base" / "config.json").read_text()
        return LayoutLMv2Config.from_dict(json.loads(text), **overrides)

    def model(self, **overrides: Any) -> LayoutLMv2Model:
        model = LayoutLMv2Model(self.config(**overrides)).eval()
        model.load_state_dict(load_file(self.folder / "checkpoint-base" / "model.safetensors"))
        return model

    def head(self, name: str, **overrides: Any) -> Any:
        config = self.config(**{"num_labels": 2 if name == "qa" else 7, **overrides})
        arguments = {"has_visual_segment_embedding": config.has_visual_segment_embedding} if name == "qa" else {}
        model = HEADS[name](config, **arguments).eval()
        own = load_file(self.folder / "heads.safetensors")
        state = {key.split(".", 1)[1]: value for key, value in own.items() if key.startswith(name + ".")}
        base = load_file(self.folder / "checkpoint-base" / "model.safetensors")
        model.load_state_dict({f"layoutlmv2.{key}": value for key, value in base.items()} | state)
        return model

    def inputs(self, *names: str) -> dict[str, torch.Tensor]:
        names = names or ("input_ids", "bbox", "image", "attention_mask", "token_type_ids")
        return {name: self.tensors[f"in.{name}"] for name in names}


@pytest.fixture(params=["tiny", "tiny-separate-qkv", "tiny-segment"])
def golden(request: pytest.FixtureRequest, fixtures_directory: Path) -> Golden:
    folder = fixtures_directory / "goldens" / request.param
    return Golden(folder, load_file(folder / "tensors.safetensors"))


@pytest.fixture
def tiny(fixtures_directory: Path) -> Golden:
    folder = fixtures_directory / "goldens" / "tiny"
    return Golden(folder, load_file(folder / "tensors.safetensors"))


@pytest.fixture(scope="session")
def assert_close() -> Callable[..., None]:
    """Within 1e-4 of the expected tensor's spread; losses (scalars) within 1e-5."""

    def check(actual: torch.Tensor, expected: torch.Tensor, tolerance: float | None = None) -> None:
        assert actual.shape == expected.shape
        error = (actual.float() - expected).abs().max().item()
        assert error == error, "not a number"
        if expected.dim() == 0:
            assert error <= (tolerance or LOSS_TOLERANCE)
        else:
            spread = (expected.max() - expected.min()).item()
            assert error <= (tolerance or SPREAD_TOLERANCE) * spread, f"{error / spread:.1e} of the spread"

    return check

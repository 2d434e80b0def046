"""A model can be exported with `torch.export` for any number of pages and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import Dim

from model import (
    LayoutLMv2ForQuestionAnswering,
    LayoutLMv2ForSequenceClassification,
    LayoutLMv2ForTokenClassification,
    LayoutLMv2Model,
)
from tests.model.small_model import small_config

CLASSES = {
    LayoutLMv2Model: "token-classification",
    LayoutLMv2ForTokenClassification: "token-classification",
    LayoutLMv2ForSequenceClassification: "sequence-classification",
    LayoutLMv2ForQuestionAnswering: "question-answering",
}
DYNAMIC = Dim.DYNAMIC
SHAPES: dict[str, Any] = {
    "input_ids": {0: DYNAMIC, 1: DYNAMIC},
    "bbox": {0: DYNAMIC, 1: DYNAMIC},
    "image": {0: DYNAMIC},
    "attention_mask": {0: DYNAMIC, 1: DYNAMIC},
}


def build(model_class: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    return model_class(small_config(CLASSES[model_class]).replace(**changes)).eval()


def pages(batch: int, tokens: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch * 1000 + tokens)
    mask = torch.ones(batch, tokens, dtype=torch.long)
    mask[-1, (tokens + 1) // 2 :] = 0
    return {
        "input_ids": torch.randint(0, 30000, (batch, tokens), generator=generator),
        "bbox": torch.randint(0, 1001, (batch, tokens, 2, 2), generator=generator).sort(dim=2).values.flatten(2),
        "image": torch.randint(0, 256, (batch, 3, 224, 224), generator=generator, dtype=torch.uint8),
        "attention_mask": mask,
    }


def assert_same(program: torch.export.ExportedProgram, model: Any, *inputs: dict[str, torch.Tensor]) -> None:
    module = program.module()
    for each in inputs:
        with torch.no_grad():
            result, expected = module(**each), model(**each)
        assert type(result) is type(expected) and list(result) == list(expected)
        for name, value in expected.items():
            torch.testing.assert_close(result[name], value, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def tagger() -> tuple[Any, torch.export.ExportedProgram]:
    """A model for token classification, and what is exported of it."""
    model = build(LayoutLMv2ForTokenClassification)
    return model, torch.export.export(model, (), pages(2, 33), dynamic_shapes=SHAPES)


def assert_any_number(program: torch.export.ExportedProgram, model: Any) -> None:
    assert_same(program, model, pages(1, 2), pages(3, 7), pages(2, 512))


def test_an_exported_model_takes_any_number_of_pages_and_tokens(
    tagger: tuple[Any, torch.export.ExportedProgram],
) -> None:
    model, program = tagger
    assert_any_number(program, model)


@pytest.mark.slow
@pytest.mark.parametrize("model_class", [each for each in CLASSES if each is not LayoutLMv2ForTokenClassification])
def test_so_does_every_other_class(model_class: Any) -> None:
    model = build(model_class)
    assert_any_number(torch.export.export(model, (), pages(2, 33), dynamic_shapes=SHAPES), model)


@pytest.mark.slow
def test_the_limits_of_both_numbers_can_be_named() -> None:
    batch, tokens = Dim("pages", min=1, max=64), Dim("tokens", min=1, max=512)
    shapes = {name: {0: batch} if name == "image" else {0: batch, 1: tokens} for name in SHAPES}
    model = build(LayoutLMv2ForTokenClassification)
    program = torch.export.export(model, (), pages(2, 33), dynamic_shapes=shapes, strict=True)
    assert_same(program, model, pages(5, 100))


@pytest.mark.parametrize(
    "changes",
    [
        {
            "fast_qkv": False,
            "has_spatial_attention_bias": False,
            "has_visual_segment_embedding": True,
            "chunk_size_feed_forward": 64,
            "output_hidden_states": True,
        },
        *[
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {"fast_qkv": False},
                {"has_relative_attention_bias": False},
                {"has_spatial_attention_bias": False},
                {"has_relative_attention_bias": False, "has_spatial_attention_bias": False},
                {"has_visual_segment_embedding": True},
                {"chunk_size_feed_forward": 64},
                {"output_attentions": True, "output_hidden_states": True},
            )
        ],
    ],
    ids=str,
)
def test_every_variant_of_the_network_can_be_exported(changes: dict[str, Any]) -> None:
    model = build(LayoutLMv2Model, **changes)
    program = torch.export.export(model, (), pages(2, 33), dynamic_shapes=SHAPES)
    with torch.no_grad():
        result, expected = program.module()(**pages(3, 150)), model(**pages(3, 150))
    torch.testing.assert_close(result.last_hidden_state, expected.last_hidden_state, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_windows_of_a_page_share_its_picture_in_an_exported_model() -> None:
    def windows(rows: int, images: int) -> dict[str, torch.Tensor]:
        inputs = pages(rows, 20)
        inputs["image"] = inputs["image"][:images]
        return inputs | {"image_of_row": torch.arange(rows) % images}

    model = build(LayoutLMv2ForTokenClassification)
    program = torch.export.export(model, (), windows(3, 2), dynamic_shapes=SHAPES | {"image_of_row": {0: DYNAMIC}})
    assert_same(program, model, windows(7, 3))


@pytest.mark.slow
def test_the_network_can_be_exported_without_its_backbone() -> None:
    def windows(rows: int, images: int) -> dict[str, torch.Tensor]:
        inputs = pages(rows, 20)
        features = torch.randn(images, 49, model.config.hidden_size, generator=torch.Generator().manual_seed(0))
        del inputs["image"]
        return inputs | {"image_features": features, "image_of_row": torch.arange(rows) % images}

    model = build(LayoutLMv2ForTokenClassification)
    shapes = {name: shape for name, shape in SHAPES.items() if name != "image"}
    shapes |= {"image_features": {0: DYNAMIC}, "image_of_row": {0: DYNAMIC}}
    program = torch.export.export(model, (), windows(3, 2), dynamic_shapes=shapes)
    assert_same(program, model, windows(7, 3))


def test_an_exported_model_can_be_saved_and_loaded(
    tagger: tuple[Any, torch.export.ExportedProgram], tmp_path: Path
) -> None:
    model, program = tagger
    torch.export.save(program, tmp_path / "model.pt2")
    assert_same(torch.export.load(tmp_path / "model.pt2"), model, pages(1, 9))

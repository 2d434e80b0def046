"""LayoutXLM: LayoutLMv2's network with another configuration, tokenizer and start of the positions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from model import (
    AutoModelForTokenClassification,
    AutoProcessor,
    LayoutLMv2ForTokenClassification,
    LayoutLMv2ImageProcessorPil,
    LayoutXLMProcessor,
    LayoutXLMTokenizer,
)
from tests.model.small_layoutxlm import LAYOUTXLM, write_layoutxlm_checkpoint

WORDS = ["Rechnung", "請求書", "Größe:"]
BOXES = [[10, 10, 200, 30], [210, 10, 400, 30], [10, 50, 200, 70]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layoutxlm_checkpoint(tmp_path_factory.mktemp("layoutxlm"))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> LayoutLMv2ForTokenClassification:
    return LayoutLMv2ForTokenClassification.from_pretrained(checkpoint)


@pytest.fixture(scope="module")
def processor(checkpoint: Path) -> LayoutXLMProcessor:
    tokenizer = LayoutXLMTokenizer.from_pretrained(checkpoint)
    return LayoutXLMProcessor(LayoutLMv2ImageProcessorPil(apply_ocr=False), tokenizer)


def test_a_page_in_several_languages_goes_through_processor_and_model(
    model: LayoutLMv2ForTokenClassification, processor: LayoutXLMProcessor
) -> None:
    page = processor(Image.new("RGB", (60, 80), "white"), WORDS, boxes=BOXES, return_tensors="pt")
    assert set(page) == set(processor.model_input_names) == {"input_ids", "attention_mask", "bbox", "image"}
    with torch.inference_mode():
        logits = model(**page).logits
    assert logits.shape == (1, page["input_ids"].shape[1], 3)
    assert logits.isfinite().all()


def test_a_model_without_distances_has_no_parameters_for_them(model: LayoutLMv2ForTokenClassification) -> None:
    names = set(dict(model.named_parameters()))
    assert not [name for name in names if "bias.weight" in name and "rel_" in name]
    assert "layoutlmv2.visual_segment_embedding" in names
    assert tuple(model.layoutlmv2.embeddings.token_type_embeddings.weight.shape) == (1, LAYOUTXLM["hidden_size"])


def test_positions_are_counted_from_zero_and_not_from_the_padding_token(
    model: LayoutLMv2ForTokenClassification,
) -> None:
    page = {
        "input_ids": torch.tensor([[0, 5, 6, 7, 2]]),
        "bbox": torch.zeros(1, 5, 4, dtype=torch.int64),
        "image": torch.full((1, 3, 224, 224), 200, dtype=torch.uint8),
    }
    with torch.inference_mode():
        counted = model(**page).logits
        assert torch.equal(model(**page, position_ids=torch.arange(5)[None]).logits, counted)
        assert not torch.allclose(model(**page, position_ids=torch.arange(2, 7)[None]).logits, counted)


def test_a_window_of_the_longest_length_runs(
    model: LayoutLMv2ForTokenClassification, processor: LayoutXLMProcessor
) -> None:
    page = processor(
        Image.new("RGB", (60, 80), "white"),
        ["請求書"] * 600,
        boxes=[BOXES[0]] * 600,
        truncation=True,
        return_tensors="pt",
    )
    assert page["input_ids"].shape == (1, 512)
    with torch.inference_mode():
        assert model(**page).logits.shape == (1, 512, 3)


def test_a_saved_checkpoint_is_read_again(checkpoint: Path, processor: LayoutXLMProcessor, tmp_path: Path) -> None:
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert {name: stored[name] for name in LAYOUTXLM} == LAYOUTXLM
    for name in ("preprocessor_config.json", "tokenizer_config.json"):
        assert json.loads((tmp_path / name).read_text())["processor_class"] == "LayoutXLMProcessor"
    read = AutoProcessor.from_pretrained(tmp_path, apply_ocr=False)
    assert type(read) is LayoutXLMProcessor and type(read.tokenizer) is LayoutXLMTokenizer
    image = Image.new("RGB", (60, 80), "white")
    before = processor(image, WORDS, boxes=BOXES, return_tensors="pt")
    after = read(image, WORDS, boxes=BOXES, return_tensors="pt")
    assert all(torch.equal(after[name], before[name]) for name in before)
    again = AutoModelForTokenClassification.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again(**after).logits, model(**before).logits)


def test_a_processor_needs_a_vocabulary() -> None:
    with pytest.raises(ValueError, match="vocabulary is not part of this package"):
        LayoutXLMProcessor(LayoutLMv2ImageProcessorPil(apply_ocr=False))

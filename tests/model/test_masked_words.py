"""A head that shares the word embeddings predicts masked words from the vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import LayoutLMv2ForTokenClassification
from model.masked_words import LayoutLMv2ForMaskedWords
from tests.model.small_model import small_config


@pytest.fixture
def masked_model() -> LayoutLMv2ForMaskedWords:
    torch.manual_seed(0)
    return LayoutLMv2ForMaskedWords(small_config("token-classification")).eval()


def page(tokens: int = 12, rows: int = 2, side: int = 64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "input_ids": torch.randint(1000, 30000, (rows, tokens), generator=generator),
        "bbox": torch.randint(0, 400, (rows, tokens, 2), generator=generator).repeat(1, 1, 2)
        + torch.tensor([0, 0, 9, 9]),
        "image": torch.randint(0, 256, (rows, 3, side, side), generator=generator, dtype=torch.uint8),
    }


def test_the_loss_is_over_the_masked_tokens_alone(masked_model: LayoutLMv2ForMaskedWords) -> None:
    inputs = page()
    labels = torch.full((2, 12), -100)
    labels[0, 3], labels[1, 7] = 2023, 4242
    with torch.inference_mode():
        every = masked_model(**inputs).logits
        masked = masked_model(**inputs, labels=labels)
    assert every.shape == (2, 12, 30522)
    assert torch.allclose(masked.logits, torch.stack([every[0, 3], every[1, 7]]), atol=1e-5)
    expected = -torch.log_softmax(masked.logits, dim=-1)[[0, 1], [2023, 4242]].mean()
    assert masked.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_model_can_overfit_one_page() -> None:
    torch.manual_seed(0)
    model = LayoutLMv2ForMaskedWords(small_config("token-classification"))
    model.layoutlmv2.visual.requires_grad_(False)  # the words alone tell what is masked
    inputs = page(rows=1)
    labels = inputs["input_ids"].clone()
    labels[:, ::2] = -100
    inputs["input_ids"] = torch.where(labels == -100, inputs["input_ids"], 103)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=2e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_a_head_for_labels_starts_from_the_pretrained_weights(
    masked_model: LayoutLMv2ForMaskedWords, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    masked_model.save_pretrained(tmp_path)
    tagger = LayoutLMv2ForTokenClassification.from_pretrained(tmp_path)
    for name, value in masked_model.layoutlmv2.state_dict().items():
        assert torch.equal(tagger.layoutlmv2.state_dict()[name], value), name
    assert "cls.predictions" in caplog.text and "not used" in caplog.text

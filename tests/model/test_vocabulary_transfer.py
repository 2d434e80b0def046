"""A trained model gets another vocabulary: known tokens keep their vectors, others are spelled by known ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification
from model.vocabulary_transfer import transfer_vocabulary, transferred_table, word_pieces
from tests.pipelines.datasets.drawn_corpus import TINY

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "date", "ant", "##rag", "##ing", "a", "##a", "名", "uber"]
VOCABULARY = {piece: number for number, piece in enumerate(PIECES)}
OLD_TOKENS = 50
TABLE = torch.randn(len(PIECES), 8, generator=torch.Generator().manual_seed(1))
TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "▁Date", "▁Antrag", "ing", "▁漢字", "▁Über", "<mask>"]


def small_model() -> LayoutLMv2ForTokenClassification:
    config = LayoutLMv2Config(**{**TINY, "vocab_size": OLD_TOKENS})
    return LayoutLMv2ForTokenClassification(config).eval()


@pytest.mark.parametrize(
    ("token", "pieces"),
    [
        ("▁date", ["date"]),
        ("▁DATE", ["date"]),
        ("▁Über", ["uber"]),
        ("▁Antrag", ["ant", "##rag"]),
        ("ing", ["##ing"]),
        ("date", ["date"]),
        ("▁ing", ["##ing"]),
        ("▁aa", ["a", "##a"]),
        ("a", ["##a"]),
        ("▁姓名a", ["名", "a"]),
        ("▁", []),
        ("▁漢字", []),
    ],
)
def test_a_token_is_spelled_by_the_longest_word_pieces(token: str, pieces: list[str]) -> None:
    assert [PIECES[index] for index in word_pieces(token, VOCABULARY)] == pieces


def test_vectors_are_copied_averaged_or_drawn() -> None:
    made = transferred_table(TABLE, VOCABULARY, TOKENS)
    assert (made.copied, made.averaged, made.drawn) == (8, 1, 1)
    same = {"<s>": "[CLS]", "<pad>": "[PAD]", "</s>": "[SEP]", "<unk>": "[UNK]", "<mask>": "[MASK]"}
    same |= {"▁Date": "date", "ing": "##ing", "▁Über": "uber"}
    for new, old in same.items():
        assert torch.equal(made.weight[TOKENS.index(new)], TABLE[VOCABULARY[old]])
    spelled = (TABLE[VOCABULARY["ant"]] + TABLE[VOCABULARY["##rag"]]) / 2
    torch.testing.assert_close(made.weight[TOKENS.index("▁Antrag")], spelled)


def test_what_cannot_be_spelled_is_like_the_old_vectors_and_the_same_for_a_seed() -> None:
    tokens = [chr(0x4E00 + number) for number in range(3000) if chr(0x4E00 + number) not in VOCABULARY]
    made = transferred_table(TABLE, VOCABULARY, tokens, seed=3)
    assert made.drawn == len(tokens)
    torch.testing.assert_close(made.weight.mean(dim=0), TABLE.mean(dim=0), atol=0.1, rtol=0)
    torch.testing.assert_close(made.weight.std(dim=0), TABLE.std(dim=0), atol=0.1, rtol=0)
    assert torch.equal(made.weight, transferred_table(TABLE, VOCABULARY, tokens, seed=3).weight)
    assert not torch.equal(made.weight, transferred_table(TABLE, VOCABULARY, tokens, seed=4).weight)


def test_a_model_keeps_all_other_weights_and_runs_saves_and_loads(tmp_path: Path) -> None:
    model = small_model()
    vocabulary = {str(number): number for number in range(model.config.vocab_size)}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    transfer_vocabulary(model, vocabulary, TOKENS, pad_token_id=1)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["layoutlmv2.embeddings.word_embeddings.weight"]
    assert not model.get_input_embeddings().weight[1].any() and model.get_input_embeddings().weight.requires_grad
    model.save_pretrained(str(tmp_path))
    config = LayoutLMv2Config.from_pretrained(str(tmp_path))
    assert (config.vocab_size, config.pad_token_id) == (len(TOKENS), 1)
    loaded = LayoutLMv2ForTokenClassification.from_pretrained(str(tmp_path))
    inputs = {
        "input_ids": torch.tensor([[0, 4, 5, 2]]),
        "bbox": torch.zeros(1, 4, 4, dtype=torch.int64),
        "image": torch.zeros(1, 3, 224, 224),
    }
    with torch.inference_mode():
        assert torch.equal(loaded(**inputs).logits, model(**inputs).logits)


def test_a_vocabulary_that_is_not_the_model_s_is_refused() -> None:
    model = small_model()
    with pytest.raises(ValueError, match="ids up to 50, and the model has 50 tokens"):
        transfer_vocabulary(model, {"a": OLD_TOKENS}, TOKENS, pad_token_id=1)
    with pytest.raises(ValueError, match="pad_token_id is 10; the vocabulary has 10 tokens"):
        transfer_vocabulary(model, {"a": 0}, TOKENS, pad_token_id=10)

"""A vocabulary is trained on forms of several languages, and a model starts with it from English or from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import LayoutLMv2ForTokenClassification, LayoutLMv2Tokenizer, LayoutXLMTokenizer
from model.decoding import load_decoding
from model.untrained import untrained_model
from pipelines.training.multilingual_start import train_vocabulary, write_start

TEXTS = [
    "Name: Ann Berg Date: 29 November 2026 Total amount due",
    "Antrag auf Kindergeld Name: Jürgen Groß Geburtsdatum: 29. November 2026",
    "姓名： 王 小明 出生 日期： 2026年 11月 29日",
    "氏名： 山田 太郎 生年月日 令和8年",
]
TABLE = "layoutlmv2.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "sentencepiece.bpe.model"
    train_vocabulary(TEXTS * 20, 200, path)
    return path


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("english")
    untrained_model(LayoutLMv2ForTokenClassification, "token-classification").save_pretrained(folder)
    LayoutLMv2Tokenizer().save_pretrained(folder)
    return folder


def test_words_of_every_script_have_pieces(vocabulary: Path) -> None:
    tokenizer = LayoutXLMTokenizer(vocabulary)
    assert len(tokenizer) <= 202
    for text in TEXTS:
        words = text.split()
        encoding = tokenizer(words, boxes=[[0, 0, 1, 1]] * len(words))
        assert tokenizer.unk_token_id not in encoding["input_ids"]
        assert (
            tokenizer.decode(encoding["input_ids"], skip_special_tokens=True).split() == text.replace("：", ":").split()
        )


def test_a_vocabulary_is_the_same_each_time(vocabulary: Path, tmp_path: Path) -> None:
    train_vocabulary(TEXTS * 20, 200, tmp_path / "again.model")
    assert (tmp_path / "again.model").read_bytes() == vocabulary.read_bytes()


def test_the_english_start_keeps_all_but_the_word_embeddings(english: Path, vocabulary: Path, tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", "english", str(english), vocabulary, seed=0)
    old = LayoutLMv2ForTokenClassification.from_pretrained(english)
    new = LayoutLMv2ForTokenClassification.from_pretrained(start)
    changed = [name for name, weight in new.state_dict().items() if not torch.equal(weight, old.state_dict()[name])]
    assert changed == [TABLE]
    tokenizer = LayoutXLMTokenizer.from_pretrained(start)
    assert (new.config.vocab_size, new.config.pad_token_id) == (len(tokenizer), 1)
    assert new.config.id2label == old.config.id2label and load_decoding(start).method == "segments"
    copied = tokenizer.convert_tokens_to_ids("<s>"), LayoutLMv2Tokenizer().convert_tokens_to_ids("[CLS]")
    assert torch.equal(new.state_dict()[TABLE][copied[0]], old.state_dict()[TABLE][copied[1]])


def test_the_start_from_nothing_has_the_same_shapes_and_no_weight_of_the_model(
    english: Path, vocabulary: Path, tmp_path: Path
) -> None:
    start = write_start(tmp_path / "start", "nothing", str(english), vocabulary, seed=0)
    old = LayoutLMv2ForTokenClassification.from_pretrained(english).state_dict()
    new = LayoutLMv2ForTokenClassification.from_pretrained(start).state_dict()
    assert {name: weight.shape for name, weight in new.items() if name != TABLE} == {
        name: weight.shape for name, weight in old.items() if name != TABLE
    }
    name = "layoutlmv2.encoder.layer.0.intermediate.dense.weight"
    assert not torch.equal(new[name], old[name])


def test_a_start_that_is_there_is_left_as_it_is(english: Path, vocabulary: Path, tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", "english", str(english), vocabulary, seed=0)
    before = {path.name: path.stat().st_mtime_ns for path in start.iterdir()}
    write_start(start, "english", str(english), vocabulary, seed=0)
    assert before == {path.name: path.stat().st_mtime_ns for path in start.iterdir()}

"""Which tokenizer is taken for a checkpoint, and which checkpoints are refused for want of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model import LayoutLMv2Tokenizer
from model.untrained import untrained_config
from pipelines.stages.model_loader import load_tokenizer


def checkpoint(folder: Path, vocab_size: int, files: dict[str, Any]) -> str:
    config = json.loads(untrained_config("token-classification").to_json_string())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": vocab_size}))
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"tokenizer_config.json": {"model_max_length": 512}},
        {"tokenizer_config.json": {"tokenizer_class": "LayoutLMv2Tokenizer"}},
        {"tokenizer_config.json": {"tokenizer_class": "LayoutLMv2TokenizerFast"}},
        {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}},
    ],
)
def test_a_checkpoint_of_the_published_vocabulary_needs_no_tokenizer(tmp_path: Path, files: dict[str, Any]) -> None:
    assert load_tokenizer(checkpoint(tmp_path, 30522, files)).vocab_size == 30522


@pytest.mark.parametrize(
    ("vocab_size", "files", "told"),
    [
        (250002, {"sentencepiece.bpe.model": "x"}, "250002 entries"),
        (250002, {}, "250002 entries"),
        (50265, {"vocab.json": "{}", "merges.txt": ""}, "50265 entries"),
        (30528, {}, "30528 entries"),
        (28996, {}, "28996 entries"),
        (30522, {"sentencepiece.bpe.model": "x"}, "sentencepiece.bpe.model is a tokenizer of another kind"),
        (30522, {"spiece.model": "x"}, "spiece.model is a tokenizer of another kind"),
        (30522, {"tokenizer_config.json": {"tokenizer_class": "LayoutXLMTokenizer"}}, "names a LayoutXLMTokenizer"),
        (30522, {"tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizerFast"}}, "XLMRobertaTokenizerFast"),
        (30522, {"tokenizer_config.json": "{"}, "tokenizer_config.json is damaged"),
    ],
)
def test_another_checkpoint_without_a_tokenizer_is_refused(
    tmp_path: Path, vocab_size: int, files: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        load_tokenizer(checkpoint(tmp_path, vocab_size, files))


def test_a_tokenizer_in_the_folder_is_taken_whatever_its_size(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "shed"]
    source = checkpoint(tmp_path, 250, {"vocab.txt": "\n".join(words) + "\n"})
    tokenizer = load_tokenizer(source)
    assert isinstance(tokenizer, LayoutLMv2Tokenizer) and tokenizer.vocab_size == 6
    assert tokenizer.tokenize("shed") == ["shed"]

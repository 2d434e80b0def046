"""Which tokenizer is taken for a checkpoint, which checkpoints are refused, what their weights take, and bfloat16."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model import LayoutLMv2ForTokenClassification, LayoutLMv2Tokenizer, LayoutXLMTokenizer
from model.export.record import EXPORT_VERSION, GRAPH_FILES, ExportRecord, write_record
from model.untrained import untrained_config, untrained_model
from pipelines.stages.model_loader import (
    MAX_UNUSED_ENTRIES,
    UNTRAINED_BYTES,
    load_model,
    load_tokenizer,
    rounding_agreement,
    weights_bytes,
)
from tests.model.preprocessing.small_sentencepiece import TOKENS, model_message, write_model_file


def checkpoint(folder: Path, vocab_size: int, files: dict[str, Any]) -> str:
    config = json.loads(untrained_config("token-classification").to_json_string())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": vocab_size}))
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


def test_the_weights_of_an_exported_model_take_the_bytes_of_its_graphs(tmp_path: Path) -> None:
    files = dict.fromkeys(GRAPH_FILES["onnx"], "")
    for name in files:
        (tmp_path / name).write_bytes(bytes(70))
    (tmp_path / "config.json").write_text("{}")
    record = ExportRecord(EXPORT_VERSION, "onnx", "token-classification", "float32", "none", "m", (), files, {}, {})
    write_record(record, tmp_path)
    assert weights_bytes(str(tmp_path)) == 140


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_weights_take_their_bytes_in_float32_however_they_are_stored(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {"one": torch.zeros(3, 5, dtype=dtype), "other": torch.zeros(7, dtype=dtype)}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert weights_bytes(str(tmp_path)) == 4 * (15 + 7)


def test_weights_of_the_old_format_take_at_most_twice_their_file(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"0" * 100)
    assert weights_bytes(str(tmp_path)) == 200


def test_the_untrained_model_takes_what_is_said() -> None:
    model = untrained_model(LayoutLMv2ForTokenClassification, "token-classification")
    assert 0.8 < sum(4 * weight.numel() for weight in model.parameters()) / UNTRAINED_BYTES < 1.05


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
        (250002, {"sentencepiece.bpe.model": "x"}, r"sentencepiece\.bpe\.model is damaged"),
        (250002, {}, "250002 entries"),
        (50265, {"vocab.json": "{}", "merges.txt": ""}, "50265 entries"),
        (30528, {}, "30528 entries"),
        (28996, {}, "28996 entries"),
        (50265, {"tokenizer.json": {"model": {"type": "BPE"}}}, "is a BPE tokenizer; this package has"),
        (30522, {"tokenizer.json": "{"}, r"tokenizer\.json is damaged"),
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


@pytest.mark.parametrize("unused", [0, 7, MAX_UNUSED_ENTRIES])
def test_a_sentencepiece_model_in_the_folder_is_taken_if_it_fits_the_model(tmp_path: Path, unused: int) -> None:
    write_model_file(tmp_path)
    tokenizer = load_tokenizer(checkpoint(tmp_path, TOKENS + unused, {}))
    assert isinstance(tokenizer, LayoutXLMTokenizer) and len(tokenizer) == TOKENS
    assert tokenizer.tokenize("Größe") == ["▁Größe"]


@pytest.mark.parametrize("vocab_size", [TOKENS - 1, TOKENS + MAX_UNUSED_ENTRIES + 1, 250002])
def test_a_sentencepiece_model_of_another_vocabulary_is_refused(tmp_path: Path, vocab_size: int) -> None:
    write_model_file(tmp_path)
    with pytest.raises(ValueError, match=f"the tokenizer has {TOKENS} entries and the model {vocab_size}"):
        load_tokenizer(checkpoint(tmp_path, vocab_size, {}))


def test_a_sentencepiece_model_without_words_is_refused(tmp_path: Path) -> None:
    message = model_message()
    del message.pieces[1:]
    write_model_file(tmp_path, message)
    with pytest.raises(ValueError, match=r"sentencepiece\.bpe\.model is not a vocabulary like XLM-RoBERTa's"):
        load_tokenizer(checkpoint(tmp_path, 250002, {}))


@pytest.mark.parametrize(
    ("named", "expected"), [("LayoutXLMTokenizer", LayoutXLMTokenizer), (None, LayoutLMv2Tokenizer)]
)
def test_of_two_vocabularies_the_one_that_the_configuration_names_is_taken(
    tmp_path: Path, named: str | None, expected: type
) -> None:
    write_model_file(tmp_path)
    files = {
        "vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nshed\n",
        "tokenizer_config.json": {"tokenizer_class": named},
    }
    assert type(load_tokenizer(checkpoint(tmp_path, TOKENS, files))) is expected


def test_what_bfloat16_does_to_the_labels_is_measured_on_the_probe_page() -> None:
    loaded = load_model("untrained", "token-classification").model
    agreement = rounding_agreement(loaded, "untrained", "token-classification", torch.device("cpu"), torch.bfloat16)
    assert 0.5 < agreement <= 1
    assert next(loaded.parameters()).dtype == torch.float32
    assert all(parameter.is_contiguous() for parameter in loaded.parameters())

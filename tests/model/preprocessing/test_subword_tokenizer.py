from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken

from tests.model.preprocessing.small_vocabulary import TOKENS, small_tokenizer

TOKENIZER = small_tokenizer()
IDS = [2, 14, 15, 16, 11, 17, 10, 13, 3]
SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}


# -- Vocabulary --------------------------------------------------------------------------------------------------------


def test_the_vocabulary_has_every_token() -> None:
    assert TOKENIZER.is_fast
    assert TOKENIZER.vocab == TOKENIZER.get_vocab() == {token: index for index, token in enumerate(TOKENS)}
    assert (TOKENIZER.vocab_size, len(TOKENIZER)) == (18, 18)


def test_added_tokens_include_the_special_ones() -> None:
    assert TOKENIZER.get_added_vocab() == TOKENIZER.added_tokens_encoder == SPECIAL
    assert {index: str(token) for index, token in TOKENIZER.added_tokens_decoder.items()} == {
        index: token for token, index in SPECIAL.items()
    }
    assert TOKENIZER.added_tokens_decoder[0].special


def test_add_tokens_counts_new_ones() -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.add_tokens("new") == 1
    assert tokenizer.add_tokens(["new", "b c"]) == 1
    assert tokenizer.add_tokens(AddedToken("zz")) == 1
    assert tokenizer.add_tokens([]) == tokenizer.add_tokens("") == 0
    assert tokenizer.get_added_vocab() == {**SPECIAL, "new": 18, "b c": 19, "zz": 20}
    assert (tokenizer.vocab_size, len(tokenizer)) == (18, 21)
    assert tokenizer.tokenize("b c new") == ["b c", "new"]


@pytest.mark.parametrize(("prefix", "name"), [(None, "vocab.txt"), ("a", "a-vocab.txt")])
def test_save_vocabulary_writes_one_token_per_line(tmp_path: Path, prefix: str | None, name: str) -> None:
    tokenizer = small_tokenizer()
    tokenizer.add_tokens("new")
    assert tokenizer.save_vocabulary(tmp_path / "folder", filename_prefix=prefix) == (str(tmp_path / "folder" / name),)
    assert (tmp_path / "folder" / name).read_text(encoding="utf-8").splitlines() == list(TOKENS)


def test_a_vocabulary_with_gaps_has_no_file_of_lines(tmp_path: Path) -> None:
    tokenizer = type(TOKENIZER)({"[UNK]": 0, "a": 7})
    with pytest.raises(ValueError, match="ids have gaps"):
        tokenizer.save_vocabulary(tmp_path)


# -- Text to tokens ----------------------------------------------------------------------------------------------------


def test_tokenize_takes_a_pair_and_special_tokens() -> None:
    assert TOKENIZER.tokenize("Invoice 42?") == ["in", "##vo", "##ice", "42", "?"]
    assert TOKENIZER.tokenize("who", "total due") == ["who", "total", "due"]
    assert TOKENIZER.tokenize("who", pair="total", add_special_tokens=True) == [
        "[CLS]",
        "who",
        "[SEP]",
        "total",
        "[SEP]",
    ]
    assert TOKENIZER.tokenize("who", "", True) == ["[CLS]", "who", "[SEP]"]


def test_an_unknown_argument_of_tokenize_is_named() -> None:
    with pytest.raises(TypeError, match="surprise"):
        TOKENIZER.tokenize("who", surprise=1)


def test_split_special_tokens_can_be_changed() -> None:
    tokenizer = small_tokenizer(split_special_tokens=True)
    assert "[SEP]" not in tokenizer.tokenize("who [SEP]")
    tokenizer.split_special_tokens = False
    assert tokenizer.tokenize("who [SEP]") == ["who", "[SEP]"]


# -- Tokens to text ----------------------------------------------------------------------------------------------------


def test_decode_can_skip_special_tokens_and_spaces() -> None:
    assert TOKENIZER.decode(IDS) == "[CLS] don ' t 42,?. [SEP]"
    assert TOKENIZER.decode(IDS, skip_special_tokens=True) == "don ' t 42,?."
    assert TOKENIZER.decode(IDS, True, clean_up_tokenization_spaces=True) == "don't 42,?."
    assert TOKENIZER.clean_up_tokenization("don ' t , I 'm .") == "don't, I'm."


@pytest.mark.parametrize("ids", [IDS, np.array(IDS), torch.tensor(IDS), {"input_ids": IDS}])
def test_decode_takes_lists_arrays_tensors_and_encodings(ids: object) -> None:
    assert TOKENIZER.decode(token_ids=ids, skip_special_tokens=True) == "don ' t 42,?."


def test_decode_takes_one_id_and_ignores_options_of_other_tokenizers() -> None:
    assert TOKENIZER.decode(11) == "42"
    assert TOKENIZER.decode(IDS, use_source_tokenizer=True) == "[CLS] don ' t 42,?. [SEP]"


def test_batch_decode_returns_a_list() -> None:
    assert TOKENIZER.batch_decode(sequences=[IDS, [11]], skip_special_tokens=True) == ["don ' t 42,?.", "42"]
    assert TOKENIZER.batch_decode(IDS) == ["[CLS] don ' t 42,?. [SEP]"]
    assert TOKENIZER.batch_decode([]) == [""]


def test_the_default_clean_up_applies_to_one_sequence_and_to_batch_decode() -> None:
    tokenizer = small_tokenizer(clean_up_tokenization_spaces=True)
    assert tokenizer.decode(IDS) == "[CLS] don't 42,?. [SEP]"
    assert tokenizer.batch_decode([IDS]) == ["[CLS] don't 42,?. [SEP]"]
    assert tokenizer.decode([IDS]) == ["[CLS] don ' t 42,?. [SEP]"]


def test_tokens_and_ids_convert_into_each_other() -> None:
    assert TOKENIZER.convert_tokens_to_string(["in", "##vo", "##ice", "42"]) == "invoice 42"
    assert TOKENIZER.convert_ids_to_tokens([2, 5, 99]) == ["[CLS]", "in", None]
    assert TOKENIZER.convert_ids_to_tokens([2, 5], skip_special_tokens=True) == ["in"]
    assert TOKENIZER.convert_tokens_to_ids(["in", "zz"]) == [5, 1]

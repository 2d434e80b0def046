from __future__ import annotations

import copy
import logging
import pickle
from enum import Enum
from typing import Any

import numpy as np
import pytest
import torch

from model.preprocessing.encoding import BatchEncoding, CharSpan, TokenSpan
from tests.model.preprocessing.small_vocabulary import BOXES, WORDS, small_tokenizer

TOKENIZER = small_tokenizer()
# [CLS] who due ? [SEP] in ##vo ##ice 42 total ? [SEP]
QUESTION = TOKENIZER("who due?", WORDS, boxes=BOXES)
# The second row: [CLS] in ##vo ##ice 42 [SEP] [PAD] [PAD]
BATCH = TOKENIZER([WORDS, WORDS[:2]], boxes=[BOXES, BOXES[:2]], padding=True)
WITHOUT_TOKENIZER = BatchEncoding({"pixel_values": [1]})


# -- Between characters, words and tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("char_to_token", (0,), 1),
        ("char_to_token", (0, 1), 1),
        ("char_to_token", (0, 1, 1), 5),
        ("char_to_token", (0, 2, 1), 6),
        ("char_to_token", (99,), None),
        ("token_to_word", (0,), None),
        ("token_to_word", (2,), 1),
        ("token_to_word", (0, 7), 0),
        ("token_to_word", (99,), None),
        ("token_to_chars", (0,), None),
        ("token_to_chars", (1,), CharSpan(0, 3)),
        ("token_to_chars", (0, 6), CharSpan(2, 4)),
        ("word_to_tokens", (1,), TokenSpan(2, 4)),
        ("word_to_tokens", (0, 0, 1), TokenSpan(5, 8)),
        ("word_to_tokens", (99,), None),
        ("word_to_chars", (1,), CharSpan(0, 4)),
        ("word_to_chars", (0, 0, 1), CharSpan(0, 7)),
        ("word_to_chars", (99,), None),
        ("char_to_word", (3,), 1),
        ("char_to_word", (0, 1, 1), 0),
        ("char_to_word", (99,), None),
        ("token_to_sequence", (0,), None),
        ("token_to_sequence", (1,), 0),
        ("token_to_sequence", (0, 6), 1),
    ],
)
def test_one_index_is_in_the_first_window(method: str, arguments: tuple[int, ...], expected: Any) -> None:
    assert getattr(QUESTION, method)(*arguments) == expected


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("char_to_token", (1, 6), 3),
        ("token_to_word", (1, 4), 1),
        ("token_to_word", (1, 6), None),
        ("token_to_chars", (1, 2), CharSpan(2, 4)),
        ("token_to_chars", (-1, 2), CharSpan(2, 4)),
        ("word_to_tokens", (1, 1), TokenSpan(4, 5)),
        ("word_to_tokens", (1, 2), None),
        ("word_to_chars", (1, 0), CharSpan(0, 7)),
        ("char_to_word", (1, 0), 0),
        ("token_to_sequence", (1, 1), 0),
        ("token_to_sequence", (1, 0), None),
    ],
)
def test_two_indices_are_a_window_and_an_index_in_it(method: str, arguments: tuple[int, int], expected: Any) -> None:
    assert getattr(BATCH, method)(*arguments) == expected


def test_the_indices_have_the_references_names() -> None:
    assert QUESTION.word_to_tokens(batch_or_word_index=0, word_index=0, sequence_index=1) == (5, 8)
    assert QUESTION.char_to_token(batch_or_char_index=0, char_index=1, sequence_index=1) == 5
    assert QUESTION.token_to_chars(batch_or_token_index=0, token_index=6) == (2, 4)


def test_spans_have_a_start_and_an_end() -> None:
    tokens, characters = QUESTION.word_to_tokens(1), QUESTION.token_to_chars(0, 6)
    assert tokens is not None
    assert characters is not None
    assert (tokens.start, tokens.end, characters.start, characters.end) == (2, 4, 2, 4)


def test_negative_token_indices_count_from_the_end() -> None:
    assert [QUESTION.token_to_word(index) for index in (-1, -2, -3)] == [None, 3, 2]


def test_rows_of_tokens_words_and_sequences_are_those_of_a_window() -> None:
    assert BATCH.tokens(1) == ["[CLS]", "in", "##vo", "##ice", "42", "[SEP]", "[PAD]", "[PAD]"]
    assert BATCH.word_ids(1) == [None, 0, 0, 0, 1, None, None, None]
    assert QUESTION.sequence_ids() == [None, 0, 0, 0, None, 1, 1, 1, 1, 1, 1, None]


def test_n_sequences_is_two_with_a_question() -> None:
    assert (QUESTION.n_sequences, BATCH.n_sequences, WITHOUT_TOKENIZER.n_sequences) == (2, 1, None)


def test_an_encoding_knows_whether_a_tokenizer_made_it() -> None:
    assert (QUESTION.is_fast, WITHOUT_TOKENIZER.is_fast) == (True, False)
    assert len(BATCH.encodings or []) == 2
    assert WITHOUT_TOKENIZER.encodings is None


METHODS = (
    "char_to_token", "char_to_word", "sequence_ids", "token_to_chars", "token_to_sequence", "token_to_word", "tokens",
    "word_ids", "word_to_chars", "word_to_tokens",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_an_encoding_without_tokenizer_says_so(method: str) -> None:
    with pytest.raises(ValueError, match="only the output of a tokenizer has windows"):
        getattr(WITHOUT_TOKENIZER, method)(0)


def test_an_integer_index_without_tokenizer_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="only the output of a tokenizer has windows"):
        WITHOUT_TOKENIZER[0]


# -- Tensors -----------------------------------------------------------------------------------------------------------


class TensorType(Enum):
    PYTORCH = "pt"
    NUMPY = "np"


def test_the_constructor_takes_one_window_or_several() -> None:
    assert QUESTION.encodings is not None
    one = BatchEncoding({"a": [1]}, QUESTION.encodings[0])
    several = BatchEncoding(data={"a": [1]}, encoding=QUESTION.encodings, n_sequences=5)
    assert one.tokens() == several.tokens() == QUESTION.tokens()
    assert (one.n_sequences, several.n_sequences) == (2, 5)


def test_prepend_batch_axis_adds_an_axis_to_tensors() -> None:
    arrays = BatchEncoding({"a": [1, 2], "b": 3}, tensor_type="np", prepend_batch_axis=True)
    assert arrays["a"].tolist() == [[1, 2]]
    assert arrays["b"].tolist() == [3]
    page = TOKENIZER(WORDS, boxes=BOXES)
    assert page.convert_to_tensors("pt", prepend_batch_axis=True)["bbox"].shape == (1, 8, 4)


def test_prepend_batch_axis_has_no_effect_without_tensors() -> None:
    assert BatchEncoding({"a": [1, 2]}, prepend_batch_axis=True)["a"] == [1, 2]


def test_the_tensor_type_can_be_an_enum() -> None:
    assert isinstance(BatchEncoding({"a": [1]}, tensor_type=TensorType.NUMPY)["a"], np.ndarray)
    assert BatchEncoding({"a": [1]}).convert_to_tensors(TensorType.PYTORCH)["a"].dtype == torch.int64


def test_rows_of_unequal_lengths_are_no_tensor_but_an_array_of_arrays() -> None:
    with pytest.raises(ValueError, match="padding=True"):
        BatchEncoding({"a": [[1], [1, 2]]}).convert_to_tensors("pt")
    ragged = BatchEncoding({"a": [[1], [1, 2]]}).convert_to_tensors("np")["a"]
    assert [row.tolist() for row in ragged] == [[1], [1, 2]]


def test_to_moves_tensors_and_returns_the_encoding() -> None:
    encoding = BatchEncoding({"a": torch.tensor([1]), "words": ["x"]})
    assert encoding.to(torch.device("meta"), non_blocking=True) is encoding
    assert encoding["a"].device.type == "meta"
    assert encoding["words"] == ["x"]


def test_to_a_dtype_changes_nothing_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    encoding = BatchEncoding({"a": torch.tensor([1])})
    with caplog.at_level(logging.WARNING):
        assert encoding.to(torch.float16) is encoding
    assert encoding["a"].dtype == torch.int64
    assert "torch.float16 is not a device" in caplog.text


# -- The mapping -------------------------------------------------------------------------------------------------------


def test_an_encoding_is_a_mutable_mapping() -> None:
    encoding = TOKENIZER(WORDS, boxes=BOXES)
    assert list(encoding.keys()) == ["input_ids", "token_type_ids", "attention_mask", "bbox"]
    assert next(iter(encoding.items())) == ("input_ids", [2, 5, 6, 7, 11, 8, 10, 3])
    assert encoding.pop("bbox")[1] == BOXES[0]
    assert len(encoding.values()) == 3


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, BatchEncoding.copy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_copies_and_pickles_keep_entries_and_windows(duplicate: Any) -> None:
    again = duplicate(BATCH)
    assert dict(again) == dict(BATCH)
    assert again.tokens(1) == BATCH.tokens(1)
    assert again.n_sequences == 1


def test_a_copy_has_entries_of_its_own() -> None:
    again = copy.copy(BATCH)
    again["image"] = 1
    assert "image" not in BATCH

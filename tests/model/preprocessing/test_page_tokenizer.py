from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.preprocessing.small_vocabulary import BOXES, WORDS, small_tokenizer

TOKENIZER = small_tokenizer()
IDS = [2, 5, 6, 7, 11, 8, 10, 3]


class Padding(Enum):
    MAX_LENGTH = "max_length"


class StringPadding(str, Enum):
    LONGEST = "longest"


class Truncation(Enum):
    ONLY_FIRST = "only_first"


class TensorType(Enum):
    PYTORCH = "pt"


# -- encode and encode_plus --------------------------------------------------------------------------------------------


def test_encode_returns_the_ids_alone() -> None:
    assert TOKENIZER.encode(WORDS, boxes=BOXES) == IDS


def test_encode_takes_a_question_and_words() -> None:
    assert TOKENIZER.encode("who?", WORDS, boxes=BOXES) == [2, 12, 10, 3, 5, 6, 7, 11, 8, 10, 3]


def test_encode_takes_the_options_of_a_call_in_the_references_order() -> None:
    assert TOKENIZER.encode(WORDS, None, False, boxes=BOXES) == IDS[1:-1]
    assert TOKENIZER.encode(WORDS, None, True, "max_length", True, 4, boxes=BOXES) == [2, 5, 6, 3]
    assert TOKENIZER.encode(WORDS, boxes=BOXES, return_tensors="pt").tolist() == [IDS]


def test_encode_needs_boxes() -> None:
    with pytest.raises(ValueError, match="bounding boxes"):
        TOKENIZER.encode(WORDS)


def test_encode_plus_equals_a_call() -> None:
    page = TOKENIZER.encode_plus(WORDS, boxes=BOXES, word_labels=[1, 2, 3, 4], return_length=True)
    assert dict(page) == {
        "input_ids": IDS,
        "token_type_ids": [0] * 8,
        "attention_mask": [1] * 8,
        "length": [8],
        "bbox": [[0] * 4, BOXES[0], BOXES[0], BOXES[0], *BOXES[1:], [1000] * 4],
        "labels": [-100, 1, -100, -100, 2, 3, 4, -100],
    }
    assert dict(TOKENIZER.encode_plus("who ?", WORDS, BOXES, None, False)) == dict(
        TOKENIZER("who ?", WORDS, boxes=BOXES, add_special_tokens=False)
    )


# -- batch_encode_plus -------------------------------------------------------------------------------------------------


def test_batch_encode_plus_encodes_pages() -> None:
    batch = TOKENIZER.batch_encode_plus(
        [WORDS, WORDS[:2]], boxes=[BOXES, BOXES[:2]], word_labels=[[1, 2, 3, 4], [5, 6]]
    )
    assert batch["input_ids"] == [IDS, [2, 5, 6, 7, 11, 3]]
    assert batch["labels"][1] == [-100, 5, -100, -100, 6, -100]


def test_batch_encode_plus_keeps_the_axis_of_one_page() -> None:
    assert TOKENIZER.batch_encode_plus([WORDS], boxes=[BOXES])["input_ids"] == [IDS]


@pytest.mark.parametrize("is_pair", [True, None])
def test_batch_encode_plus_encodes_pairs_of_question_and_words(is_pair: bool | None) -> None:
    pairs = [("who ?", WORDS), ("total", WORDS[:2])]
    batch = TOKENIZER.batch_encode_plus(pairs, is_pair=is_pair, boxes=[BOXES, BOXES[:2]])
    assert batch["input_ids"] == [[2, 12, 10, 3, 5, 6, 7, 11, 8, 10, 3], [2, 8, 3, 5, 6, 7, 11, 3]]
    assert batch["bbox"][1] == [[0] * 4, [0] * 4, [1000] * 4, *[BOXES[0]] * 3, BOXES[1], [1000] * 4]


def test_pages_of_two_words_are_not_pairs() -> None:
    assert TOKENIZER.batch_encode_plus([["who", "due"]], boxes=[BOXES[:2]])["input_ids"] == [[2, 12, 9, 3]]


def test_batch_encode_plus_rejects_what_is_no_batch() -> None:
    with pytest.raises(TypeError, match="has to be a list, not tuple"):
        TOKENIZER.batch_encode_plus((WORDS,), boxes=[BOXES])
    with pytest.raises(ValueError, match="example 0 is not a pair"):
        TOKENIZER.batch_encode_plus([WORDS], is_pair=True, boxes=[BOXES])


# -- Arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [TOKENIZER, TOKENIZER.encode, TOKENIZER.encode_plus])
@pytest.mark.parametrize("name", ["text_target", "truncation_strategy", "pad_to_max_length", "surprise"])
def test_an_unknown_argument_is_named(call: Any, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        call(WORDS, boxes=BOXES, **{name: True})


def test_options_can_be_enums() -> None:
    assert TOKENIZER(WORDS, boxes=BOXES, padding=Padding.MAX_LENGTH, max_length=9)["input_ids"] == [*IDS, 0]
    assert TOKENIZER([WORDS], boxes=[BOXES], padding=StringPadding.LONGEST)["input_ids"] == [IDS]
    assert TOKENIZER(WORDS, boxes=BOXES, truncation=Truncation.ONLY_FIRST, max_length=4)["input_ids"] == [2, 5, 6, 3]
    assert TOKENIZER(WORDS, boxes=BOXES, return_tensors=TensorType.PYTORCH)["input_ids"].tolist() == [IDS]


@pytest.mark.parametrize("split", [True, False])
def test_is_split_into_words_has_no_effect(split: bool) -> None:
    assert TOKENIZER(WORDS, boxes=BOXES, is_split_into_words=split)["input_ids"] == IDS


def test_prepend_batch_axis_adds_an_axis_to_tensors() -> None:
    assert TOKENIZER(WORDS, boxes=BOXES, return_tensors="np", prepend_batch_axis=True)["bbox"].shape == (1, 1, 8, 4)
    assert TOKENIZER(WORDS, boxes=BOXES, prepend_batch_axis=True)["input_ids"] == IDS


def test_padding_side_of_a_call_precedes_the_tokenizers() -> None:
    ids = TOKENIZER(WORDS[1:2], boxes=BOXES[:1], padding="max_length", max_length=5, padding_side="left")["input_ids"]
    assert ids == [0, 0, 2, 11, 3]


def test_model_input_names_select_the_entries() -> None:
    tokenizer = small_tokenizer(model_input_names=["input_ids", "bbox"])
    assert list(tokenizer(WORDS, boxes=BOXES)) == ["input_ids", "bbox"]
    assert TOKENIZER.model_input_names == ["input_ids", "attention_mask", "token_type_ids"]


# -- Settings changed later --------------------------------------------------------------------------------------------


def test_sides_and_length_take_effect_when_changed_later() -> None:
    tokenizer = small_tokenizer()
    tokenizer.padding_side, tokenizer.truncation_side, tokenizer.model_max_length = "left", "left", 6
    assert tokenizer(["total"], boxes=BOXES[:1], padding="max_length")["input_ids"] == [0, 0, 0, 2, 8, 3]
    assert tokenizer(WORDS, boxes=BOXES, truncation=True)["input_ids"] == [2, 7, 11, 8, 10, 3]
    assert (tokenizer.max_len_single_sentence, tokenizer.max_len_sentences_pair) == (4, 3)


def test_an_assigned_pad_token_pads_calls_and_pad() -> None:
    tokenizer = small_tokenizer()
    tokenizer.pad_token = "42"
    page = tokenizer(["total"], boxes=BOXES[:1], padding="max_length", max_length=5)
    assert page["input_ids"] == [2, 8, 3, 11, 11]
    assert page.tokens() == ["[CLS]", "total", "[SEP]", "42", "42"]
    short = tokenizer(["total"], boxes=BOXES[:1])
    assert tokenizer.pad(short, padding="max_length", max_length=5)["input_ids"] == [2, 8, 3, 11, 11]


def test_padding_without_a_pad_token_is_an_error() -> None:
    tokenizer = small_tokenizer(pad_token=None)
    with pytest.raises(ValueError, match="no pad_token"):
        tokenizer(WORDS, boxes=BOXES, padding=True)
    with pytest.raises(ValueError, match="no pad_token"):
        tokenizer.pad({"input_ids": [1]})
    assert tokenizer(WORDS, boxes=BOXES)["input_ids"] == IDS


def test_windows_with_an_earlier_cls_token_are_an_error() -> None:
    tokenizer = small_tokenizer()
    tokenizer.cls_token = "who"
    with pytest.raises(ValueError, match="Id not recognized: token 2 "):
        tokenizer(WORDS, boxes=BOXES)


# -- pad ---------------------------------------------------------------------------------------------------------------


def test_pad_returns_what_it_was_given() -> None:
    tensors = TOKENIZER([WORDS], boxes=[BOXES], return_tensors="pt")
    padded = TOKENIZER.pad(tensors, padding="max_length", max_length=12)
    assert isinstance(padded["bbox"], torch.Tensor)
    assert padded["bbox"].shape == (1, 12, 4)
    arrays = TOKENIZER.pad({"input_ids": np.array([[1, 2], [3, 4]])}, padding="max_length", max_length=3)
    assert isinstance(arrays["attention_mask"], np.ndarray)
    assert arrays["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 0]]
    rows = TOKENIZER.pad([{"input_ids": torch.tensor([1, 2])}, {"input_ids": torch.tensor([1])}])
    assert rows["input_ids"].tolist() == [[1, 2], [1, 0]]


def test_pad_takes_a_side_and_a_multiple() -> None:
    padded = TOKENIZER.pad([{"input_ids": [1, 2]}, {"input_ids": [1]}], pad_to_multiple_of=4, padding_side="left")
    assert dict(padded) == {
        "input_ids": [[0, 0, 1, 2], [0, 0, 0, 1]],
        "attention_mask": [[0, 0, 1, 1], [0, 0, 0, 1]],
    }


def test_pad_can_omit_the_mask_and_the_padding() -> None:
    rows = [{"input_ids": [1, 2]}, {"input_ids": [1]}]
    assert dict(TOKENIZER.pad(rows, return_attention_mask=False)) == {"input_ids": [[1, 2], [1, 0]]}
    assert TOKENIZER.pad(rows, padding=False)["input_ids"] == [[1, 2], [1]]

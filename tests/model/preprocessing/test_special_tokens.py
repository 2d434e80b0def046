from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from tokenizers import AddedToken

from tests.model.preprocessing.small_vocabulary import BOXES, small_tokenizer

NAMED = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]


# -- Names and ids -----------------------------------------------------------------------------------------------------


def test_berts_tokens_have_names_and_the_others_are_none() -> None:
    tokenizer = small_tokenizer()
    assert (tokenizer.pad_token, tokenizer.pad_token_id, tokenizer.mask_token_id) == ("[PAD]", 0, 4)
    assert (tokenizer.bos_token, tokenizer.bos_token_id, tokenizer.eos_token, tokenizer.eos_token_id) == (None,) * 4
    assert list(tokenizer.special_tokens_map) == ["unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
    assert tokenizer.all_special_tokens == NAMED
    assert tokenizer.all_special_ids == [1, 3, 0, 2, 4]


@pytest.mark.parametrize("name", ["additional_special_tokens", "extra_special_tokens"])
def test_extra_tokens_are_appended_to_the_vocabulary(name: str) -> None:
    tokenizer = small_tokenizer(**{name: ["<a>", AddedToken("<b>", lstrip=True)]})
    assert (tokenizer.extra_special_tokens, tokenizer.extra_special_tokens_ids) == (["<a>", "<b>"], [18, 19])
    assert (tokenizer.additional_special_tokens, tokenizer.additional_special_tokens_ids) == (["<a>", "<b>"], [18, 19])
    assert tokenizer.all_special_tokens == [*NAMED, "<a>", "<b>"]
    assert tokenizer.added_tokens_decoder[19].lstrip
    assert len(tokenizer) == 20


def test_no_extra_tokens_are_none_or_an_empty_list() -> None:
    assert small_tokenizer(extra_special_tokens=[], additional_special_tokens=None).all_special_tokens == NAMED


def test_further_tokens_can_have_names() -> None:
    tokenizer: Any = small_tokenizer(bos_token="<s>", total_token="<total>")
    assert (tokenizer.bos_token_id, tokenizer.total_token, tokenizer.total_token_id) == (18, "<total>", 19)
    assert tokenizer.all_special_tokens == ["<s>", *NAMED, "<total>"]
    named: Any = small_tokenizer(extra_special_tokens={"total_token": "<total>"})
    assert (named.total_token, named.total_token_id, named.extra_special_tokens) == ("<total>", 18, [])


def test_an_unknown_attribute_is_an_error() -> None:
    tokenizer: Any = small_tokenizer()
    with pytest.raises(AttributeError, match="no attribute 'img_token_id'"):
        _ = tokenizer.img_token_id


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_keep_the_tokens(duplicate: Any) -> None:
    again = duplicate(small_tokenizer(bos_token="<s>"))
    assert (again.bos_token_id, again.pad_token) == (18, "[PAD]")


def test_required_tokens_and_types_are_checked() -> None:
    with pytest.raises(ValueError, match="cls_token is missing"):
        small_tokenizer(cls_token=None)
    with pytest.raises(TypeError, match="mask_token must be a string or an AddedToken, not int"):
        small_tokenizer(mask_token=5)
    assert small_tokenizer(mask_token=None).mask_token_id is None


# -- Assignment --------------------------------------------------------------------------------------------------------


def test_an_assigned_token_has_its_own_id_or_that_of_unk() -> None:
    tokenizer = small_tokenizer()
    tokenizer.pad_token = "42"
    assert (tokenizer.pad_token_id, tokenizer.all_special_ids) == (11, [1, 3, 11, 2, 4])
    tokenizer.pad_token = "[X]"
    assert (tokenizer.pad_token, tokenizer.pad_token_id, len(tokenizer)) == ("[X]", 1, 18)


def test_an_assigned_id_changes_the_token() -> None:
    tokenizer = small_tokenizer()
    tokenizer.pad_token_id = 11
    assert tokenizer.pad_token == "42"


def test_none_removes_a_token() -> None:
    tokenizer: Any = small_tokenizer()
    tokenizer.pad_token = None
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == (None, None)
    assert tokenizer.all_special_tokens == ["[UNK]", "[SEP]", "[CLS]", "[MASK]"]


def test_an_assigned_unk_token_is_the_id_of_unknown_tokens() -> None:
    tokenizer = small_tokenizer()
    tokenizer.unk_token = "who"
    assert tokenizer.convert_tokens_to_ids(["in", "no such token"]) == [5, 12]
    tokenizer.unk_token = "[nothing]"
    with pytest.raises(ValueError, match=r"'\[nothing\]' is not in the vocabulary"):
        _ = tokenizer.unk_token_id


def test_extra_tokens_can_be_assigned() -> None:
    tokenizer: Any = small_tokenizer()
    tokenizer.extra_special_tokens = ["<e>"]
    assert (tokenizer.all_special_tokens, tokenizer.extra_special_tokens_ids, len(tokenizer)) == (
        [*NAMED, "<e>"],
        [1],
        18,
    )
    tokenizer.additional_special_tokens = None
    assert tokenizer.extra_special_tokens == []


def test_values_that_are_no_tokens_are_rejected() -> None:
    tokenizer: Any = small_tokenizer()
    with pytest.raises(ValueError, match="pad_token must be a string"):
        tokenizer.pad_token = 5
    with pytest.raises(ValueError, match="must be a list"):
        tokenizer.extra_special_tokens = "<e>"


# -- add_special_tokens ------------------------------------------------------------------------------------------------


def test_add_special_tokens_adds_names_and_counts_new_tokens() -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.add_special_tokens({"pad_token": "[X]", "mask_token": "[MASK]"}) == 1
    assert (tokenizer.pad_token, tokenizer.pad_token_id, len(tokenizer)) == ("[X]", 18, 19)
    assert tokenizer.add_special_tokens({"additional_special_tokens": ["<a>", "<b>"], "bos_token": "<s>"}) == 3
    assert (tokenizer.extra_special_tokens, tokenizer.bos_token_id) == (["<a>", "<b>"], 19)
    assert tokenizer.add_special_tokens({}) == 0


def test_extra_tokens_replace_earlier_ones_unless_told_not_to() -> None:
    tokenizer = small_tokenizer(extra_special_tokens=["<a>"])
    assert tokenizer.add_special_tokens({"extra_special_tokens": ["<c>"]}) == 1
    assert tokenizer.extra_special_tokens == ["<c>"]
    assert (
        tokenizer.add_special_tokens({"extra_special_tokens": ["<c>", "<d>"]}, replace_extra_special_tokens=False) == 1
    )
    assert tokenizer.extra_special_tokens == ["<c>", "<d>"]
    assert tokenizer.add_special_tokens({"extra_special_tokens": []}) == 0
    assert tokenizer.extra_special_tokens == ["<c>", "<d>"]
    assert tokenizer.get_added_vocab()["<a>"] == 18


def test_added_special_tokens_are_not_split_and_are_skipped() -> None:
    tokenizer = small_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<a>"]})
    ids = tokenizer(["<a>who"], boxes=BOXES[:1])["input_ids"]
    assert ids == [2, 18, 12, 3]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "who"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"total_token": "<t>"}, "'total_token' is not the name of a special token"),
        ({"pad_token": 5}, "pad_token must be a string"),
        ({"extra_special_tokens": "<q>"}, "extra_special_tokens must be a list"),
        ({"extra_special_tokens": ["<q>", 5]}, "extra_special_tokens must be a list"),
    ],
)
def test_invalid_special_tokens_are_rejected(tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_tokenizer().add_special_tokens(tokens)


# -- Windows from ids --------------------------------------------------------------------------------------------------


def test_windows_are_built_from_ids() -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.build_inputs_with_special_tokens([5]) == [2, 5, 3]
    assert tokenizer.build_inputs_with_special_tokens([5], [6]) == [2, 5, 3, 6, 3]
    tokenizer.cls_token = "who"
    assert tokenizer.build_inputs_with_special_tokens([5], []) == [12, 5, 3]


def test_token_types_change_after_the_first_sequence() -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.create_token_type_ids_from_sequences([5, 6]) == [0, 0, 0, 0]
    assert tokenizer.create_token_type_ids_from_sequences([5, 6], [7]) == [0, 0, 0, 0, 1, 1]


def test_the_special_tokens_mask_has_ones_at_special_tokens() -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.get_special_tokens_mask([2, 5, 6, 3], already_has_special_tokens=True) == [1, 0, 0, 1]
    assert tokenizer.get_special_tokens_mask([5, 6]) == [1, 0, 0, 1]
    assert tokenizer.get_special_tokens_mask([5, 6], [7]) == [1, 0, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="omit token_ids_1"):
        tokenizer.get_special_tokens_mask([2, 5, 3], [3], already_has_special_tokens=True)

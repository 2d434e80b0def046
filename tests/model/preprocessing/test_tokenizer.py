from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.preprocessing.tokenizer import LayoutLMv2Tokenizer

REFERENCE_CALLS = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "text" / "tokenizer.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def tokenizer() -> LayoutLMv2Tokenizer:
    return LayoutLMv2Tokenizer()


def boxes_for(words: list[str]) -> list[list[int]]:
    return [[index % 1000, 1, 1000, 2] for index in range(len(words))]


# -- Equality with the reference implementation ------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE_CALLS, ids=lambda case: case["name"])
def test_results_equal_those_of_the_reference_implementation_exactly(case: dict[str, Any]) -> None:
    tokenizer = LayoutLMv2Tokenizer(**case["init"])
    if "raises" in case:
        with pytest.raises(Exception, match=case["message"]) as caught:
            tokenizer(**case["call"])
        assert type(caught.value).__name__ == case["raises"]
        return
    answer = json.loads(json.dumps(dict(tokenizer(**case["call"]))))
    assert answer == case["expect"]
    assert list(answer) == list(case["expect"])


# -- Windows -----------------------------------------------------------------------------------------------------------


def test_windows_overlap_by_the_stride_and_lose_no_word(tokenizer: LayoutLMv2Tokenizer) -> None:
    words = [f"word{index}" for index in range(60)]
    encoding = tokenizer(
        words, boxes=boxes_for(words), truncation=True, max_length=32, stride=8, return_overflowing_tokens=True
    )
    ids = [window[1:-1] for window in encoding["input_ids"]]
    whole = tokenizer(words, boxes=boxes_for(words))["input_ids"][1:-1]
    joined = ids[0] + [token for window in ids[1:] for token in window[8:]]
    assert joined == whole
    assert encoding["overflow_to_sample_mapping"] == [0] * len(ids)


def test_word_ids_and_sequence_ids_distinguish_the_question_from_the_words(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer("Total due?", ["Invoice", "42"], boxes=boxes_for(["", ""]))
    assert encoding.tokens() == ["[CLS]", "total", "due", "?", "[SEP]", "in", "##vo", "##ice", "42", "[SEP]"]
    assert encoding.word_ids() == [None, 0, 1, 1, None, 0, 0, 0, 1, None]
    assert encoding.sequence_ids() == [None, 0, 0, 0, None, 1, 1, 1, 1, None]
    assert encoding["token_type_ids"] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]


def test_question_tokens_have_the_padding_box(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer("What?", ["a"], boxes=[[7, 8, 9, 10]])
    assert encoding["bbox"] == [[0] * 4, [0] * 4, [0] * 4, [1000] * 4, [7, 8, 9, 10], [1000] * 4]


def test_only_second_keeps_the_question_in_every_window(tokenizer: LayoutLMv2Tokenizer) -> None:
    words = ["page"] * 50
    encoding = tokenizer(
        "Who?", words, boxes=boxes_for(words), truncation="only_second", max_length=16, return_overflowing_tokens=True
    )
    question = tokenizer.convert_tokens_to_ids(["[CLS]", "who", "?", "[SEP]"])
    assert len(encoding["input_ids"]) == 5
    assert all(window[:4] == question for window in encoding["input_ids"])


def test_a_question_on_a_page_without_words_is_still_a_question(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer("Who?", [], boxes=[])
    assert encoding.tokens() == ["[CLS]", "who", "?", "[SEP]", "[SEP]"]
    assert dict(encoding) == {name: rows[0] for name, rows in tokenizer(["Who?"], [[]], boxes=[[]]).items()}


SHARED = LayoutLMv2Tokenizer()
words_strategy = st.lists(st.text(max_size=12), max_size=30)


@settings(max_examples=60, deadline=None)
@given(words=words_strategy, data=st.data())
def test_every_token_has_the_box_and_label_of_its_word_and_no_word_is_lost(words: list[str], data: Any) -> None:
    tokenizer = SHARED
    number = st.integers(0, 1000)
    boxes = data.draw(st.lists(st.lists(number, min_size=4, max_size=4), min_size=len(words), max_size=len(words)))
    labels = list(range(len(words)))
    stride = data.draw(st.integers(0, 5))
    whole = tokenizer(words, boxes=boxes, add_special_tokens=False)
    windows = tokenizer(
        words,
        boxes=boxes,
        word_labels=labels,
        truncation=True,
        max_length=8,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    seen: set[int] = set()
    for index, box_row in enumerate(windows["bbox"]):
        word_ids = windows.word_ids(index)
        inner = [word for word in word_ids if word is not None]
        assert inner == sorted(inner)
        seen.update(inner)
        rows = zip(word_ids, box_row, windows["labels"][index], windows["offset_mapping"][index], strict=True)
        for word, box, label, (start, _) in rows:
            if word is None:
                assert box in ([0] * 4, [1000] * 4)
                assert label == -100
            else:
                assert box == boxes[word]
                assert label == (word if start == 0 else -100)
    assert seen == set(whole.word_ids()) - {None}


@settings(max_examples=40, deadline=None)
@given(pages=st.lists(words_strategy, min_size=1, max_size=3))
def test_a_batch_equals_its_pages_encoded_separately(pages: list[list[str]]) -> None:
    batch = SHARED(pages, boxes=[boxes_for(page) for page in pages])
    alone = [SHARED(page, boxes=boxes_for(page)) for page in pages]
    assert dict(batch) == {name: [one[name] for one in alone] for name in alone[0]}


@settings(max_examples=40, deadline=None)
@given(words=words_strategy)
def test_the_pieces_of_a_word_do_not_depend_on_other_words(words: list[str]) -> None:
    together = SHARED(words, boxes=boxes_for(words), add_special_tokens=False)["input_ids"]
    alone = [SHARED([word], boxes=[[0, 0, 1, 1]], add_special_tokens=False)["input_ids"] for word in words]
    assert together == [token for ids in alone for token in ids]


# -- Options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("padding", "options", "lengths"),
    [
        (False, {}, [3, 5]),
        (True, {}, [5, 5]),
        ("longest", {"pad_to_multiple_of": 4}, [8, 8]),
        ("max_length", {"max_length": 9}, [9, 9]),
        ("max_length", {}, [512, 512]),
        ("do_not_pad", {}, [3, 5]),
    ],
)
def test_padding_strategies_set_the_length(
    tokenizer: LayoutLMv2Tokenizer, padding: Any, options: Any, lengths: list[int]
) -> None:
    encoding = tokenizer(
        [["a"], ["a", "b", "c"]], boxes=[[[1] * 4], [[1] * 4] * 3], padding=padding, return_length=True, **options
    )
    assert encoding["length"] == lengths
    assert [len(row) for row in encoding["bbox"]] == lengths
    assert [sum(mask) for mask in encoding["attention_mask"]] == [3, 5]


def test_max_length_alone_truncates_unless_truncation_is_false(tokenizer: LayoutLMv2Tokenizer) -> None:
    words = ["a"] * 20
    assert len(tokenizer(words, boxes=boxes_for(words), max_length=10)["input_ids"]) == 10
    assert len(tokenizer(words, boxes=boxes_for(words), max_length=10, truncation=False)["input_ids"]) == 22


def test_truncation_can_cut_on_the_left() -> None:
    tokenizer = LayoutLMv2Tokenizer(truncation_side="left")
    assert tokenizer(["a", "b", "c"], boxes=boxes_for(["", "", ""]), max_length=4).tokens() == [
        "[CLS]",
        "b",
        "c",
        "[SEP]",
    ]


def test_only_the_requested_entries_are_returned(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer(
        ["a"],
        boxes=[[1] * 4],
        return_token_type_ids=False,
        return_attention_mask=False,
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
    )
    assert set(encoding) == {"input_ids", "special_tokens_mask", "offset_mapping", "bbox"}
    assert encoding["special_tokens_mask"] == [1, 0, 1]
    assert encoding["offset_mapping"] == [(0, 0), (0, 1), (0, 0)]


def test_tensors_and_arrays_are_int64_with_a_batch_axis(tokenizer: LayoutLMv2Tokenizer) -> None:
    call: dict[str, Any] = {"boxes": [[1, 2, 3, 4]], "word_labels": [3], "padding": "max_length", "max_length": 6}
    tensors = tokenizer(["a"], **call, return_tensors="pt")
    arrays = tokenizer(["a"], **call, return_tensors="np")
    assert tensors["bbox"].shape == (1, 6, 4)
    assert all(value.dtype == torch.int64 for value in tensors.values())
    assert all(value.dtype == np.int64 and isinstance(value, np.ndarray) for value in arrays.values())
    assert all(np.array_equal(arrays[name], tensors[name].numpy()) for name in tensors)


def test_boxes_and_labels_can_be_arrays_and_tensors(tokenizer: LayoutLMv2Tokenizer) -> None:
    words, boxes, labels = ["a", "b"], [[1, 2, 3, 4], [5, 6, 7, 8]], [1, 2]
    expected = dict(tokenizer(words, boxes=boxes, word_labels=labels))
    assert dict(tokenizer(words, boxes=np.array(boxes), word_labels=np.array(labels))) == expected
    assert dict(tokenizer(words, boxes=torch.tensor(boxes), word_labels=torch.tensor(labels))) == expected
    assert dict(tokenizer(tuple(words), boxes=[np.array(box) for box in boxes], word_labels=tuple(labels))) == expected


def test_pad_pads_encodings_to_one_length(tokenizer: LayoutLMv2Tokenizer) -> None:
    short = tokenizer(["a"], boxes=[[1] * 4], word_labels=[5])
    long = tokenizer(["a", "b", "c"], boxes=[[1] * 4] * 3, word_labels=[5, 6, 7])
    batch = tokenizer.pad([short, long], return_tensors="pt")
    expected = tokenizer(
        [["a"], ["a", "b", "c"]],
        boxes=[[[1] * 4], [[1] * 4] * 3],
        word_labels=[[5], [5, 6, 7]],
        padding=True,
        return_tensors="pt",
    )
    assert all(torch.equal(batch[name], expected[name]) for name in expected)
    left = tokenizer.pad(short, padding="max_length", max_length=5, padding_side="left")
    assert left["labels"] == [-100, -100, -100, 5, -100]


# -- Errors ------------------------------------------------------------------------------------------------------------

BOX = [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"text": ["a"]}, ValueError, "bounding boxes"),
        ({"text": ["a", "b"], "boxes": [BOX]}, ValueError, "2 words, 1 boxes"),
        ({"text": ["a", "b"], "boxes": [BOX] * 2, "word_labels": [1]}, ValueError, "2 words, 1 labels"),
        ({"text": ["a"], "boxes": [BOX], "word_labels": [1, 2]}, ValueError, "1 words, 2 labels"),
        ({"text": [["a"], ["b"]], "boxes": [[BOX]]}, ValueError, "words for 2, boxes for 1"),
        ({"text": [["a"], ["b", "c"]], "boxes": [[BOX], [BOX]]}, ValueError, "example 1: .* 2 words, 1 boxes"),
        ({"text": ["q", "r"], "text_pair": [["a"]], "boxes": [[BOX]]}, ValueError, "2 does not match .* 1"),
        ({"text": "words as text", "boxes": [BOX]}, ValueError, "must be list"),
        ({"text": 3, "text_pair": ["a"], "boxes": [BOX]}, ValueError, "must be a question"),
        ({"text": "q", "text_pair": "words", "boxes": [BOX]}, ValueError, "must be list"),
        ({"text": ["a", 7], "boxes": [BOX] * 2}, TypeError, "word 1 of example 0 is int"),
        ({"text": ["a", None], "boxes": [BOX] * 2}, TypeError, "word 1 of example 0 is NoneType"),
        ({"text": ["a", "\ud800"], "boxes": [BOX] * 2}, TypeError, "word 1 of example 0 has half a surrogate pair"),
        ({"text": ["a"], "boxes": [[1, 2, 3]]}, ValueError, "box 0 is"),
        ({"text": ["a"], "boxes": [5]}, ValueError, "box 0 is 5"),
        ({"text": ["a"], "boxes": [BOX], "padding": "all"}, ValueError, "padding='all'"),
        ({"text": ["a"], "boxes": [BOX], "truncation": "some"}, ValueError, "truncation='some'"),
        ({"text": ["a"], "boxes": [BOX], "return_tensors": "tf"}, ValueError, "return_tensors='tf'"),
        ({"text": ["a"], "boxes": [BOX], "surprise": 1}, TypeError, "surprise"),
        (
            {"text": [["a"], ["b", "c"]], "boxes": [[BOX], [BOX] * 2], "return_tensors": "pt"},
            ValueError,
            "padding=True",
        ),
        (
            {"text": ["a"], "boxes": [BOX], "padding": True, "max_length": 10, "truncation": True}
            | {"pad_to_multiple_of": 8},
            ValueError,
            "not a multiple",
        ),
        (
            {"text": ["a"] * 9, "boxes": [BOX] * 9, "truncation": "only_second", "max_length": 5},
            ValueError,
            "use truncation=True",
        ),
        (
            {"text": "a b c", "text_pair": ["d"] * 9, "boxes": [BOX] * 9, "truncation": "only_second"}
            | {"max_length": 8, "stride": 3},
            ValueError,
            "raise max_length or lower stride",
        ),
    ],
)
def test_invalid_calls_are_rejected_with_a_remedy(
    tokenizer: LayoutLMv2Tokenizer, call: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tokenizer(**call)


def test_a_rejected_call_does_not_affect_the_next(tokenizer: LayoutLMv2Tokenizer) -> None:
    with pytest.raises(ValueError, match="only_second"):
        tokenizer(["a"] * 9, boxes=[BOX] * 9, truncation="only_second", max_length=5)
    assert len(tokenizer(["a"] * 9, boxes=[BOX] * 9)["input_ids"]) == 11

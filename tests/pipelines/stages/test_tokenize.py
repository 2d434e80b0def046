from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import LayoutLMv2Tokenizer
from pipelines.schema import Row, Task
from pipelines.stages.tokenize import Tokenize, TokenizeOptions, check_questions, question_length
from tests.model.preprocessing.small_sentencepiece import small_layoutxlm_tokenizer

TOKENIZER = LayoutLMv2Tokenizer()


def page(words: list[str]) -> Row:
    boxes = [[index % 1000, 0, index % 1000, 10] for index in range(len(words))]
    return {"status": "ok", "words": words, "boxes": boxes, "page_index": 0}


def windows_of(words: list[str], **options: object) -> list[Row]:
    (row,) = Tokenize(TOKENIZER, TokenizeOptions(**options))([page(words)])  # type: ignore[arg-type]
    assert row["status"] == "ok", row["error"]
    return row["windows"]


def test_a_short_page_is_one_window_without_padding() -> None:
    (window,) = windows_of(["Total", "number", "42"])
    assert window["word_indices"] == [-1, 0, 1, 2, -1]
    assert len(window["input_ids"]) == 5 and len(window["bbox"]) == 20
    assert (window["question_index"], window["first_token"]) == (-1, 0)


def test_windows_of_a_sentencepiece_vocabulary_have_one_token_type(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path)
    row = page(["Rechnung", "\u200b", "請求書"])
    (tokenized,) = Tokenize(tokenizer, TokenizeOptions())([row])
    (window,) = tokenized["windows"]
    assert window["word_indices"] == [-1, 0, 0, 2, -1], "a word of nothing has no token"
    assert window["token_type_ids"] == [0] * 5
    asked = TokenizeOptions("question-answering", ("Datum Größe",), max_length=16, stride=8)
    (tokenized,) = Tokenize(tokenizer, asked)([page(["請求書"] * 30)])
    length = question_length(tokenizer, "Datum Größe")
    for window in tokenized["windows"]:
        assert window["word_indices"].index(next(word for word in window["word_indices"] if word >= 0)) == length
        assert len(window["input_ids"]) <= 16 and set(window["token_type_ids"]) == {0}


def test_each_token_has_the_box_of_its_word() -> None:
    (window,) = windows_of(["unaffable", "x"])
    boxes = window["bbox"].reshape(-1, 4).tolist()
    assert boxes[0] == [0, 0, 0, 0] and boxes[-1] == [1000, 1000, 1000, 1000]
    pieces = window["word_indices"].count(0)
    assert pieces > 1 and boxes[1 : 1 + pieces] == [[0, 0, 0, 10]] * pieces


def test_a_long_page_becomes_windows_that_overlap_by_the_stride() -> None:
    windows = windows_of([str(index) for index in range(10)] * 200, max_length=512, stride=128)
    assert [len(window["input_ids"]) for window in windows][:-1] == [512] * (len(windows) - 1)
    assert [window["first_token"] for window in windows] == [index * (510 - 128) for index in range(len(windows))]
    for left, right in pairwise(windows):
        assert left["word_indices"][-129:-1] == right["word_indices"][1:129]


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=80))
def test_no_token_of_a_page_is_lost(words: list[str]) -> None:
    whole = [word for word in windows_of(words, max_length=512)[0]["word_indices"] if word >= 0]
    windows = windows_of(words, max_length=24, stride=6)
    seen: dict[int, int] = {}
    for window in windows:
        for offset, word in enumerate(word for word in window["word_indices"] if word >= 0):
            position = window["first_token"] + offset
            assert seen.setdefault(position, word) == word
    if len(whole) < 510:
        assert [seen[position] for position in sorted(seen)] == whole
        assert sorted(seen) == list(range(len(whole)))


def test_each_window_of_a_question_holds_the_whole_question() -> None:
    questions = ("What is the total?", "Who signed?")
    windows = windows_of(["word"] * 600, task="question-answering", questions=questions)
    assert {window["question_index"] for window in windows} == {0, 1}
    for window in windows:
        question_ids = TOKENIZER(
            questions[window["question_index"]].split(),
            boxes=[[0] * 4] * len(questions[window["question_index"]].split()),
        )["input_ids"]
        assert window["input_ids"][: len(question_ids)] == question_ids
        assert set(window["word_indices"][: len(question_ids)]) == {-1}
    assert {word for window in windows for word in window["word_indices"]} == set(range(-1, 600))


def test_a_page_without_words_has_a_window_for_classification_only() -> None:
    assert windows_of([]) == []
    assert windows_of([], task="question-answering", questions=("Why?",)) == []
    (window,) = windows_of([], task="sequence-classification")
    assert window["word_indices"] == [-1, -1]


def test_failed_pages_pass_through() -> None:
    failed = {"status": "failed", "error_kind": "timeout", "error": "slow"}
    assert list(Tokenize(TOKENIZER, TokenizeOptions())([failed])) == [{**failed, "windows": None}]


@pytest.mark.parametrize(
    ("questions", "reason"), [((), "at least one"), (("  ",), "empty"), (("why " * 300,), "too little of a window")]
)
def test_questions_that_cannot_be_asked_are_rejected(questions: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_questions(TOKENIZER, TokenizeOptions("question-answering", questions))


@pytest.mark.parametrize("task", ["token-classification", "question-answering", "sequence-classification"])
def test_a_page_that_needs_more_windows_than_allowed_is_too_large(task: Task) -> None:
    questions = ("What?", "Who?") if task == "question-answering" else ()
    tokenize = Tokenize(TOKENIZER, TokenizeOptions(task, questions, max_length=24, stride=6))
    words = ["total"] * 40
    (unlimited,) = tokenize([page(words)])
    count = len(unlimited["windows"])
    assert count > 2
    (enough,) = tokenize([page(words)], max_windows=count)
    assert enough["status"] == "ok" and len(enough["windows"]) == count
    (short,) = tokenize([page(words)], max_windows=count - 1)
    assert (short["status"], short["error_kind"]) == ("failed", "too_large")
    assert f"more than {count - 1} windows" in short["error"]


@pytest.mark.parametrize("words", [["a"] * 2_000_001, ["a" * 20_000_001]], ids=["words", "characters"])
def test_a_page_of_millions_of_words_is_too_large_before_it_is_tokenized(words: list[str]) -> None:
    class NeverCalled:
        def __call__(self, *_: object, **__: object) -> None:
            raise AssertionError("tokenized")

    tokenize = Tokenize(NeverCalled(), TokenizeOptions())  # type: ignore[arg-type]
    (row,) = tokenize([{"status": "ok", "words": words, "boxes": [], "page_index": 0}], max_windows=2000)
    assert (row["status"], row["error_kind"]) == ("failed", "too_large")

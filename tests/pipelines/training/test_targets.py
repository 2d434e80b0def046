"""What windows of labelled pages should make the model say."""

from __future__ import annotations

import pytest

from model import LayoutLMv2Tokenizer
from model.heads import IGNORED_LABEL
from pipelines.schema import Row
from pipelines.stages.tokenize import Tokenize, TokenizeOptions
from pipelines.training.targets import IGNORED_TARGET, NO_SPAN, Span, answer_span, count_targets, token_targets

TOKENIZER = LayoutLMv2Tokenizer()
IDS = {"O": 0, "B-KEY": 1, "I-KEY": 2}
WORDS = ["unbelievable", "tax", "electroencephalography", "of", "antidisestablishmentarianism"]
LABELS = ["B-KEY", "I-KEY", None, "O", "B-KEY"]


def page(questions: list[Row] | None = None, *, max_length: int = 512, stride: int = 2, pages: int = 1) -> Row:
    task = "token-classification" if questions is None else "question-answering"
    row: Row = {
        "status": "ok",
        "words": WORDS,
        "boxes": [[10, 10, 20, 20]] * len(WORDS),
        "true_labels": LABELS,
        "true_label": "letter",
        "questions": questions,
        "page_count": pages,
    }
    return next(Tokenize(TOKENIZER, TokenizeOptions(task, (), max_length, stride))([row]))  # type: ignore[arg-type]


def question(first: int, last: int, answers: list[str]) -> Row:
    return {"text": "Which?", "answers": answers, "first_word": first, "last_word": last}


def test_ignored_targets_are_those_of_the_heads() -> None:
    assert IGNORED_TARGET == IGNORED_LABEL


def test_the_first_piece_of_each_word_has_its_label_and_all_else_is_ignored() -> None:
    row = page()
    (window,) = row["windows"]
    targets = token_targets(row, 0, IDS)
    labelled = {
        window["word_indices"][token]: int(targets[token]) for token in (targets != IGNORED_TARGET).nonzero()[0]
    }
    assert labelled == {0: 1, 1: 2, 3: 0, 4: 1}
    assert (targets != IGNORED_TARGET).sum() == 4 and len(window["input_ids"]) > 4 + 2
    assert count_targets(row, "token-classification") == [4]


def test_a_window_that_begins_within_a_word_ignores_the_rest_of_it() -> None:
    row = page(max_length=9, stride=3)
    assert len(row["windows"]) > 2
    pieces = [
        (window["first_token"] + sum(word >= 0 for word in window["word_indices"][:token]), int(target))
        for index, window in enumerate(row["windows"])
        for token, target in enumerate(token_targets(row, index, IDS))
        if target != IGNORED_TARGET
    ]
    whole = page()
    expected = {
        token - 1: int(target) for token, target in enumerate(token_targets(whole, 0, IDS)) if target != IGNORED_TARGET
    }
    assert dict(pieces) == expected, "every labelled place of the page, with its label, and no other place"
    assert count_targets(row, "token-classification") == [
        int((token_targets(row, index, IDS) != IGNORED_TARGET).sum()) for index in range(len(row["windows"]))
    ]


def test_an_answer_is_from_the_first_piece_of_its_first_word_to_the_last_of_its_last() -> None:
    row = page([question(0, 1, ["unbelievable tax"]), question(4, 4, ["antidisestablishmentarianism"])])
    for index, (first, last) in enumerate([(0, 1), (4, 4)]):
        words = row["windows"][index]["word_indices"]
        span = answer_span(row, index)
        assert words[span.start] == first and words[span.start - 1] != first
        assert words[span.end] == last and words[span.end + 1] != last


def test_no_answer_points_at_the_first_token() -> None:
    row = page([question(-1, -1, [])])
    assert answer_span(row, 0) == NO_SPAN == Span(0, 0)


def test_a_window_that_holds_an_answer_in_part_has_none() -> None:
    row = page([question(1, 3, ["tax ... of"])], max_length=14, stride=3)
    spans = []
    for index, window in enumerate(row["windows"]):
        words = window["word_indices"]
        span = answer_span(row, index)
        if span != NO_SPAN:
            assert (words[span.start], words[span.end]) == (1, 3)
        spans.append((span != NO_SPAN, bool({1, 2, 3} & set(words))))
    assert set(spans) == {(True, True), (False, True)}, "one window holds it whole, another in part"


def test_a_word_cut_by_the_end_of_the_window_is_no_whole_answer() -> None:
    row = page([question(4, 4, ["antidisestablishmentarianism"])], max_length=14, stride=3)
    pieces = len(TOKENIZER.tokenize(WORDS[4]))
    for index, window in enumerate(row["windows"]):
        inside = sum(word == 4 for word in window["word_indices"])
        assert (answer_span(row, index) == NO_SPAN) == (inside < pieces)


@pytest.mark.parametrize(
    ("asked", "pages", "count"),
    [
        (question(1, 1, ["tax"]), 1, 1),
        (question(-1, -1, []), 1, 1),
        (question(-1, -1, ["written otherwise"]), 1, 0),
        (question(-1, -1, ["on another page"]), 3, 1),
    ],
)
def test_an_answer_that_was_not_located_teaches_nothing(asked: Row, pages: int, count: int) -> None:
    assert count_targets(page([asked], pages=pages), "question-answering") == [count]


def test_every_window_of_a_page_of_known_class_counts() -> None:
    row = page(max_length=9)
    assert count_targets(row, "sequence-classification") == [1] * len(row["windows"])
    assert count_targets({**row, "true_label": None}, "sequence-classification") == [0] * len(row["windows"])

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.decode import Window, decode_answer, decode_entities, softmax, split_label, word_logits

BOXES = [(10 * i, 0, 10 * i + 8, 10) for i in range(200)]


def cut(token_words: list[int], capacity: int, stride: int, special: int = 1) -> list[Window]:
    """Windows over a page's tokens, split like the tokenizer does; each row of logits encodes its window and token."""
    windows, first = [], 0
    while True:
        words = token_words[first : first + capacity]
        indices = np.array([-1] * special + words + [-1])
        logits = np.zeros((len(indices), 2), dtype=np.float32)
        logits[:, 0] = len(windows)
        logits[special : special + len(words), 1] = np.arange(first, first + len(words))
        windows.append(Window(indices, first, logits))
        if first + capacity >= len(token_words):
            return windows
        first += capacity - stride


def test_in_one_window_each_word_has_the_logits_of_its_first_piece() -> None:
    logits, present = word_logits(cut([0, 0, 1, 2, 2, 2, 3], capacity=10, stride=2), word_count=4)
    assert logits[:, 1].tolist() == [0, 2, 3, 6]
    assert present.all()


def test_a_word_in_two_windows_gets_the_logits_with_most_context() -> None:
    windows = cut(list(range(16)), capacity=10, stride=4)  # tokens 0-9 and 6-15: 6 and 7 lie nearer to the second's cut
    logits, _ = word_logits(windows, word_count=16)
    assert logits[:, 0].tolist() == [0] * 8 + [1] * 8


def test_the_end_of_the_page_is_not_a_cut() -> None:
    windows = cut(list(range(12)), capacity=10, stride=8)  # 0-9 and 2-11
    logits, _ = word_logits(windows, word_count=12)
    assert logits[:6, 0].tolist() == [0] * 6
    assert logits[6:, 0].tolist() == [1] * 6


def test_a_window_that_begins_inside_a_word_is_not_used_for_it() -> None:
    windows = cut([0, 1, 1, 1, 1, 1, 2, 3], capacity=4, stride=1)
    logits, present = word_logits(windows, word_count=4)
    assert logits[1].tolist() == [0, 1]
    assert present.all()


def test_a_word_without_tokens_is_marked() -> None:
    logits, present = word_logits(cut([0, 2], capacity=10, stride=2), word_count=3)
    assert present.tolist() == [True, False, True]
    assert logits[1].tolist() == [0, 0]


def test_without_windows_merging_is_an_error() -> None:
    with pytest.raises(ValueError, match="no windows"):
        word_logits([], 3)


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 6), min_size=1, max_size=60), capacity=st.integers(4, 30), stride=st.integers(0, 3)
)
def test_no_word_is_lost_and_each_has_the_logits_of_its_first_piece(
    pieces: list[int], capacity: int, stride: int
) -> None:
    token_words = [word for word, count in enumerate(pieces) for _ in range(count)]
    first_pieces = np.cumsum([0, *pieces[:-1]])
    logits, present = word_logits(cut(token_words, capacity, min(stride, capacity - 1)), len(pieces))
    assert present.all()
    assert logits[:, 1].tolist() == first_pieces.tolist()


def test_labels_become_entities_with_text_box_and_score() -> None:
    labels = ["B-QUESTION", "I-QUESTION", "O", "B-ANSWER", "B-ANSWER", "I-ANSWER"]
    words = ["Ship", "to:", "-", "Anna", "Berlin", "East"]
    entities = decode_entities(labels, [0.9, 0.7, 0.5, 0.8, 1.0, 0.6], words, BOXES)
    assert [(e.label, e.text, e.first_word, e.last_word) for e in entities] == [
        ("QUESTION", "Ship to:", 0, 1),
        ("ANSWER", "Anna", 3, 3),
        ("ANSWER", "Berlin East", 4, 5),
    ]
    assert entities[0].box == (0, 0, 18, 10)
    assert entities[0].score == pytest.approx(0.8)


def test_an_inside_label_without_a_begin_label_begins_an_entity() -> None:
    labels = ["I-HEADER", "I-HEADER", "I-ANSWER", "O", "I-ANSWER"]
    entities = decode_entities(labels, [1.0] * 5, list("abcde"), BOXES)
    assert [(e.label, e.first_word, e.last_word) for e in entities] == [
        ("HEADER", 0, 1),
        ("ANSWER", 2, 2),
        ("ANSWER", 4, 4),
    ]


def test_a_word_without_a_prediction_does_not_split_an_entity() -> None:
    entities = decode_entities(["B-ANSWER", None, "I-ANSWER"], [1.0, None, 0.5], ["a", "", "b"], BOXES)
    assert [(e.first_word, e.last_word, e.score) for e in entities] == [(0, 2, 0.75)]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("O", ("O", "")),
        ("B-X", ("B", "X")),
        ("E-X", ("I", "X")),
        ("S-X", ("B", "X")),
        ("LABEL_3", ("I", "LABEL_3")),
        ("B-", ("I", "B-")),
    ],
)
def test_labels_are_split_into_prefix_and_name(label: str, expected: tuple[str, str]) -> None:
    assert split_label(label) == expected


def question_window(words: list[int], start: dict[int, float], end: dict[int, float], null: float = 0.0) -> Window:
    indices = np.array([-1, -1, *words, -1])
    logits = np.full((len(indices), 2), -5.0, dtype=np.float32)
    logits[0] = null / 2
    for position, value in start.items():
        logits[position + 2, 0] = value
    for position, value in end.items():
        logits[position + 2, 1] = value
    return Window(indices, 0, logits)


WORDS = [f"w{i}" for i in range(20)]


def test_the_best_span_is_the_answer() -> None:
    answer = decode_answer([question_window([0, 1, 2, 3], {1: 4.0}, {2: 3.0})], WORDS, BOXES)
    assert (answer.text, answer.first_word, answer.last_word) == ("w1 w2", 1, 2)
    assert answer.boxes == [BOXES[1], BOXES[2]]
    assert answer.score == pytest.approx(1 / (1 + np.exp(-7.0)))


def test_a_span_never_ends_before_it_starts() -> None:
    answer = decode_answer([question_window([0, 1, 2, 3], {3: 9.0, 0: 1.0}, {0: 9.0, 1: 8.0})], WORDS, BOXES)
    assert (answer.first_word, answer.last_word) == (0, 0)


def test_there_is_no_answer_when_the_null_score_wins() -> None:
    answer = decode_answer([question_window([0, 1], {0: 1.0}, {1: 1.0}, null=6.0)], WORDS, BOXES)
    assert answer.text is None and answer.boxes == [] and answer.first_word == -1
    assert answer.score == pytest.approx(1 / (1 + np.exp(4.0)))


def test_windows_are_ranked_against_their_own_null_score() -> None:
    certain = question_window([4, 5], {0: 2.0}, {0: 2.0}, null=-4.0)
    loud = question_window([0, 1], {0: 6.0}, {0: 6.0}, null=11.0)
    assert decode_answer([loud, certain], WORDS, BOXES).text == "w4"


def test_a_span_is_not_longer_than_allowed() -> None:
    window = question_window(list(range(10)), {0: 5.0, 7: 1.0}, {9: 5.0})
    assert decode_answer([window], WORDS, BOXES, longest_answer=4).first_word == 7


def test_softmax_is_stable() -> None:
    assert softmax(np.array([[1000.0, 0.0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]

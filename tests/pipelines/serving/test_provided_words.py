from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.serving.errors import RequestError
from pipelines.serving.provided_words import MAX_WORDS, ProvidedWords, parse_words


def test_words_and_their_boxes_are_parsed() -> None:
    given = parse_words('["Invoice", "No. 17"]', "[[0, 0, 1000, 20], [5, 5, 5, 5]]")
    assert given == ProvidedWords(["Invoice", "No. 17"], [[0, 0, 1000, 20], [5, 5, 5, 5]])
    assert parse_words("[]", "[]") == ProvidedWords([], []), "a page may have no words"
    assert parse_words(None, None) is None


@pytest.mark.parametrize(
    ("words", "boxes", "reason"),
    [
        ('["a"]', None, "come together"),
        (None, "[[0, 0, 1, 1]]", "come together"),
        ('["a", "b"]', "[[0, 0, 1, 1]]", "2 words and 1 boxes"),
        ("a, b", "[]", "words is not JSON"),
        pytest.param("[" * 100_000, "[]", "words is not JSON", id="nested too deep"),
        ('{"a": 1}', "[]", "send a JSON list"),
        ('["a", 7]', "[[0, 0, 1, 1], [0, 0, 1, 1]]", r"words\[1\] is not a word: 7"),
        ('["a", " "]', "[[0, 0, 1, 1], [0, 0, 1, 1]]", r"words\[1\] is not a word"),
    ],
)
def test_malformed_words_are_refused_with_the_reason(words: str | None, boxes: str | None, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as refused:
        parse_words(words, boxes)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "box",
    [
        *([0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1001, 1], [-1, 0, 1, 1], [5, 0, 4, 1], [0, 5, 1, 4]),
        *([0.0, 0, 1, 1], [True, 0, 1, 1], ["0", 0, 1, 1], None, {}, "0011", [[[[]]]], [float("nan"), 0, 1, 1]),
    ],
)
def test_a_malformed_box_is_refused_with_its_position(box: Any) -> None:
    with pytest.raises(RequestError, match=r"boxes\[1\] is .*from 0 to 1000"):
        parse_words('["a", "b"]', json.dumps([[0, 0, 1, 1], box]))


def test_too_many_words_are_refused() -> None:
    count = MAX_WORDS + 1
    with pytest.raises(RequestError, match="more than the 10000"):
        parse_words(json.dumps(["a"] * count), json.dumps([[0, 0, 1, 1]] * count))
    with pytest.raises(RequestError, match="characters are more than the 100000"):
        parse_words(json.dumps(["a," * 60_000]), "[[0, 0, 1, 1]]")


def test_characters_that_cannot_be_encoded_are_replaced() -> None:
    given = parse_words('["\\ud800x"]', "[[0, 0, 1, 1]]")
    assert given is not None and given.words == ["?x"]

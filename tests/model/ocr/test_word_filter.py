from __future__ import annotations

import pytest

from model.ocr.word_filter import Word, keep_text, without_rules


def texts(text: str) -> list[str]:
    return [word.text for word in without_rules(Word(text, (0, 0, 100, 10), 0.9))]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("__King", "King"),
        ("|Executive", "Executive"),
        ("Length---", "Length"),
        ("Markings-~-", "Markings"),
        ("_-BLOTT,", "BLOTT,"),
        ("—Joyce—", "Joyce"),
    ],
)
def test_rules_at_a_words_edges_are_removed(read: str, text: str) -> None:
    assert texts(read) == [text]


@pytest.mark.parametrize("read", ["____", "|", "---", "_|_", "=="])
def test_a_word_that_is_only_a_rule_is_dropped(read: str) -> None:
    assert texts(read) == []


@pytest.mark.parametrize(
    "read", ["-5", "re-", "A=", "~40", "-", "—", "first_name", "Date:", "[____],", "Name__:", "$", "(x)", "well-known"]
)
def test_actual_text_is_unchanged(read: str) -> None:
    assert texts(read) == [read]


def test_words_joined_by_a_rule_are_split_with_their_boxes() -> None:
    parts = without_rules(Word("Date:____1987", (0, 5, 130, 15), 0.8))
    assert [(part.text, part.box, part.confidence) for part in parts] == [
        ("Date:", (0, 5, 50, 15), 0.8),
        ("1987", (90, 5, 130, 15), 0.8),
    ]
    assert texts("DATE:_10/26/87") == ["DATE:", "10/26/87"]


def test_a_trimmed_words_box_is_trimmed_in_proportion() -> None:
    (word,) = without_rules(Word("Name______", (100, 5, 200, 15), 0.8))
    assert word.box == (100, 5, 140, 15)


def test_words_of_low_confidence_are_dropped_and_symbols_at_a_higher_minimum() -> None:
    read = [Word(text, (0, 0, 10, 10), 0.5) for text in ("word", "%", "7")] + [Word("noise", (0, 0, 10, 10), 0.1)]
    kept = keep_text(read, trim_rules=True, minimum_confidence=0.2, minimum_symbol_confidence=0.6)
    assert [word.text for word in kept.words] == ["word", "7"]
    assert kept.dropped == 2


def test_with_all_filters_off_nothing_is_dropped_or_changed() -> None:
    read = [Word("__a_", (0, 0, 10, 10), 0.0), Word("||", (0, 0, 10, 10), 0.0)]
    kept = keep_text(read, trim_rules=False, minimum_confidence=0.0, minimum_symbol_confidence=0.0)
    assert (kept.words, kept.dropped) == (read, 0)

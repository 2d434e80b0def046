from __future__ import annotations

import pytest

from model.text_direction import has_right_to_left, is_right_to_left, logical_order, without_marks


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Total", "12"], False),
        (["שם:", "משה", "12"], True),
        (["العنوان:", "شارع", "12"], True),
        (["Name", "שם", "first", "and", "last"], False),
        (["12", "31.12.2026"], False),
        ([], False),
    ],
)
def test_a_page_is_written_from_right_to_left_if_most_of_its_letters_are(words: list[str], expected: bool) -> None:
    assert is_right_to_left(words) is expected


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("שלום", "םולש"),
        ("שם:", ":םש"),
        ("ב-12.5", "12.5-ב"),
        ("(עולם)", ")םלוע("),
        ("Total:", "Total:"),
        ("1,250", "1,250"),
    ],
)
def test_letters_are_put_in_the_order_in_which_they_are_read(logical: str, visual: str) -> None:
    assert logical_order(visual) == logical


def test_arabic_and_hebrew_letters_are_known_and_their_digits_are_numbers() -> None:
    assert has_right_to_left("ع") and has_right_to_left("ש") and has_right_to_left("ﻻ")
    assert not has_right_to_left("٣٤") and not has_right_to_left("Größe")


def test_invisible_marks_of_direction_are_left_out() -> None:
    assert without_marks("\u200eABC\u200f") == "ABC" and without_marks("می\u200cخواهم") == "می\u200cخواهم"

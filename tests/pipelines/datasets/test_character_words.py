"""Annotated characters become words with the boxes around them; words of spaced scripts stay as annotated."""

from __future__ import annotations

from pipelines.datasets.character_words import put_together
from pipelines.datasets.types import PixelBox, PixelWord


def characters(text: str, x: float = 0, y: float = 0, step: float = 10) -> list[PixelWord]:
    """One box of 10 by 10 pixels a character, in a line."""
    boxes: list[PixelBox] = [(x + step * index, y, x + step * index + 10, y + 10) for index in range(len(text))]
    return [PixelWord(character, box) for character, box in zip(text, boxes, strict=True)]


def test_characters_of_a_line_become_words() -> None:
    assert put_together(characters("姓名：王小明"), "姓名：王小明") == [
        ("姓名：", (0, 0, 30, 10)),
        ("王", (30, 0, 40, 10)),
        ("小明", (40, 0, 60, 10)),
    ]


def test_a_piece_of_a_line_is_divided_by_equal_shares() -> None:
    assert put_together([PixelWord("東京都", (0, 0, 30, 10))], "東京都") == [
        ("東京", (0, 0, 20, 10)),
        ("都", (20, 0, 30, 10)),
    ]


def test_a_line_ends_a_word_and_a_column_does_not() -> None:
    wrapped = [*characters("会", x=90), *characters("社", x=0, y=15)]
    assert [text for text, _ in put_together(wrapped, "会社")] == ["会", "社"]
    column = [*characters("会"), *characters("社", y=12)]
    assert put_together(column, "会社") == [("会社", (0, 0, 10, 22))]


def test_a_space_in_the_block_s_text_ends_a_word() -> None:
    pieces = characters("会社")
    assert [text for text, _ in put_together(pieces, "会 社")] == ["会", "社"]
    assert [text for text, _ in put_together(pieces, "会社")] == ["会社"]
    assert [text for text, _ in put_together(pieces, "another text")] == ["会社"]


def test_words_of_spaced_scripts_stay_whatever_the_text_says() -> None:
    pieces = [PixelWord("Name", (0, 0, 40, 10)), PixelWord(":", (41, 0, 45, 10)), PixelWord("Ann", (50, 0, 80, 10))]
    for text in ("Name: Ann", "Name:Ann", ""):
        assert put_together(pieces, text) == pieces


def test_a_number_and_its_counter_are_one_word() -> None:
    pieces = [PixelWord("2026", (0, 0, 40, 10)), PixelWord("年", (40, 0, 50, 10))]
    assert put_together(pieces, "2026年") == [("2026年", (0, 0, 50, 10))]


def test_white_space_within_a_piece_ends_a_word() -> None:
    assert put_together([PixelWord("東京 都", (0, 0, 40, 10))], "東京 都") == [
        ("東京", (0, 0, 20, 10)),
        ("都", (30, 0, 40, 10)),
    ]


def test_nothing_gives_nothing() -> None:
    assert put_together([], "") == []

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.line_words import Character, Grey, split_line

HEIGHT = 60


def line(
    *words: str, gap: int = 30, spaces: bool = False, ink: int = 0, paper: int = 255, font: Any = None
) -> tuple[Grey, list[Character], list[tuple[int, int]]]:
    """A picture of words `gap` pixels apart, their characters, and where the ink of each begins and ends."""
    font = font or ImageFont.load_default(size=36)
    width = int(sum(font.getlength(word) for word in words)) + gap * (len(words) + 1)
    image = Image.new("L", (width, HEIGHT), paper)
    x, characters, extents = float(gap), [], []
    for number, word in enumerate(words):
        if spaces and number:
            characters.append(Character(" ", (x - gap / 2) / width, 0.9))
        for index, letter in enumerate(word):
            middle = x + font.getlength(word[:index]) + font.getlength(letter) / 2
            characters.append(Character(letter, middle / width, 0.8))
        ImageDraw.Draw(image).text((x, 8), word, fill=ink, font=font)
        box = font.getbbox(word)
        extents.append((round(x + box[0]), round(x + box[2])))
        x += font.getlength(word) + gap
    return np.asarray(image), characters, extents


def texts(picture: Grey, characters: list[Character]) -> list[str]:
    return [text for text, _, _ in split_line(picture, characters)]


@pytest.mark.parametrize("gap", [4, 12, 40])
def test_words_are_cut_at_recognised_spaces_of_any_width(gap: int) -> None:
    picture, characters, _ = line("Total", "amount", "due", gap=gap, spaces=True)
    assert texts(picture, characters) == ["Total", "amount", "due"]


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (90, 160)], ids=["black", "white", "faint"])
def test_words_are_cut_at_wide_gaps_in_the_ink_without_a_space(ink: int, paper: int) -> None:
    picture, characters, _ = line("Total", "amount", "due", gap=30, ink=ink, paper=paper)
    assert texts(picture, characters) == ["Total", "amount", "due"]


NUMBERS = ["1221", "1238", "1255", "1111", "4017"]


def moved(characters: list[Character], steps: int = 70) -> list[Character]:
    """The same characters, with positions that are known to a step, as the recogniser gives them."""
    return [replace(one, position=(round(one.position * steps - 0.5) + 0.5) / steps) for one in characters]


def test_numbers_a_space_apart_are_cut_though_the_recogniser_saw_no_space() -> None:
    picture, characters, _ = line(*NUMBERS, gap=round(ImageFont.load_default(size=36).getlength(" ")))
    assert texts(picture, moved(characters)) == NUMBERS


@pytest.mark.parametrize("font", ["DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf"])
def test_the_gaps_beside_ones_end_no_number(font: str) -> None:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", font)
    number = "1102118711114101"
    picture, characters, _ = line(number, font=ImageFont.truetype(str(path), size=36))
    assert texts(picture, moved(characters)) == [number]


def test_letters_that_stand_close_are_one_word() -> None:
    picture, characters, _ = line("amount", "s", gap=3)
    assert texts(picture, characters) == ["amounts"]


def test_a_gap_before_closing_punctuation_must_be_wider() -> None:
    sentence, characters, _ = line("amount", ".", gap=10)
    assert texts(sentence, characters) == ["amount."]


def test_boxes_are_around_the_ink_with_a_margin() -> None:
    picture, characters, extents = line("Total", "amount", "due", gap=40)
    for (_, (x0, y0, x1, y1), _), (begin, end) in zip(split_line(picture, characters), extents, strict=True):
        assert begin - 6 <= x0 <= begin + 1 and end - 1 <= x1 <= end + 6
        rows = np.flatnonzero((picture[:, begin:end] < 128).any(axis=1))
        assert rows[0] - 8 <= y0 <= rows[0] and rows[-1] + 1 <= y1 <= rows[-1] + 8


def test_a_rule_under_the_line_is_not_ink_of_a_word() -> None:
    picture, characters, _ = line("Total", "due", gap=40)
    ruled = picture.copy()
    ruled[54:57] = 0
    assert texts(ruled, characters) == ["Total", "due"]
    assert all(box[3] < 56 for _, box, _ in split_line(ruled, characters))


def test_a_words_confidence_is_the_mean_of_its_characters() -> None:
    picture, characters, _ = line("abcd", "ef", gap=40)
    graded = [
        Character(c.text, c.position, p) for c, p in zip(characters, (0.5, 1.0, 0.5, 1.0, 0.25, 0.5), strict=True)
    ]
    assert [confidence for _, _, confidence in split_line(picture, graded)] == [0.75, 0.375]


def test_a_line_without_characters_has_no_words() -> None:
    blank = np.full((40, 200), 255, np.uint8)
    assert split_line(blank, []) == []
    assert split_line(blank, [Character(" ", 0.5, 0.9)]) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_characters_on_a_picture_without_ink_stay_words(shape: tuple[int, int]) -> None:
    [(text, box, _)] = split_line(np.full(shape, 255, np.uint8), [Character("I", 0.4, 0.9), Character("l", 0.6, 0.9)])
    assert text == "Il"
    assert box[0] < box[2] and box[1] < box[3]

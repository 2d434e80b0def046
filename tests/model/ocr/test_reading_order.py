from __future__ import annotations

import random

import pytest

from model.ocr.reading_order import reading_order

Box = tuple[float, float, float, float]


def line_of_words(x: float, y: float, count: int, width: float = 50, height: float = 12, gap: float = 6) -> list[Box]:
    return [(x + i * (width + gap), y, x + i * (width + gap) + width, y + height) for i in range(count)]


def two_columns(lines: int = 12) -> list[Box]:
    """Left column first, the expected reading order."""
    left = [box for row in range(lines) for box in line_of_words(50, 100 + 18 * row, 5)]
    right = [box for row in range(lines) for box in line_of_words(370, 107 + 18 * row, 5)]
    return left + right


def shuffled(count: int, seed: int = 0) -> list[int]:
    indices = list(range(count))
    random.Random(seed).shuffle(indices)
    return indices


def restored(boxes: list[Box], seed: int = 0) -> list[Box]:
    mixed = [boxes[i] for i in shuffled(len(boxes), seed)]
    return [mixed[i] for i in reading_order(mixed)]


def test_no_words_have_an_empty_order() -> None:
    assert reading_order([]) == []


def test_every_index_occurs_once() -> None:
    boxes = [tuple(random.Random(i).uniform(0, 100) for _ in range(4)) for i in range(200)]
    assert sorted(reading_order(boxes)) == list(range(200))  # inverted boxes included


def test_one_column_is_read_line_by_line() -> None:
    page = [box for row in range(30) for box in line_of_words(40, 30 + 18 * row, 10)]
    assert restored(page) == page


def test_two_columns_are_read_one_after_the_other() -> None:
    assert restored(two_columns()) == two_columns()


def test_three_columns_are_read_one_after_the_other() -> None:
    page = [
        box for column in range(3) for row in range(10) for box in line_of_words(50 + 260 * column, 100 + 18 * row, 4)
    ]
    assert restored(page) == page


def test_a_title_over_two_columns_comes_first_and_a_footer_last() -> None:
    title, footer = line_of_words(150, 60, 7), line_of_words(150, 400, 7)
    page = [*title, *two_columns(), *footer]
    assert restored(page) == page


def test_a_line_across_two_columns_ends_the_columns_above_it() -> None:
    above = two_columns()
    across = line_of_words(50, 340, 11)
    below = [(x0, y0 + 270, x1, y1 + 270) for x0, y0, x1, y1 in two_columns()]
    page = [*above, *across, *below]
    assert restored(page) == page


def test_a_forms_rows_are_read_from_label_to_value() -> None:
    page = [
        box
        for row in range(15)
        for box in (*line_of_words(50, 100 + 30 * row, 1 + row % 3), *line_of_words(400, 102 + 30 * row, 1 + row % 2))
    ]
    assert restored(page) == page


def test_a_tables_rows_are_read_cell_by_cell() -> None:
    page = [(x, 100.0 + 20 * row, x + 60, 112.0 + 20 * row) for row in range(12) for x in (50.0, 200.0, 350.0, 500.0)]
    assert restored(page) == page


def test_a_skewed_page_keeps_its_lines() -> None:
    slope = 0.015  # almost one degree: over the line, the text sinks by most of a line's distance
    page = [
        (x0, y0 + slope * x0, x1, y1 + slope * x0)
        for row in range(20)
        for x0, y0, x1, y1 in line_of_words(40, 30 + 18 * row, 16, width=50)
    ]
    assert restored(page) == page


def test_a_tall_box_does_not_absorb_the_lines_beside_it() -> None:
    logo: Box = (10, 100, 60, 220)
    lines = [box for row in range(6) for box in line_of_words(100, 100 + 20 * row, 5)]
    order = restored([logo, *lines])
    order.remove(logo)
    assert order == lines


@pytest.mark.parametrize("scale", [0.01, 1000.0])
def test_the_unit_of_the_boxes_does_not_matter(scale: float) -> None:
    page = two_columns()
    assert reading_order([tuple(scale * value for value in box) for box in page]) == reading_order(page)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_input_does_not_matter(seed: int) -> None:
    page = [*line_of_words(150, 60, 7), *two_columns()]
    assert restored(page, seed) == page


def test_boxes_without_height_or_width_are_ordered_too() -> None:
    assert reading_order([(10, 20, 10, 20), (10, 10, 10, 10), (5, 10, 5, 10)]) == [2, 1, 0]


def placed(*lines: str, right: float = 500, width: float = 40) -> tuple[list[str], list[Box]]:
    """Words of lines that are given as they stand on the page, from left to right, and end at one right edge."""
    words, boxes = [], []
    for row, line in enumerate(lines):
        parts = line.split()
        for place, word in enumerate(reversed(parts)):
            x1 = right - place * (width + 6)
            words.append(word)
            boxes.append((x1 - width, 30 + 20 * row, x1, 42 + 20 * row))
    return words, boxes


def read(words: list[str], boxes: list[Box]) -> list[str]:
    mixed = shuffled(len(words))
    order = reading_order([boxes[i] for i in mixed], [words[i] for i in mixed])
    return [words[mixed[i]] for i in order]


def test_hebrew_lines_are_read_from_right_to_left_with_the_numbers_in_them() -> None:
    words, boxes = placed("כהן משה שם:", "אביב תל 12 הרצל רחוב כתובת:")
    assert read(words, boxes) == ["שם:", "משה", "כהן", "כתובת:", "רחוב", "הרצל", "12", "תל", "אביב"]


def test_latin_phrases_on_a_page_of_arabic_are_read_from_left_to_right() -> None:
    words, boxes = placed("بناء رخصة على الحصول طلب", "الفرع ABC 365 Limited شركة")
    assert read(words, boxes)[5:] == ["شركة", "ABC", "365", "Limited", "الفرع"]


def test_arabic_phrases_on_a_latin_page_are_read_from_right_to_left() -> None:
    words, boxes = placed("Name of the applicant محمد عبد please", "and the date of his birth")
    assert read(words, boxes)[:7] == ["Name", "of", "the", "applicant", "عبد", "محمد", "please"]


def test_columns_of_hebrew_begin_at_the_right() -> None:
    left = [(box, "שמאל") for row in range(8) for box in line_of_words(50, 100 + 18 * row, 5)]
    right = [(box, "ימין") for row in range(8) for box in line_of_words(370, 107 + 18 * row, 5)]
    boxes, words = zip(*left, *right, strict=True)
    order = reading_order(boxes, words)
    assert [words[i] for i in order] == ["ימין"] * 40 + ["שמאל"] * 40


def test_texts_of_latin_pages_change_nothing() -> None:
    page = two_columns()
    assert reading_order(page, ["Größe"] * len(page)) == reading_order(page)

from __future__ import annotations

from itertools import pairwise

import pytest

from pipelines.batch.connecting_lines import MAX_NEAR, Box, Point, connecting_line

KEY = (100, 100, 200, 115)


def is_on_edge(point: Point, box: Box) -> bool:
    (x, y), (x0, y0, x1, y1) = point, box
    return x0 <= x <= x1 and y0 <= y <= y1 and (x in (x0, x1) or y in (y0, y1))


def crossed_words(points: list[Point], words: list[Box]) -> list[Box]:
    crossed = []
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = [(x0 + (x1 - x0) * step / 50, y0 + (y1 - y0) * step / 50) for step in range(51)]
        crossed += [box for box in words if any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in steps)]
    return crossed


@pytest.mark.parametrize(
    ("value", "points"),
    [((300, 100, 400, 115), [(200, 107.5), (300, 107.5)]), ((100, 140, 150, 155), [(110, 115), (110, 140)])],
    ids=["on its line", "below it"],
)
def test_a_value_beside_its_key_has_a_straight_line(value: Box, points: list[Point]) -> None:
    assert connecting_line(KEY, value, [], 1.4) == points


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (KEY, (400, 100, 500, 115), [(250, 98, 350, 117)]),
        (KEY, (100, 300, 180, 315), [(100, 150, 190, 165), (100, 200, 200, 215)]),
        (KEY, (400, 300, 500, 315), [(205, 120, 395, 295)]),
        ((400, 300, 500, 315), KEY, [(205, 120, 395, 295)]),
    ],
    ids=["on a line", "in a column", "below", "above"],
)
def test_a_line_goes_around_words(key: Box, value: Box, words: list[Box]) -> None:
    points = connecting_line(key, value, words, 1.4)
    assert is_on_edge(points[0], key) and is_on_edge(points[-1], value) and len(points) <= 4
    assert not crossed_words(points, words) and crossed_words(connecting_line(key, value, [], 1.4), words)


def test_the_words_of_key_and_value_are_no_obstacles() -> None:
    value, between = (300, 100, 400, 115), (230, 98, 250, 117)
    assert connecting_line(KEY, value, [KEY, between], 1.4) != connecting_line(KEY, value, [], 1.4)
    assert connecting_line(KEY, value, [KEY, between], 1.4, own={0, 1}) == connecting_line(KEY, value, [], 1.4)


def test_a_line_crosses_words_where_there_are_too_many_to_go_around() -> None:
    value, between = (300, 100, 400, 115), (230, 98, 250, 117)
    assert connecting_line(KEY, value, [between] * (MAX_NEAR + 1), 1.4) == connecting_line(KEY, value, [], 1.4)


def test_key_and_value_that_touch_have_no_line() -> None:
    assert connecting_line(KEY, (200, 100, 300, 115), [], 1.4) == []
    assert connecting_line(KEY, (150, 90, 300, 105), [], 1.4) == []

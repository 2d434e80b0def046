"""The orders in which a form's entities are listed."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from pipelines.datasets.synthetic_forms.annotation_order import ORDERS, reading_order
from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, QUESTION, Entity


def entity(label: str, left: float, top: float, *words: str) -> Entity:
    return Entity(label, 0, list(words), [(left, top, left + 30, top + 12)] * len(words))


BLOCKS = (
    entity(HEADER, 300, 10, "Travel", "Report"),
    entity(QUESTION, 50, 100, "Name:"),
    entity(QUESTION, 50, 200, "Home", "Address:"),
    entity(ANSWER, 400, 200, "12", "Oak", "Road"),
    entity(ANSWER, 400, 100, "Novak"),
)
LINKS = ((1, 4), (2, 3))


@pytest.mark.parametrize("order", [name for name, _ in ORDERS])
def test_every_order_lists_each_entity_once(order: str) -> None:
    assert sorted(reading_order(BLOCKS, LINKS, random.Random(1), order)) == [0, 1, 2, 3, 4]


def test_lines_go_from_the_top_down_and_from_left_to_right() -> None:
    assert reading_order(BLOCKS, LINKS, random.Random(1), "lines") == [0, 1, 4, 2, 3]


def test_pairs_put_each_answer_behind_its_question() -> None:
    found = reading_order(BLOCKS, LINKS, random.Random(1), "pairs")
    assert all(found.index(answer) == found.index(question) + 1 for question, answer in LINKS)


def test_kinds_keep_entities_of_a_label_together() -> None:
    labels = [BLOCKS[index].label for index in reading_order(BLOCKS, LINKS, random.Random(1), "kinds")]
    assert sum(before != after for before, after in pairwise(labels)) == 2


def test_single_words_come_before_all_others() -> None:
    for seed in range(10):
        found = reading_order(BLOCKS, LINKS, random.Random(seed), "single words first")
        assert set(found[:2]) == {1, 4}

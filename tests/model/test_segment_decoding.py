"""Entities by segments: one kind for the words of a segment, and segments joined by a classifier."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from model.decode import Entity
from model.segment_decoding import decode_segments
from model.segment_joins import FEATURES, JoinClassifier

LABELS = ("O", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER")


def classifier(log_odds: float = 0.0, **weights: float) -> JoinClassifier:
    """One whose log-odds are `log_odds` plus the weighted features, as far as they are above 0."""
    hidden = np.array([[weights.get(name, 0.0) for name in FEATURES]])
    ones = np.ones(len(FEATURES))
    return JoinClassifier(FEATURES, 0 * ones, ones, hidden, np.zeros(1), np.ones(1), log_odds)


NEVER, ALWAYS = classifier(-9.0), classifier(9.0)


def probabilities(*rows: dict[str, float]) -> np.ndarray:
    return np.array([[row.get(label, 0.0) for label in LABELS] for row in rows], dtype=np.float32)


def decode(rows: np.ndarray, boxes: list[tuple[int, int, int, int]], joins: JoinClassifier) -> list[Entity]:
    return decode_segments(rows, LABELS, [f"w{index}" for index in range(len(boxes))], boxes, 1.0, joins)


LINE = [(0, 0, 20, 10), (22, 0, 40, 10), (42, 0, 60, 10)]
LIST = [(0, 0, 20, 10), (0, 12, 20, 22), (0, 24, 20, 34)]
KEY, VALUE, OTHER = {"B-QUESTION": 0.9, "O": 0.1}, {"I-ANSWER": 0.6, "O": 0.4}, {"O": 1.0}


def test_words_of_a_segment_share_the_kind_that_is_most_probable_over_all():
    (entity,) = decode(probabilities(KEY, VALUE, KEY), LINE, NEVER)
    assert (entity.label, entity.words, entity.text) == ("QUESTION", [0, 1, 2], "w0 w1 w2")
    assert entity.box == (0, 0, 60, 10)
    assert entity.score == pytest.approx(0.6)


def test_a_segment_of_other_words_is_no_entity():
    assert decode(probabilities(OTHER, VALUE, OTHER), LINE, NEVER) == []


def test_segments_are_joined_where_the_classifier_says_so():
    rows = probabilities(VALUE, VALUE, VALUE)
    assert [entity.words for entity in decode(rows, LIST, NEVER)] == [[0], [1], [2]]
    assert [entity.words for entity in decode(rows, LIST, ALWAYS)] == [[0, 1, 2]]


def test_segments_of_different_kinds_are_never_joined():
    assert len(decode(probabilities(KEY, VALUE, KEY), LIST, ALWAYS)) == 3


def test_the_beginning_that_the_head_sees_is_a_feature():
    begins, inside = {"B-ANSWER": 1.0}, {"I-ANSWER": 1.0}
    joins = classifier(2.0, second_begins=-4.0)
    joins = dataclasses.replace(joins, output_weight=-np.ones(1), hidden_weight=-joins.hidden_weight)
    entities = decode(probabilities(begins, inside, begins), LIST, joins)
    assert [entity.words for entity in entities] == [[0, 1], [2]]


def test_an_entity_of_two_columns_keeps_to_its_column():
    """Words in reading order by lines, over two columns: an entity's words need not follow each other."""
    boxes = [(0, 0, 20, 10), (300, 0, 320, 10), (0, 12, 20, 22), (300, 12, 320, 22)]
    entities = decode(probabilities(VALUE, VALUE, VALUE, VALUE), boxes, classifier(-3.0, overlaps=6.0))
    assert [(entity.words, entity.first_word, entity.last_word) for entity in entities] == [
        ([0, 2], 0, 2),
        ([1, 3], 1, 3),
    ]


def test_segments_far_from_each_other_are_never_joined():
    rows = probabilities(VALUE, VALUE)
    assert len(decode(rows, [(0, 0, 20, 10), (0, 500, 20, 510)], ALWAYS)) == 2


def test_a_word_without_prediction_takes_the_kind_of_its_segment():
    (entity,) = decode(probabilities(KEY, {}, KEY), LINE, NEVER)
    assert entity.words == [0, 1, 2]


def test_no_word_is_in_two_entities_however_segments_lie():
    generator = np.random.default_rng(1)
    for _ in range(30):
        corners = generator.integers(0, 120, (40, 4))
        boxes = [(int(x), int(y), int(x + w % 30 + 1), int(y + h % 12 + 1)) for x, y, w, h in corners]
        entities = decode(probabilities(*[VALUE] * 40), boxes, ALWAYS)
        members = list(itertools.chain.from_iterable(entity.words for entity in entities))
        assert sorted(members) == list(range(40))

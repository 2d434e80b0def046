"""Entities by segments: the words of a segment share a label, and neighbouring segments are joined by a classifier.

A token head says well what words are and less well where entities begin and end; the page's geometry says that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.decode import Box, Entity, split_label, union_box
from model.segment_joins import JoinClassifier, LabelledSegment, join_candidates, join_features
from model.segments import Rectangles, page_rectangles, text_segments
from model.text_direction import is_right_to_left
from model.word_breaks import join_words


def decode_segments(
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    words: Sequence[str],
    boxes: Sequence[Box],
    width_to_height: float,
    joins: JoinClassifier,
    calibrated: NDArray[np.float32] | None = None,
) -> list[Entity]:
    """The entities of a page, by the first word of each.

    Args:
        probabilities: float32 [words, labels], as the joins were learned; zeros for a word without a prediction.
        labels: BIO, in the order of the probabilities.
        words: in reading order.
        boxes: of the words, in thousandths of the page's width and height.
        width_to_height: of the page.
        joins: decides which segments belong together.
        calibrated: the same with the temperatures of the labels, for the scores alone; None if there are none.
    """
    rectangles = page_rectangles(boxes, width_to_height, is_right_to_left(words))
    segments = label_segments(probabilities, labels, words, rectangles)
    pairs = join_candidates(segments)
    features = [join_features(words, rectangles, segments[first], segments[second]) for first, second in pairs]
    groups = _joined(len(segments), pairs, joins.probabilities(features))
    scores = of_kinds(probabilities if calibrated is None else calibrated, labels)
    entities = [_entity([segments[position] for position in group], words, boxes, scores) for group in groups]
    return sorted(entities, key=lambda entity: entity.first_word)


def label_segments(
    probabilities: NDArray[np.float32], labels: Sequence[str], words: Sequence[str], rectangles: Rectangles
) -> list[LabelledSegment]:
    """The segments of a page whose most probable kind is not "O"; arguments as of `decode_segments`."""
    by_kind = of_kinds(probabilities, labels)
    kinds = list(by_kind)
    kind_probabilities = np.stack(list(by_kind.values()), axis=1)
    begins = np.array([split_label(label)[0] == "B" for label in labels])
    found: list[LabelledSegment] = []
    for segment in text_segments(words, rectangles):
        predicted = [word for word in segment if probabilities[word].any()]
        if not predicted:
            continue
        mean = kind_probabilities[predicted].mean(axis=0)
        best = int(mean.argmax())
        if not kinds[best]:
            continue
        of_kind = np.array([split_label(label)[1] == kinds[best] for label in labels])
        first = probabilities[predicted[0]].astype(np.float64) * of_kind
        inks = rectangles[segment]
        found.append(
            LabelledSegment(
                words=segment,
                box=np.concatenate([inks[:, :2].min(axis=0), inks[:, 2:].max(axis=0)]),
                height=max(1.0, float(np.median(inks[:, 3] - inks[:, 1]))),
                kind=kinds[best],
                kind_probability=float(mean[best]),
                begins=float(first[begins].sum() / max(first.sum(), 1e-9)),
            )
        )
    return found


def _joined(count: int, pairs: Sequence[tuple[int, int]], probabilities: NDArray[np.float64]) -> list[list[int]]:
    """Chains of segments. The most probable pairs are joined first; a segment continues one other and is continued by
    one, and a pair that would close a circle is left."""
    next_of: dict[int, int] = {}
    chain = list(range(count))  # the first segment of each segment's chain
    ends = list(range(count))  # the last segment of the chain that begins with a segment
    has_previous = [False] * count
    for position in np.argsort(-probabilities, kind="stable").tolist():
        first, second = pairs[position]
        if probabilities[position] <= 0.5:
            break
        start = chain[first]
        if first in next_of or has_previous[second] or start == second:
            continue
        next_of[first], has_previous[second] = second, True
        chain[ends[second]], ends[start] = start, ends[second]
    groups = []
    for segment in range(count):
        if not has_previous[segment]:
            groups.append([segment])
            while groups[-1][-1] in next_of:
                groups[-1].append(next_of[groups[-1][-1]])
    return groups


def of_kinds(probabilities: NDArray[np.float32], labels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The probability of each kind of entity, float64 [words]; that of "O" under the empty name."""
    found: dict[str, NDArray[np.float64]] = {}
    for index, label in enumerate(labels):
        kind = split_label(label)[1]
        column = probabilities[:, index].astype(np.float64)
        found[kind] = found[kind] + column if kind in found else column
    return found


def _entity(
    segments: Sequence[LabelledSegment],
    words: Sequence[str],
    boxes: Sequence[Box],
    scores: Mapping[str, NDArray[np.float64]],
) -> Entity:
    members = [word for segment in segments for word in segment.words]
    kind = segments[0].kind
    predicted = [scores[kind][word] for word in members if any(column[word] for column in scores.values())]
    return Entity(
        label=kind,
        text=join_words([words[word] for word in members]),
        box=union_box([boxes[word] for word in members]),
        score=float(np.mean(predicted)),
        first_word=min(members),
        last_word=max(members),
        words=members,
    )

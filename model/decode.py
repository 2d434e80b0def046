"""Decoding: from the logits of overlapping windows to words, from words to entities, from spans to answers.

A page longer than one window is split into windows that overlap. Each word gets its prediction from the window in
which it has most context: the greatest distance to the nearest end at which that window was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.word_breaks import join_words

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Window:
    """One window of a page and the model's output for it.

    Attributes:
        word_indices: int [tokens]; the word of each token, -1 for special and question tokens.
        first_token: number of the page's tokens before this window.
        logits: float [tokens, labels], or [tokens, 2] (start, end) for question answering.
    """

    word_indices: NDArray[np.int64]
    first_token: int
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Entity:
    """Words with one label.

    Attributes:
        label: its kind.
        text: the words, joined as their script is written (`model.word_breaks.join_words`).
        box: the union of their boxes.
        score: the mean probability of the words, 0-1.
        first_word, last_word: the least and the greatest of `words`.
        words: indices, in reading order.
    """

    label: str
    text: str
    box: Box
    score: float
    first_word: int
    last_word: int
    words: list[int]


@dataclass(frozen=True)
class Answer:
    """The answer to a question on one page.

    Attributes:
        text: the words of the best span, or None for "no answer" (then `score` is at most 0.5).
        score: probability of that span against "no answer" in the same window, 0-1; comparable between windows,
            pages and documents.
        boxes: one box per word of the span.
        first_word: index of the span's first word; -1 without an answer.
        last_word: index of its last word, inclusive; -1 without an answer.
    """

    text: str | None
    score: float
    boxes: list[Box]
    first_word: int
    last_word: int


NO_ANSWER = Answer(text=None, score=0.0, boxes=[], first_word=-1, last_word=-1)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def word_logits(windows: Sequence[Window], word_count: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """One row of logits per word: those of its first piece, from the window in which it has most context.

    Returns:
        float32 [word_count, labels], and bool [word_count]: False for a word without tokens (its row is 0).

    Raises:
        ValueError: there are no windows.
    """
    if not windows:
        raise ValueError("no windows: a page without words has no word logits")
    label_count = windows[0].logits.shape[1]
    chosen = np.zeros((word_count, label_count), dtype=np.float32)
    first_piece = np.full(word_count, np.iinfo(np.int64).max)
    best_context = np.full(word_count, -1, dtype=np.int64)
    last_token = max(window.first_token + int((window.word_indices >= 0).sum()) for window in windows)
    for window in windows:
        positions, words, page_positions = _first_pieces(window)
        np.minimum.at(first_piece, words, page_positions)
        count = int((window.word_indices >= 0).sum())
        end = window.first_token + count
        uncut = np.full_like(page_positions, last_token)
        left = page_positions - window.first_token if window.first_token > 0 else uncut
        right = end - 1 - page_positions if end < last_token else uncut
        context = np.minimum(left, right)
        is_first_piece = page_positions == first_piece[words]
        better = is_first_piece & (context > best_context[words])
        best_context[words[better]] = context[better]
        chosen[words[better]] = window.logits[positions[better]]
    return chosen, best_context >= 0


def _first_pieces(window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The first piece of each word in a window: its position in the window, its word, its position in the page."""
    token_positions = np.flatnonzero(window.word_indices >= 0)
    words = window.word_indices[token_positions]
    begins = np.ones(len(words), dtype=bool)
    begins[1:] = words[1:] != words[:-1]
    page_positions = window.first_token + np.flatnonzero(begins)
    return token_positions[begins], words[begins], page_positions


def union_box(boxes: Sequence[Box]) -> Box:
    """The smallest box that contains all boxes."""
    columns = list(zip(*boxes, strict=True))
    return min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3])


def split_label(label: str) -> tuple[str, str]:
    """Split `B-QUESTION` into ("B", "QUESTION"); a label without a prefix becomes ("I", label), `O` ("O", "")."""
    if label == "O":
        return "O", ""
    prefix, dash, name = label.partition("-")
    if dash and name and prefix in ("B", "I", "E", "S", "L", "U"):
        return {"E": "I", "L": "I", "S": "B", "U": "B"}.get(prefix, prefix), name
    return "I", label


def decode_entities(
    labels: Sequence[str | None], scores: Sequence[float | None], words: Sequence[str], boxes: Sequence[Box]
) -> list[Entity]:
    """Entities of a page from one BIO label per word.

    As in seqeval by default, an `I-X` that follows neither `B-X` nor `I-X` begins an entity. Words without a
    prediction (None) inside an entity do not end it.
    """
    spans: list[tuple[str, list[int]]] = []
    open_name: str | None = None
    for index, label in enumerate(labels):
        if label is None:
            continue
        prefix, name = split_label(label)
        if prefix == "O":
            open_name = None
        elif prefix == "I" and name == open_name:
            spans[-1][1].append(index)
        else:
            spans.append((name, [index]))
            open_name = name
    entities = []
    for name, members in spans:
        first, last = members[0], members[-1]
        entities.append(
            Entity(
                label=name,
                text=join_words(words[first : last + 1]),
                box=union_box(boxes[first : last + 1]),
                score=float(np.mean([scores[member] for member in members])),
                first_word=first,
                last_word=last,
                words=list(range(first, last + 1)),
            )
        )
    return entities


def labelled_entities(
    labels: Sequence[str | None], words: Sequence[str], boxes: Sequence[Box] | None = None
) -> list[Entity]:
    """The entities of annotated BIO labels, whose scores are 1; without `boxes` theirs are empty."""
    return decode_entities(labels, [1.0] * len(words), words, boxes or [(0, 0, 0, 0)] * len(words))


def entity_labels(entities: Sequence[Entity], word_count: int) -> list[str]:
    """BIO labels of words, one a word: `B-` at the first word of an entity, `I-` at its others, `O` outside."""
    labels = ["O"] * word_count
    for entity in entities:
        for word in entity.words:
            labels[word] = f"{'B' if word == entity.words[0] else 'I'}-{entity.label}"
    return labels


def decode_answer(
    windows: Sequence[Window], words: Sequence[str], boxes: Sequence[Box], *, longest_answer: int = 64
) -> Answer:
    """The best span over all windows of one question on one page.

    A span's log-odds are its start and end logits minus those of [CLS], which means "no answer" by the convention of
    SQuAD 2.0 (Devlin et al., 2019, section 4.3): each window is compared with its own null score, so that windows and
    pages can be ranked.

    Args:
        longest_answer: maximum length of a span, in tokens.
    """
    best_odds, best_words = -np.inf, (-1, -1)
    for window in windows:
        positions = np.flatnonzero(window.word_indices >= 0)
        if not len(positions):
            continue
        start, end = window.logits[positions, 0], window.logits[positions, 1]
        null = window.logits[0].sum()
        sums = start[:, None] + end[None, :]
        reach = np.arange(len(positions))[None, :] - np.arange(len(positions))[:, None]
        sums[(reach < 0) | (reach >= longest_answer)] = -np.inf
        first, last = np.unravel_index(int(sums.argmax()), sums.shape)
        odds = float(sums[first, last] - null)
        if odds > best_odds:
            best_odds = odds
            best_words = (int(window.word_indices[positions[first]]), int(window.word_indices[positions[last]]))
    if best_odds == -np.inf:
        return NO_ANSWER
    score = float(1 / (1 + np.exp(-np.clip(best_odds, -60, 60))))
    if best_odds <= 0:
        return Answer(text=None, score=score, boxes=[], first_word=-1, last_word=-1)
    first_word, last_word = best_words
    span = slice(first_word, last_word + 1)
    return Answer(join_words(words[span]), score, list(boxes[span]), first_word, last_word)

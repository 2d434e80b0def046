"""Targets: the label ids, hidden words or answer span that the model should predict for a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.schema import Row, Task

IGNORED_TARGET = -100
"""Equal to `model.heads.IGNORED_LABEL`, whose module imports PyTorch: the many workers that load windows do without."""

Objective = Literal["labels", "masked-words"]
"""What is learned: the labels of the corpus, or to predict hidden words from the rest of the page."""


class Span(NamedTuple):
    """The first and the last token of an answer in its window; both 0, the [CLS] token, for "no answer"."""

    start: int
    end: int


NO_SPAN = Span(0, 0)


def token_targets(row: Row, window_index: int, label_ids: Mapping[str, int]) -> npt.NDArray[np.int64]:
    """The label ids of a window's tokens, int64 [tokens]: on the first piece of each word, else `IGNORED_TARGET`.

    So does the published code of LayoutLMv2 (`label_all_tokens` off). A word whose label is None is ignored, and a word
    that two windows share counts in both; a window that begins within a word ignores the rest of that word.

    Raises:
        KeyError: a label has no id.
    """
    targets = np.full(len(row["windows"][window_index]["input_ids"]), IGNORED_TARGET, dtype=np.int64)
    labels = row["true_labels"]
    for position, word in _first_pieces(row, window_index):
        if labels[word] is not None:
            targets[position] = label_ids[labels[word]]
    return targets


def hidden_words(input_ids: npt.NDArray[np.int64], changed_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The original ids of the tokens that were hidden or replaced, int64 [tokens], else `IGNORED_TARGET`."""
    return np.where(input_ids != changed_ids, input_ids, IGNORED_TARGET)


def answer_span(row: Row, window_index: int) -> Span:
    """The span of the answer to the window's question; `NO_SPAN` if the window does not hold the whole answer."""
    window = row["windows"][window_index]
    question = row["questions"][window["question_index"]]
    first, last = question["first_word"], question["last_word"]
    if first < 0 or last < first:
        return NO_SPAN
    words = np.asarray(window["word_indices"])
    inside = np.flatnonzero((words >= first) & (words <= last))
    begins = any(position == inside[0] for position, _ in _first_pieces(row, window_index)) if len(inside) else False
    if not begins or words[inside[0]] != first or words[inside[-1]] != last or _is_cut_after(row, window_index, last):
        return NO_SPAN
    return Span(int(inside[0]), int(inside[-1]))


def count_targets(row: Row, task: Task) -> list[int]:
    """The number of targets of each window of a page: labelled tokens, or 1 for the window.

    It is 0 if the target is unknown: there is no label, or an answer was not located on the page.
    """
    indices = range(len(row["windows"] or ()))
    if task == "sequence-classification":
        return [int(row["true_label"] is not None) for _ in indices]
    if task == "question-answering":
        known = [_is_known(row, question) for question in row["questions"] or ()]
        return [int(known[row["windows"][index]["question_index"]]) for index in indices]
    labels: Sequence[str | None] = row["true_labels"] or [None] * len(row["words"])
    return [sum(labels[word] is not None for _, word in _first_pieces(row, index)) for index in indices]


def _is_known(row: Row, question: Row) -> bool:
    # On the only page of a document, an answer without a place was not found in what was read: "no answer" would be
    # a wrong lesson. On one page of many it most likely stands on another.
    return bool(question["first_word"] >= 0 or not question["answers"] or row["page_count"] > 1)


def _first_pieces(row: Row, window_index: int) -> list[tuple[int, int]]:
    """(position, word) of the first pieces of words that a window holds."""
    words = row["windows"][window_index]["word_indices"]
    before = _word_before(row, window_index)
    found = []
    for position, word in enumerate(words):
        if word >= 0:
            if word != before:
                found.append((position, word))
            before = word
    return found


def _word_before(row: Row, window_index: int) -> int:
    """The word of the page's token right before a window's first one, -1 at the start of the page."""
    window = row["windows"][window_index]
    if window["first_token"] == 0:
        return -1
    previous = row["windows"][window_index - 1]  # windows of a page and question stand one after the other
    content = [word for word in previous["word_indices"] if word >= 0]
    return content[window["first_token"] - 1 - previous["first_token"]]


def _is_cut_after(row: Row, window_index: int, word: int) -> bool:
    """Whether the window ends within this word, whose last pieces stand in the next one only."""
    windows = row["windows"]
    if window_index + 1 == len(windows) or windows[window_index + 1]["first_token"] == 0:
        return False
    window, following = windows[window_index], windows[window_index + 1]
    count = sum(index >= 0 for index in window["word_indices"])
    content = [index for index in following["word_indices"] if index >= 0]
    after = window["first_token"] + count - following["first_token"]
    return after < len(content) and content[after] == word

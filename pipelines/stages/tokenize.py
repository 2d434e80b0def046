"""Tokenize: from words and boxes to windows of at most 512 tokens; the windows of a longer page overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from pipelines.errors import ProcessingError
from pipelines.schema import Row, Task, mark_failed, page_questions

MAX_WINDOW_WORDS, MAX_WINDOW_CHARACTERS = 1000, 10_000
"""More words or characters of a page than this for each of its windows are not tokenized where windows are limited. A
window of ordinary text has 400 words and 2500 characters at most."""


@dataclass(frozen=True)
class TokenizeOptions:
    """How pages become windows.

    Attributes:
        task: the task of the model; question answering produces windows for each question.
        questions: asked of every page; empty if each page has its own (`questions` of a labelled page).
        max_length: tokens of one window, special and question tokens included; at most the model's maximum.
        stride: tokens that consecutive windows share.
    """

    task: Task = "token-classification"
    questions: tuple[str, ...] = ()
    max_length: int = 512
    stride: int = 128


class Tokenize:
    """Rows with the columns of `PAGE_IMAGE` in, `TOKENIZED` out.

    A page without words has no windows, except for sequence classification, which can use the image alone.
    """

    def __init__(self, tokenizer: LayoutTokenizer, options: TokenizeOptions) -> None:
        self.tokenizer = tokenizer
        self.options = options

    def __call__(self, rows: Iterable[Row], max_windows: int | None = None) -> Iterator[Row]:
        """
        Args:
            max_windows: a page that needs more fails (`too_large`); None sets no limit.
        """
        for row in rows:
            if row["status"] == "failed":
                yield {**row, "windows": None}
                continue
            try:
                yield {**row, "windows": self._windows(row, max_windows)}
            except Exception as error:  # a page fails alone
                yield mark_failed(row, error)

    def _windows(self, row: Row, max_windows: int | None) -> list[Row]:
        options, words, boxes = self.options, row["words"], row["boxes"]
        if max_windows is not None:
            _check_size(words, max_windows)
        if options.task == "question-answering":
            windows: list[Row] = []
            for index, question in enumerate(page_questions(row, options.questions) if words else ()):
                windows += question_windows(self.tokenizer, question, words, boxes, options, index)
                _check_windows(windows, max_windows)
            return windows
        if not words and options.task == "token-classification":
            return []
        windows = page_windows(self.tokenizer, words, boxes, options)
        _check_windows(windows, max_windows)
        return windows


def page_windows(
    tokenizer: LayoutTokenizer, words: list[str], boxes: list[Sequence[int]], options: TokenizeOptions
) -> list[Row]:
    """The windows of a page's words, each a `WINDOW`."""
    encoding = tokenizer(
        words,
        boxes=boxes,
        truncation=True,
        max_length=options.max_length,
        stride=options.stride,
        return_token_type_ids=True,
        return_overflowing_tokens=True,
    )
    return _windows_of(encoding, first_word_sequence=0, stride=options.stride, question_index=-1)


def question_windows(
    tokenizer: LayoutTokenizer,
    question: str,
    words: list[str],
    boxes: list[Sequence[int]],
    options: TokenizeOptions,
    question_index: int,
) -> list[Row]:
    """The windows of a question and a page's words; each window holds the whole question."""
    room = options.max_length - question_length(tokenizer, question) - 1
    stride = min(options.stride, room // 4)
    encoding = tokenizer(
        question,
        words,
        boxes=boxes,
        truncation="only_second",
        max_length=options.max_length,
        stride=stride,
        return_token_type_ids=True,
        return_overflowing_tokens=True,
    )
    return _windows_of(encoding, first_word_sequence=1, stride=stride, question_index=question_index)


def question_length(tokenizer: LayoutTokenizer, question: str) -> int:
    """Tokens that a question takes up in each window, the special ones before the page's words included."""
    return len(tokenizer.tokenize(question)) + tokenizer.num_special_tokens_to_add(pair=True) - 1


def check_questions(tokenizer: LayoutTokenizer, options: TokenizeOptions) -> None:
    """Check that the questions can be asked.

    Raises:
        ValueError: there is no question, one is empty, or one leaves less than half of a window to the page.
    """
    if not options.questions:
        raise ValueError("question answering needs at least one question")
    for question in options.questions:
        if not question.strip():
            raise ValueError("a question is empty")
        length, longest = question_length(tokenizer, question), options.max_length // 2
        if length > longest:
            raise ValueError(
                f"a question of {length} tokens leaves too little of a window to the page (at most {longest}): "
                f"{question[:60]!r}..."
            )


def _check_size(words: list[str], max_windows: int) -> None:
    """Refuse what is sure to need too many windows, or too long to be tokenized, before it is tokenized.

    Raises:
        ProcessingError: `too_large`.
    """
    if len(words) > max_windows * MAX_WINDOW_WORDS or sum(map(len, words)) > max_windows * MAX_WINDOW_CHARACTERS:
        raise _too_many_windows(max_windows)


def _check_windows(windows: list[Row], max_windows: int | None) -> None:
    """
    Raises:
        ProcessingError: `too_large`.
    """
    if max_windows is not None and len(windows) > max_windows:
        raise _too_many_windows(max_windows)


def _too_many_windows(max_windows: int) -> ProcessingError:
    message = f"The page's words need more than {max_windows} windows of the model"
    return ProcessingError("too_large", f"{message}; ask fewer questions at a time, or send a part of it.")


def _windows_of(encoding: BatchEncoding, *, first_word_sequence: int, stride: int, question_index: int) -> list[Row]:
    windows: list[Row] = []
    first_token = 0
    for index, input_ids in enumerate(encoding["input_ids"]):
        word_indices = [
            word if word is not None and sequence == first_word_sequence else -1
            for word, sequence in zip(encoding.word_ids(index), encoding.sequence_ids(index), strict=True)
        ]
        windows.append(
            {
                "question_index": question_index,
                "first_token": first_token,
                "input_ids": input_ids,
                "token_type_ids": encoding["token_type_ids"][index],
                "bbox": np.asarray(encoding["bbox"][index], dtype=np.int16).reshape(-1),
                "word_indices": word_indices,
            }
        )
        first_token += sum(word >= 0 for word in word_indices) - stride
    return windows

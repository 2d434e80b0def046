"""The arguments of a tokenizer call, checked and normalized: pages of words, boxes and labels; and lengths."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from model.preprocessing.encoding import option_value

PADDING_STRATEGIES = ("longest", "max_length", "do_not_pad")
TRUNCATION_STRATEGIES = ("only_first", "only_second", "longest_first", "do_not_truncate")

# Saved tokenizers without a length limit have 1e30 as their `model_max_length`.
NO_LENGTH_LIMIT = 10**20
UNLIMITED = int(1e30)


@dataclass(frozen=True)
class Pages:
    """The examples of one call.

    Attributes:
        words: the words of each example.
        boxes: one box per word of each example, [x0, y0, x1, y1] in 0-1000.
        labels: one label per word of each example, or None.
        questions: the question of each example (a string, or its words), or None.
        batched: whether the caller passed a batch (then a single example keeps its batch axis).
    """

    words: Sequence[Sequence[str]]
    boxes: Sequence[Sequence[Any]]
    labels: Sequence[Sequence[Any]] | None
    questions: Sequence[Any] | None
    batched: bool

    def sequences(self) -> list[Any]:
        """The input of the Rust tokenizer's `encode_batch`; a question is split at white space into words."""
        if self.questions is None:
            return list(self.words)
        questions = [question.split() if isinstance(question, str) else question for question in self.questions]
        return list(zip(questions, self.words, strict=True))


@dataclass(frozen=True)
class Lengths:
    """How sequences are truncated and padded. `padding` and `truncation` are None if they are off."""

    padding: str | None
    truncation: str | None
    max_length: int | None


def arrange_pages(text: Any, text_pair: Any, boxes: Any, word_labels: Any) -> Pages:
    """Check and batch the arguments of a tokenizer call.

    Args:
        text: words (list[str], or list[list[str]] for a batch) if `text_pair` is None; else a question (str) or a
            batch of questions.
        text_pair: the words that belong to the question or questions.
        boxes: one box of 4 numbers per word, nested like the words.
        word_labels: None, or one label per word, nested like the words.

    Raises:
        ValueError: boxes are missing, a type is wrong, or the numbers of words, boxes, labels or examples differ.
    """
    words = text if text_pair is None else text_pair
    if text_pair is not None and not _is_question(text):
        raise ValueError(
            f"text is {type(text).__name__}: with text_pair it must be a question (str) or a batch of questions "
            "(list[str])"
        )
    if not isinstance(words, (list, tuple)):
        raise ValueError(
            f"words are {type(words).__name__}: they must be list[str] (one page) or list[list[str]] (a batch of pages)"
        )
    if boxes is None:
        raise ValueError("You must provide corresponding bounding boxes: boxes=[[x0, y0, x1, y1], ...], one per word")

    batched = isinstance(text, (list, tuple)) and (
        text_pair is not None or (len(text) > 0 and isinstance(text[0], (list, tuple)))
    )
    boxes, word_labels = plain(boxes), plain(word_labels)
    if not batched:
        _check_page(words, boxes, word_labels, "")
        labels = None if word_labels is None else [word_labels]
        return Pages([words], [boxes], labels, None if text_pair is None else [text], False)

    if len(words) == 0:
        raise ValueError("the batch has no examples")
    if len(words) != len(boxes):
        raise ValueError(
            "You must provide words and boxes for an equal amount of examples: "
            f"words for {len(words)}, boxes for {len(boxes)}"
        )
    if word_labels is not None and len(words) != len(word_labels):
        raise ValueError(
            "You must provide words and labels for an equal amount of examples: "
            f"words for {len(words)}, labels for {len(word_labels)}"
        )
    if text_pair is not None and len(text) != len(text_pair):
        raise ValueError(
            f"batch length of `text`: {len(text)} does not match batch length of `text_pair`: {len(text_pair)}."
        )
    boxes = [plain(page) for page in boxes]
    labels = None if word_labels is None else [plain(page) for page in word_labels]
    for index, page in enumerate(words):
        if not isinstance(page, (list, tuple)):
            raise ValueError(
                f"the words of example {index} are {type(page).__name__}: in a batch they must be list[str]"
            )
        _check_page(page, boxes[index], None if labels is None else labels[index], f"example {index}: ")
    return Pages(words, boxes, labels, None if text_pair is None else text, True)


def split_pairs(batch: list[Any], is_pair: bool | None) -> tuple[list[Any], list[Any] | None]:
    """The questions and the pages of a batch of pairs (question, words); or a batch of pages, and None.

    Args:
        batch: pairs or pages.
        is_pair: which of them; None finds out: in a pair, the second of two items is a list of words.

    Raises:
        TypeError: `batch` is not a list.
        ValueError: `is_pair` is true, but an item is not a pair.
    """
    if not isinstance(batch, list):
        raise TypeError(f"batch_text_or_text_pairs has to be a list, not {type(batch).__name__}")
    if is_pair is None:
        is_pair = bool(batch) and all(
            isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[1], (list, tuple)) for item in batch
        )
    if not is_pair:
        return batch, None
    for index, item in enumerate(batch):
        if not isinstance(item, (list, tuple)) or len(item) != 2:
            raise ValueError(f"example {index} is not a pair of a question and words: {item!r}")
    return [question for question, _ in batch], [words for _, words in batch]


def explain_bad_words(pages: Pages) -> str | None:
    """A message about the first word that is not valid text; None if all are."""
    for page_index, page in enumerate(pages.words):
        for word_index, word in enumerate(page):
            if not isinstance(word, str):
                return f"word {word_index} of example {page_index} is {type(word).__name__}, not a string: {word!r}"
            if any("\ud800" <= character <= "\udfff" for character in word):
                return (
                    f"word {word_index} of example {page_index} has half a surrogate pair, so it is not text: {word!r}"
                )
    return None


def explain_no_room(problem: str, lengths: Lengths, stride: int, pair: bool) -> str:
    """A message about failed truncation and its remedy; `problem` is the error of the Rust side."""
    failure = f"truncation={lengths.truncation!r}, max_length={lengths.max_length}, stride={stride}: {problem}"
    if not pair:
        return f"{failure}. 'only_second' is for a question with words; use truncation=True for words alone"
    return (
        f"{failure}. The question, the special tokens and the stride must leave room: raise max_length or lower stride"
    )


def choose_lengths(
    padding: bool | str | Enum,
    truncation: bool | str | Enum | None,
    max_length: int | None,
    pad_to_multiple_of: int | None,
    model_max_length: int,
    verbose: bool = True,
) -> Lengths:
    """Resolve the padding and truncation arguments, as in the reference implementation.

    `max_length` alone enables truncation; `padding="max_length"` and truncation without a `max_length` use
    `model_max_length`, or are off if the model has no limit.

    Raises:
        ValueError: a strategy is unknown, or `max_length` is not a multiple of `pad_to_multiple_of` while both padding
            and truncation are on.
    """
    padding, truncation = option_value(padding), option_value(truncation)
    if max_length is not None and padding is False and truncation is None:
        truncation = "longest_first"
    truncate: Any = "longest_first" if truncation is True else (truncation or "do_not_truncate")
    pad: Any = {True: "longest", False: "do_not_pad"}[padding] if isinstance(padding, bool) else padding
    if truncate not in TRUNCATION_STRATEGIES:
        raise ValueError(f"truncation={truncation!r} is unknown: use True, False or one of {TRUNCATION_STRATEGIES}")
    if pad not in PADDING_STRATEGIES:
        raise ValueError(f"padding={padding!r} is unknown: use True, False or one of {PADDING_STRATEGIES}")
    if verbose and padding is True and max_length is not None and truncate == "do_not_truncate":
        warnings.warn(
            "max_length has no effect with padding=True and no truncation; use padding='max_length' to pad to it",
            stacklevel=3,
        )

    padding_on, truncation_on = pad != "do_not_pad", truncate != "do_not_truncate"
    if max_length is None:
        limited = model_max_length <= NO_LENGTH_LIMIT
        if pad == "max_length":
            padding_on = limited
        truncation_on = truncation_on and limited
        if truncation_on or (padding_on and pad == "max_length"):
            max_length = model_max_length
    if (
        padding_on
        and truncation_on
        and max_length is not None
        and pad_to_multiple_of is not None
        and max_length % pad_to_multiple_of != 0
    ):
        raise ValueError(
            f"padding and truncation are both on, but max_length ({max_length}) is not a multiple of "
            f"pad_to_multiple_of ({pad_to_multiple_of})"
        )
    return Lengths(str(pad) if padding_on else None, str(truncate) if truncation_on else None, max_length)


def _is_question(text: Any) -> bool:
    """A string, or a list whose first item is a string or a list of strings."""
    if isinstance(text, str):
        return True
    if not isinstance(text, (list, tuple)):
        return False
    if len(text) == 0 or isinstance(text[0], str):
        return True
    return isinstance(text[0], (list, tuple)) and (len(text[0]) == 0 or isinstance(text[0][0], str))


def plain(value: Any) -> Any:
    """Convert arrays and tensors, and lists of them, to nested lists; other values are returned unchanged."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)) and value and hasattr(value[0], "tolist"):
        return [plain(item) for item in value]
    return value


def _check_page(words: Sequence[str], boxes: Sequence[Any], labels: Sequence[Any] | None, where: str) -> None:
    if len(words) != len(boxes):
        raise ValueError(
            f"{where}You must provide as many words as there are bounding boxes: {len(words)} words, {len(boxes)} boxes"
        )
    if labels is not None and len(words) != len(labels):
        raise ValueError(
            f"{where}You must provide as many words as there are labels: {len(words)} words, {len(labels)} labels"
        )
    for index, box in enumerate(boxes):
        if not hasattr(box, "__len__") or len(box) != 4:
            raise ValueError(f"{where}box {index} is {box!r}: a box is four numbers, [x0, y0, x1, y1]")

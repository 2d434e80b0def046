"""The output of the tokenizer, the image processor and the processor: a mapping of names to lists or tensors."""

from __future__ import annotations

import logging
import sys
from collections import UserDict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tokenizers import Encoding

if TYPE_CHECKING:
    import torch

TENSOR_TYPES = ("pt", "np")

logger = logging.getLogger(__name__)


class CharSpan(NamedTuple):
    """Characters `start` to `end - 1` of a word."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens `start` to `end - 1` of a window."""

    start: int
    end: int


class NotTokenizedError(KeyError, ValueError):
    """An encoding was asked for its windows, but no tokenizer made it."""

    def __str__(self) -> str:
        return "only the output of a tokenizer has windows; look up other entries by name"


class BatchEncoding(UserDict):
    """Named model inputs: `encoding["input_ids"]` or `encoding.input_ids`, and `model(**encoding)`.

    The result of a tokenizer call also has the windows themselves, as one `tokenizers.Encoding` per row:
    `encoding.word_ids(i)` is the word of every token of window `i`. An integer index returns the window itself, a slice
    the rows of every entry.

    Methods named `<one>_to_<other>` take the index of a window and an index within it, or the latter alone for the
    first window. Words and characters are counted within a sequence: 0, or 1 for the words that follow a question.
    Character indices are those within a word. They return None where there is nothing that corresponds, as for special
    tokens. Methods about windows raise `NotTokenizedError` for an encoding that no tokenizer made.

    Args:
        data: the entries.
        encoding: the windows, or the only one.
        tensor_type, prepend_batch_axis: see `convert_to_tensors`.
        n_sequences: the number of sequences in a window; by default that of the first window.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: Encoding | Sequence[Encoding] | None = None,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        super().__init__(data)
        windows = [encoding] if isinstance(encoding, Encoding) else encoding
        self._encodings = list(windows) if windows is not None else None
        self._n_sequences = self._encodings[0].n_sequences if n_sequences is None and self._encodings else n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, slice):
            return {name: value[key] for name, value in self.data.items()}
        return self._window(key)

    def __getattr__(self, name: str) -> Any:
        # Unpickling calls this before `data` exists.
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(f"{type(self).__name__} has no entry {name!r}; it has {sorted(data)}")

    @property
    def encodings(self) -> list[Encoding] | None:
        """One `tokenizers.Encoding` per window, or None if no text was tokenized."""
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Whether a tokenizer made this encoding, so that it has windows."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        """The number of sequences in each window: 1, 2 with a question, or None if unknown."""
        return self._n_sequences

    def _window(self, index: int) -> Encoding:
        if self._encodings is None:
            raise NotTokenizedError
        return self._encodings[index]

    def _locate(self, first: int, second: int | None) -> tuple[Encoding, int]:
        """The window, and the index within it: (window, index) or (index,) of the first window."""
        return (self._window(0), first) if second is None else (self._window(first), second)

    def _locate_token(self, first: int, second: int | None) -> tuple[Encoding, int]:
        window, index = self._locate(first, second)
        return window, index + len(window) if index < 0 else index

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one window."""
        return self._window(batch_index).tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window, the index of its word in its own sequence; None for special tokens."""
        return self._window(batch_index).word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window, 0 (first sequence), 1 (second sequence) or None (special token)."""
        return self._window(batch_index).sequence_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The sequence, 0 or 1, of a token; a negative index counts from the window's end."""
        window, token = self._locate_token(batch_or_token_index, token_index)
        return window.token_to_sequence(token)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The word of a token; a negative index counts from the window's end."""
        window, token = self._locate_token(batch_or_token_index, token_index)
        return window.token_to_word(token)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of a token; a negative index counts from the window's end."""
        window, token = self._locate_token(batch_or_token_index, token_index)
        span = window.token_to_chars(token)
        return None if span is None else CharSpan(*span)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The tokens of a word."""
        window, word = self._locate(batch_or_word_index, word_index)
        span = window.word_to_tokens(word, sequence_index)
        return None if span is None else TokenSpan(*span)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """The characters of a word."""
        window, word = self._locate(batch_or_word_index, word_index)
        span = window.word_to_chars(word, sequence_index)
        return None if span is None else CharSpan(*span)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The first token that contains the character with this index within its word."""
        window, character = self._locate(batch_or_char_index, char_index)
        return window.char_to_token(character, sequence_index)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The word of that token."""
        window, character = self._locate(batch_or_char_index, char_index)
        return window.char_to_word(character, sequence_index)

    def convert_to_tensors(
        self, tensor_type: str | Enum | None = None, prepend_batch_axis: bool = False
    ) -> BatchEncoding:
        """Convert every entry to a tensor ("pt") or an array ("np"), in place; None keeps the lists.

        Args:
            tensor_type: "pt", "np" or None; or an Enum with such a value.
            prepend_batch_axis: whether to add an axis of length 1 before the others.

        Raises:
            ValueError: `tensor_type` is unknown, or rows have unequal lengths with "pt".
        """
        tensor_type = option_value(tensor_type)
        if tensor_type is None:
            return self
        if tensor_type not in TENSOR_TYPES:
            raise ValueError(f"return_tensors={tensor_type!r} is unknown: use 'pt', 'np' or None")
        convert = _as_torch if tensor_type == "pt" else _as_numpy
        for name, value in self.data.items():
            try:
                self.data[name] = convert([value] if prepend_batch_axis else value)
            except (ValueError, TypeError, RuntimeError) as error:
                raise ValueError(
                    f"{name!r} cannot be converted to a tensor: its rows have different lengths, or contain values "
                    "that are not numbers. For rows of equal length, use padding=True, or padding='max_length' with "
                    "truncation=True."
                ) from error
        return self

    def to(self, device: str | int | torch.device, *, non_blocking: bool = False) -> BatchEncoding:
        """Move the tensors to a device, in place; lists are unchanged.

        Anything else than a device (a dtype) changes nothing and logs a warning: ids are integers.
        """
        torch = sys.modules.get("torch")
        if not isinstance(device, (str, int)) and not (torch is not None and isinstance(device, torch.device)):
            logger.warning("%s is not a device; an encoding cannot be converted to it, and is unchanged", device)
            return self
        for name, value in self.data.items():
            if is_tensor(value):
                self.data[name] = value.to(device=device, non_blocking=non_blocking)
        return self


def option_value(option: Any) -> Any:
    """The value of an Enum member, such as the reference implementation's options; others are returned unchanged."""
    return option.value if isinstance(option, Enum) else option


def _has_no_values(value: Any) -> bool:
    """True for [], [[]], [[], []] ...: numpy would make them float64, but ids are int64."""
    return isinstance(value, (list, tuple)) and all(_has_no_values(item) for item in value)


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor, without loading PyTorch: if it is not loaded, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _as_torch(value: Any) -> torch.Tensor:
    import torch

    if is_tensor(value):
        return value
    if isinstance(value, (list, tuple)) and value and is_tensor(value[0]):
        return torch.stack(list(value))
    # Through numpy, which converts nested lists several times faster than torch.tensor.
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError("not a rectangular array of numbers")
    if array.size == 0 and _has_no_values(value):
        array = array.astype(np.int64)
    elif array.dtype == np.float64 and not isinstance(value, np.ndarray):
        array = array.astype(np.float32)  # torch's dtype for Python floats
    return torch.from_numpy(np.ascontiguousarray(array))


def _as_numpy(value: Any) -> np.ndarray:
    if is_tensor(value):
        return value.numpy()
    if isinstance(value, (list, tuple)) and value and is_tensor(value[0]):
        value = [item.numpy() for item in value]
    rows = isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], (list, tuple, np.ndarray))
    if rows and len({len(row) for row in value}) > 1:
        ragged = np.empty(len(value), dtype=object)
        for index, row in enumerate(value):
            ragged[index] = np.asarray(row)
        return ragged
    return np.asarray(value, dtype=np.int64 if _has_no_values(value) else None)

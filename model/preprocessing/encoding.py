"""What the tokenizer, the image processor and the processor return: a mapping of named lists or tensors."""

from __future__ import annotations

import sys
from collections import UserDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Encoding

if TYPE_CHECKING:
    import torch

TENSOR_TYPES = ("pt", "np")


class BatchEncoding(UserDict):
    """Named model inputs: `encoding["input_ids"]` or `encoding.input_ids`, and `model(**encoding)`.

    Of a tokenizer call it also keeps the windows themselves, one `tokenizers.Encoding` each, in the order of the rows:
    `encoding.word_ids(i)` says for every token of window `i` which word it came from. An integer index gives the window
    itself, a slice the rows of every entry.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encodings: Sequence[Encoding] | None = None,
        tensor_type: str | None = None,
    ) -> None:
        super().__init__(data)
        self._encodings = list(encodings) if encodings is not None else None
        self.convert_to_tensors(tensor_type)

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, slice):
            return {name: value[key] for name, value in self.data.items()}
        return self._window(key)

    def __getattr__(self, name: str) -> Any:
        # Also asked for while unpickling, before `data` exists.
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(f"{type(self).__name__} has no entry {name!r}; it has {sorted(data)}")

    @property
    def encodings(self) -> list[Encoding] | None:
        """One `tokenizers.Encoding` a window, or None where no text was tokenized."""
        return self._encodings

    def _window(self, index: int) -> Encoding:
        if self._encodings is None:
            raise KeyError("only what a tokenizer returned has windows; other entries are looked up by name")
        return self._encodings[index]

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one window."""
        return self._window(batch_index).tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window the index of its word within its own sequence; None for special tokens."""
        return self._window(batch_index).word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window 0 (first sequence), 1 (second sequence) or None (special token)."""
        return self._window(batch_index).sequence_ids

    def convert_to_tensors(self, tensor_type: str | None = None) -> BatchEncoding:
        """Turns every entry into a tensor ("pt") or an array ("np"), in place; None leaves the lists as they are.

        Raises:
            ValueError: for another `tensor_type`, and for rows of unequal length with "pt".
        """
        if tensor_type is None:
            return self
        if tensor_type not in TENSOR_TYPES:
            raise ValueError(f"return_tensors={tensor_type!r} is not known: use 'pt', 'np' or None")
        convert = _as_torch if tensor_type == "pt" else _as_numpy
        for name, value in self.data.items():
            try:
                self.data[name] = convert(value)
            except (ValueError, TypeError, RuntimeError) as error:
                raise ValueError(
                    f"{name!r} does not make a tensor: its rows have different lengths or hold something else than "
                    "numbers. Rows of one length come from padding=True, or from padding='max_length', "
                    "truncation=True."
                ) from error
        return self

    def to(self, device: str | int | torch.device, *, non_blocking: bool = False) -> BatchEncoding:
        """Moves the tensors to a device, in place; lists stay as they are."""
        for name, value in self.data.items():
            if is_tensor(value):
                self.data[name] = value.to(device=device, non_blocking=non_blocking)
        return self


def _is_hollow(value: Any) -> bool:
    """True for [], [[]], [[], []] ...: numpy would call these float64, ids are int64."""
    return isinstance(value, (list, tuple)) and all(_is_hollow(item) for item in value)


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor, which it can be only where PyTorch is loaded; this module does not load it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _as_torch(value: Any) -> torch.Tensor:
    import torch

    if is_tensor(value):
        return value
    if isinstance(value, (list, tuple)) and value and is_tensor(value[0]):
        return torch.stack(list(value))
    # Through numpy, which reads nested lists several times faster than torch.tensor does.
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError("not a rectangle of numbers")
    if array.size == 0 and _is_hollow(value):
        array = array.astype(np.int64)
    elif array.dtype == np.float64 and not isinstance(value, np.ndarray):
        array = array.astype(np.float32)  # what torch makes of Python floats
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
    return np.asarray(value, dtype=np.int64 if _is_hollow(value) else None)

"""The output of the tokenizer, the image processor and the processor: a mapping of names to lists or tensors."""

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

    The result of a tokenizer call also has the windows themselves, as one `tokenizers.Encoding` per row:
    `encoding.word_ids(i)` is the word of every token of window `i`. An integer index returns the window itself, a slice
    the rows of every entry.
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
        # Unpickling calls this before `data` exists.
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(f"{type(self).__name__} has no entry {name!r}; it has {sorted(data)}")

    @property
    def encodings(self) -> list[Encoding] | None:
        """One `tokenizers.Encoding` per window, or None if no text was tokenized."""
        return self._encodings

    def _window(self, index: int) -> Encoding:
        if self._encodings is None:
            raise KeyError("only the output of a tokenizer has windows; look up other entries by name")
        return self._encodings[index]

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one window."""
        return self._window(batch_index).tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window, the index of its word in its own sequence; None for special tokens."""
        return self._window(batch_index).word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For every token of one window, 0 (first sequence), 1 (second sequence) or None (special token)."""
        return self._window(batch_index).sequence_ids

    def convert_to_tensors(self, tensor_type: str | None = None) -> BatchEncoding:
        """Convert every entry to a tensor ("pt") or an array ("np"), in place; None keeps the lists.

        Raises:
            ValueError: `tensor_type` is unknown, or rows have unequal lengths with "pt".
        """
        if tensor_type is None:
            return self
        if tensor_type not in TENSOR_TYPES:
            raise ValueError(f"return_tensors={tensor_type!r} is unknown: use 'pt', 'np' or None")
        convert = _as_torch if tensor_type == "pt" else _as_numpy
        for name, value in self.data.items():
            try:
                self.data[name] = convert(value)
            except (ValueError, TypeError, RuntimeError) as error:
                raise ValueError(
                    f"{name!r} cannot be converted to a tensor: its rows have different lengths, or contain values "
                    "that are not numbers. For rows of equal length, use padding=True, or padding='max_length' with "
                    "truncation=True."
                ) from error
        return self

    def to(self, device: str | int | torch.device, *, non_blocking: bool = False) -> BatchEncoding:
        """Move the tensors to a device, in place; lists are unchanged."""
        for name, value in self.data.items():
            if is_tensor(value):
                self.data[name] = value.to(device=device, non_blocking=non_blocking)
        return self


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

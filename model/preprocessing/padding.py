"""Pads the results of earlier tokenizer calls to one length, to batch them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.preprocessing.encoding import BatchEncoding, is_tensor
from model.preprocessing.tokenizer_inputs import Lengths, plain


def pad_encodings(
    encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    lengths: Lengths,
    pad_to_multiple_of: int | None,
    side: str,
    fillers: Mapping[str, Any],
    return_attention_mask: bool,
    return_tensors: str | None,
) -> BatchEncoding:
    """Pad the entries that have a filler.

    Args:
        encoded_inputs: one encoding, or a list of encodings of one page each.
        lengths: the length and whether to pad to it; "longest" is the longest of these encodings.
        pad_to_multiple_of: pad to a multiple of this.
        side: "left" or "right".
        fillers: the value that fills up each entry.
        return_attention_mask: whether to add an attention mask if there is none.
        return_tensors: "pt", "np" or None for what the `input_ids` are: lists, tensors or arrays.

    Raises:
        ValueError: there are no `input_ids`, or as for `BatchEncoding`.
    """
    if side not in ("left", "right"):
        raise ValueError(f"padding_side={side!r}: choose 'left' or 'right'")
    if not isinstance(encoded_inputs, Mapping):
        encoded_inputs = {name: [one[name] for one in encoded_inputs] for name in encoded_inputs[0]}
    if "input_ids" not in encoded_inputs:
        raise ValueError(f"there are no input_ids to pad, only {sorted(encoded_inputs)}")
    tensor_type = _tensor_type(encoded_inputs["input_ids"]) if return_tensors is None else return_tensors
    data = {name: plain(value) for name, value in encoded_inputs.items()}
    single = not (len(data["input_ids"]) and isinstance(data["input_ids"][0], (list, tuple)))
    if single:
        data = {name: [value] for name, value in data.items()}
    counts = [len(row) for row in data["input_ids"]]
    if return_attention_mask:
        data.setdefault("attention_mask", [[1] * count for count in counts])
    if lengths.padding is not None:
        target = max(counts) if lengths.padding == "longest" or lengths.max_length is None else lengths.max_length
        if pad_to_multiple_of:
            target = -(-target // pad_to_multiple_of) * pad_to_multiple_of
        for name in fillers.keys() & data.keys():
            gaps = [[fillers[name]] * (target - count) for count in counts]
            rows = zip(data[name], gaps, strict=True)
            data[name] = [[*gap, *row] if side == "left" else [*row, *gap] for row, gap in rows]
    if single:
        data = {name: rows[0] for name, rows in data.items()}
    return BatchEncoding(data, tensor_type=tensor_type)


def _tensor_type(ids: Any) -> str | None:
    first = ids[0] if isinstance(ids, (list, tuple)) and ids else ids
    if is_tensor(first):
        return "pt"
    return "np" if isinstance(first, (np.ndarray, np.generic)) else None

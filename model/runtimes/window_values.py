"""Checks the values of windows for runtimes that would read beyond a table instead of raising."""

from __future__ import annotations

import numpy as np

from model.config import LayoutLMv2Config


def check_window_values(config: LayoutLMv2Config, windows: dict[str, np.ndarray]) -> None:
    """Refuse ids and boxes outside of the model's tables.

    Args:
        windows: see `Runtime.logits`.

    Raises:
        ValueError: a value is out of range, or a box is inverted; the message names the row and token.
    """
    tokens = windows["input_ids"].shape[1]
    if tokens > config.max_position_embeddings:
        raise ValueError(f"a window has {tokens} tokens; the model takes at most {config.max_position_embeddings}")
    for name, size in (("input_ids", config.vocab_size), ("token_type_ids", config.type_vocab_size)):
        ids = windows[name]
        _raise_at((ids < 0) | (ids >= size), ids, name, f"expected 0 to {size - 1}")
    boxes, limit = windows["bbox"], config.max_2d_position_embeddings - 1
    start, end = boxes[..., :2], boxes[..., 2:]
    wrong = ((start < 0) | (end > limit) | (start > end)).any(axis=-1)
    _raise_at(wrong, boxes, "bbox", f"expected (x0, y0, x1, y1) from 0 to {limit} with x0 <= x1 and y0 <= y1")


def _raise_at(wrong: np.ndarray | np.bool_, values: np.ndarray, name: str, expected: str) -> None:
    if np.any(wrong):
        row, token = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"{name}[{row}, {token}] is {values[row, token].tolist()}; {expected}")

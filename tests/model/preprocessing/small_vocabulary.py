"""A vocabulary of 18 tokens, with which the expected values were computed by the reference implementation (5.8.0)."""

from __future__ import annotations

from typing import Any

from model.preprocessing.tokenizer import LayoutLMv2Tokenizer

TOKENS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "in", "##vo", "##ice", "total", "due", "?", "42", "who", ".", "don",
    "'", "t", ",",
)  # fmt: skip
WORDS = ["invoice", "42", "total", "?"]
BOXES = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]


def small_tokenizer(**settings: Any) -> LayoutLMv2Tokenizer:
    return LayoutLMv2Tokenizer({token: index for index, token in enumerate(TOKENS)}, **settings)

"""Words of scripts that put no spaces between them (Chinese, Japanese, Thai): found in characters, and joined again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from icu4py.breakers import WordBreaker

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
"""Thai and Lao, Burmese, Khmer, Chinese characters, kana, and the punctuation and full-width forms beside them."""

_OPENING_CATEGORIES = ("Ps", "Pi", "Sc")
"""Opening brackets and quotes, and the symbols of currencies."""


def is_unspaced(text: str) -> bool:
    """Whether a text has characters of a script that puts no spaces between words."""
    return _UNSPACED.search(text) is not None


def join_words(words: Sequence[str]) -> str:
    """Words as one text: single spaces between them, but none beside a character of an unspaced script."""
    text = ""
    for word in words:
        spaced = text and word and not is_unspaced(text[-1]) and not is_unspaced(word[0])
        text += f" {word}" if spaced else word
    return text


def word_spans(text: str) -> list[tuple[int, int]]:
    """The words of a text of an unspaced script: start and end (exclusive) of each; white space is in none.

    ICU's dictionaries say where words end (Unicode Standard Annex 29). Letters and digits of spaced scripts stay
    together (`2026-11-29`). Punctuation stays with the word before it, an opening bracket and a currency's sign with
    the one behind.
    """
    starts = [index for index, character in enumerate(text) for _ in range(1 + (ord(character) > 0xFFFF))]
    starts.append(len(text))
    spans: list[tuple[int, int]] = []
    joins_next = False
    for segment in WordBreaker(text, "ja").segments():
        start, end = (starts[unit] for unit in segment)  # in units of UTF-16; the locale does not matter
        piece = text[start:end]
        if piece.isspace():
            joins_next = False
            continue
        follows = bool(spans) and spans[-1][1] == start
        opens = unicodedata.category(piece[0]) in _OPENING_CATEGORIES
        is_mark = not opens and not any(map(str.isalnum, piece))
        is_spaced_script = follows and not is_unspaced(piece[0]) and not is_unspaced(text[start - 1])
        if follows and (joins_next or is_mark or is_spaced_script):
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
        joins_next = opens
    return spans

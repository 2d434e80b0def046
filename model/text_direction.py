"""Text that is written from right to left: Arabic, Hebrew and their relatives.

Words and letters are kept in logical order, in which they are read and typed; on the page it runs from right to left,
and numbers and Latin words inside it from left to right (Unicode Standard Annex 9).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["has_right_to_left", "is_right_to_left", "logical_order", "without_marks"]

_LETTER = re.compile("[\u0590-\u05ff\u0600-\u065f\u066e-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]")
_FORWARD = re.compile(
    "[0-9A-Za-z\u00c0-\u024f\u0660-\u0669\u06f0-\u06f9]+(?:[-.,:/'@_][0-9A-Za-z\u00c0-\u024f\u0660-\u0669\u06f0-\u06f9]+)*"
)
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def has_right_to_left(text: str) -> bool:
    """Whether a text has letters that are written from right to left."""
    return not text.isascii() and _LETTER.search(text) is not None


def is_right_to_left(words: Sequence[str]) -> bool:
    """Whether most letters of a page are written from right to left."""
    if all(word.isascii() for word in words):
        return False
    text = "".join(words)
    return 2 * len(_LETTER.findall(text)) > sum(map(str.isalpha, text))


def logical_order(visual: str) -> str:
    """A word in logical order, from its characters as they stand on the page from left to right.

    Brackets are expected as they are meant, not as they look: the one that opens is "(" in both.
    """
    if not has_right_to_left(visual):
        return visual
    return _FORWARD.sub(lambda run: run.group()[::-1], visual[::-1])


def without_marks(text: str) -> str:
    """A text without the invisible marks of direction that some programs write into it."""
    return text if text.isascii() else _MARKS.sub("", text)

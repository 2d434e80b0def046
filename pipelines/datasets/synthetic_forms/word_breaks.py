"""Words of a drawn text: parted by spaces, or by ICU's dictionary in languages that write none."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from icu4py.breakers import WordBreaker

from pipelines.datasets.synthetic_forms.language import FormLanguage

CLAUSE_ENDS = ".,;\uff0c\u3001\u3002\uff1b"
"""What stands at the end of a sentence or of a part of one, in Latin and in Chinese and Japanese texts."""

_NUMERIC = frozenset(".,-/:0123456789")
_OPENING = frozenset("〒￥¥#")


def pieces(text: str, language: FormLanguage) -> tuple[str, ...]:
    """The words of a text in order; where a space stands before a word it begins with one. Joined, they are the text.

    Runs of spaces count as one, and those at the ends are left out.
    """
    parts = text.split()
    if language.spaced:
        return tuple(f" {part}" if number else part for number, part in enumerate(parts))
    found: list[str] = []
    for number, part in enumerate(parts):
        first, *others = _segmented(part, language.code)
        found += (f" {first}" if number else first, *others)
    return tuple(found)


def joined(words: Sequence[str]) -> str:
    """The text of words: with a space between two of them, but not beside a Chinese or Japanese character."""
    text = ""
    for word in words:
        apart = text and word and not (_wide(text[-1]) or _wide(word[0]))
        text += f" {word}" if apart else word
    return text


@lru_cache(maxsize=4096)
def _segmented(run: str, code: str) -> tuple[str, ...]:
    """A run without spaces in words: ICU's, closing marks with the word before them, opening ones with that after."""
    found: list[str] = []
    opened = False
    for part in WordBreaker(run, code):
        opening = unicodedata.category(part[0]) in ("Ps", "Pi") or part[0] in _OPENING
        number = bool(found) and found[-1][-1] in _NUMERIC and part[0] in _NUMERIC
        closing = not opening and unicodedata.category(part[0])[0] in "PS"
        if found and (opened or number or closing):
            found[-1] += part
        else:
            found.append(part)
        opened = opening
    return tuple(found)


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")

"""Filters the output of OCR: removes form rules from words, and drops specks.

The complete rules, so that no actual text disappears unnoticed:

1. A run of the characters `_ | ¦ ~ - = —` at a word's edge is removed, and the box is trimmed in proportion: these are
   the lines, cell borders and leaders of forms ("__King", "|Executive", "Length---"). A single hyphen, equals sign or
   tilde stays ("-5", "re-", "~40").
2. A word is split at two or more underscores inside it, and at underscores after a colon ("DATE:_10/26/87"), if every
   part then has letters or digits; single underscores elsewhere ("first_name") stay.
3. A word that is then empty was a rule, and is dropped.
4. Words below the minimum confidence are dropped; for words without a letter or digit the minimum is higher.

Dropped words are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_RULES = "_|¦~-=—"
_REAL_ALONE = ("-", "=", "~")
_INNER = re.compile(r"_{2,}|(?<=:)_+")


@dataclass(frozen=True)
class Word:
    """A word from an OCR engine, with its box in pixels (x0, y0, x1, y1) and its confidence, 0-1."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True)
class Kept:
    """Words that are text, in the input's order, and the number of others."""

    words: list[Word]
    dropped: int


def keep_text(
    words: Iterable[Word], *, trim_rules: bool, minimum_confidence: float, minimum_symbol_confidence: float
) -> Kept:
    """The words that are text, by the rules in the module's docstring.

    Args:
        words: from an OCR engine.
        trim_rules: apply rules 1 to 3.
        minimum_confidence: 0-1, for rule 4.
        minimum_symbol_confidence: 0-1, for rule 4 and words without a letter or digit.
    """
    kept: list[Word] = []
    dropped = 0
    for word in words:
        parts = without_rules(word) if trim_rules else [word]
        minimum = _minimum_confidence(word, minimum_confidence, minimum_symbol_confidence)
        texts = [part for part in parts if part.confidence >= minimum]
        kept += texts
        dropped += not texts
    return Kept(kept, dropped)


def without_rules(word: Word) -> list[Word]:
    """The word without form rules at its edges, split where a rule runs through it; empty if it is only a rule."""
    spans, start = [], 0
    for stop, after in [*(match.span() for match in _INNER.finditer(word.text)), (len(word.text), len(word.text))]:
        spans.append((start, stop))
        start = after
    if not all(_has_letter_or_digit(word.text[begin:end]) for begin, end in spans):
        spans = [(0, len(word.text))]
    if not _has_letter_or_digit(word.text) and word.text.strip() in (*_REAL_ALONE, "—"):
        return [word]
    return [_part(word, *trimmed) for trimmed in (_trimmed(word.text, *span) for span in spans) if trimmed is not None]


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int] | None:
    part = text[begin:end]
    leading = len(part) - len(part.lstrip(_RULES))
    if leading == len(part):
        return None
    trailing = len(part) - len(part.rstrip(_RULES))
    if part[:leading] in _REAL_ALONE:
        leading = 0
    if part[len(part) - trailing :] in _REAL_ALONE:
        trailing = 0
    return begin + leading, end - trailing


def _part(word: Word, begin: int, end: int) -> Word:
    if end - begin == len(word.text):
        return word
    x0, y0, x1, y1 = word.box
    character = (x1 - x0) / len(word.text)
    return replace(word, text=word.text[begin:end], box=(x0 + begin * character, y0, x0 + end * character, y1))


def _has_letter_or_digit(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _minimum_confidence(word: Word, letters: float, symbols: float) -> float:
    return letters if _has_letter_or_digit(word.text) else max(letters, symbols)

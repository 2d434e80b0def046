"""Words of scripts that are written without spaces: Chinese, Japanese, Thai, Lao, Khmer and Burmese.

A line of these is cut by ICU's dictionaries (Unicode Standard Annex 29, section 4.2). Its pieces are then put together
to what a user would call a word: a number with its counter ("11月"), punctuation with the word that it belongs to
("氏名："), and what is not of these scripts as it stands ("03-1234-5678", "ABC", "￥12,300").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["is_unspaced", "is_wide", "join_words", "word_spans"]

_LETTERS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_LETTERS}]")
_WIDE = re.compile(
    "[\u2e80-\u30ff\u31c0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff9f\uffe0-\uffe6\U00020000-\U0003ffff]"
)
"""Chinese and Japanese letters, and punctuation and forms of their width: no space stands beside them."""
_THAI_TO_KHMER = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_HIRAGANA = re.compile("[\u3041-\u309f]+")
_PARTICLES = frozenset("をはがにのへとでもやおご")
_LONGEST_HIRAGANA = 8
_CLOSING = frozenset(":;,.!?)]}%")


def is_unspaced(text: str) -> bool:
    """Whether the text has letters of a script that is written without spaces."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def is_wide(character: str) -> bool:
    """Whether a character is Chinese or Japanese, or a mark or form of that width."""
    return _WIDE.match(character) is not None


def word_spans(text: str) -> list[tuple[int, int]]:
    """The words of a text without white space, as (start, stop) in characters; they cover it in order.

    A text of other scripts is one word, whatever it is.
    """
    if not is_unspaced(text):
        return [(0, len(text))] if text else []
    starts: list[int] = []
    end = 0
    joins = False  # whether the next piece belongs to the word whatever it is: the word is an opening bracket so far
    unspaced = False  # whether the word has letters of these scripts
    for piece in _pieces(text):
        continues = joins or (
            bool(starts) and _belongs(text[max(starts[-1], end - _LONGEST_HIRAGANA) : end], unspaced, piece)
        )
        if not continues:
            starts.append(end)
        unspaced = is_unspaced(piece) or (continues and unspaced)
        joins = unicodedata.category(piece[-1]) in ("Ps", "Pi") or ((joins or not continues) and _is_unseen(piece))
        end += len(piece)
    return list(pairwise([*starts, end]))


def join_words(words: Sequence[str]) -> str:
    """The text of neighbouring words: with spaces between them, except where their scripts are written without."""
    if all(word.isascii() for word in words):
        return " ".join(words)
    shown = [word for word in words if word]
    parts = shown[:1]
    for before, word in pairwise(shown):
        parts += [word] if _touch(before[-1], word[0]) else [" ", word]
    return "".join(parts)


def _touch(last: str, first: str) -> bool:
    if is_wide(last) or is_wide(first):
        return True
    return bool(_THAI_TO_KHMER.match(last) and _THAI_TO_KHMER.match(first))


def _pieces(text: str) -> Iterator[str]:
    """ICU's segments."""
    from icu4py.breakers import WordBreaker

    whole = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    start = 0
    for segment in WordBreaker(whole, "ja"):  # the dictionaries are chosen by the characters, whatever the locale
        yield text[start : start + len(segment)]
        start += len(segment)


def _belongs(tail: str, unspaced: bool, piece: str) -> bool:
    """Whether a piece continues the word before it: its last characters, and whether it has letters without spaces."""
    last, first = tail[-1], piece[0]
    if _is_unseen(piece):
        return True
    if unicodedata.category(first) in ("Ps", "Pi"):
        return not unspaced and not is_wide(first) and not is_wide(last)
    if _is_mark(first) and unspaced:
        return is_wide(first) or first in _CLOSING
    if _is_wide_mark(last):
        return _is_wide_mark(first)
    if not unspaced and not is_unspaced(piece):
        return True
    if is_unspaced(last):
        return _is_torn(tail, piece)
    # a number and its counter
    return last.isdigit() and len(piece) == 1 and is_unspaced(piece) and not _HIRAGANA.fullmatch(piece)


def _is_torn(word: str, piece: str) -> bool:
    """Whether two pieces are syllables of one word that the dictionary does not have."""
    if not (_HIRAGANA.fullmatch(word) and _HIRAGANA.fullmatch(piece)) or len(word + piece) > _LONGEST_HIRAGANA:
        return False
    single = [part for part in (word, piece) if len(part) == 1]
    return bool(single) and not _PARTICLES.intersection(single)


def _is_unseen(piece: str) -> bool:
    """Whether a piece is nothing but characters without a shape of their own, such as the space of no width."""
    return all(unicodedata.category(character) in ("Cf", "Mn", "Me") for character in piece)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _is_wide_mark(character: str) -> bool:
    return _is_mark(character) and is_wide(character)

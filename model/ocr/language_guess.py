"""The language of a page by the words that were read, among those of its script.

English is known by its most usual words, at no cost. What is not, is left to py3langid (Lui and Baldwin, 2012,
"langid.py: An Off-the-shelf Language Identification Tool"), whose model is loaded with the first such page. Chinese and
Japanese are told by their characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from model.ocr.scripts import CHINESE, JAPANESE, LATIN_SCRIPT, Script

__all__ = ["guess_language"]

LEAST_ENGLISH = 0.06
"""Share of the words of a page of letters that are among `_ENGLISH`, from which it is English."""
LEAST_LETTERS = 25
"""A page with fewer letters has no language that could be told from them."""
LEAST_PROBABILITY = 0.7
"""Of py3langid, 0-1, without which a language is not told."""

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    _WORD.findall(
        """
    the of and to for by with from this that is are be or as on at your you please which shall will not have has no
    date number amount total address city state signature name phone company
    """
    )
)
_KANA = re.compile("[\u3041-\u30fa\uff66-\uff9d]")
_HAN = re.compile("[\u4e00-\u9fff]")


def guess_language(words: Sequence[str], script: Script) -> str | None:
    """The language of a page by Tesseract's names, or None if its words do not tell.

    Args:
        words: that were read, in any order.
        script: of the page; its languages are those that are told apart.
    """
    text = " ".join(words)
    if script in (CHINESE, JAPANESE):
        return _chinese_or_japanese(text)
    if len(script.languages) == 1:
        return next(iter(script.languages))
    found = _WORD.findall(text)
    if sum(map(len, found)) < LEAST_LETTERS:
        return None
    if script is LATIN_SCRIPT and text.isascii() and _is_english(found):
        return "eng"
    return _identified(" ".join(found), script)


def _is_english(words: Sequence[str]) -> bool:
    return sum(word.lower() in _ENGLISH for word in words) >= LEAST_ENGLISH * len(words)


def _identified(text: str, script: Script) -> str | None:
    names = {code: name for name, code in script.languages.items()}
    code, probability = _identifier(tuple(names)).classify(text)
    return names[code] if probability >= LEAST_PROBABILITY else None


@lru_cache(maxsize=4)
def _identifier(codes: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(codes)
    return identifier


def _chinese_or_japanese(text: str) -> str | None:
    """By kana; without any, by the characters that only one of the two Chinese character sets has."""
    kana, han = len(_KANA.findall(text)), _HAN.findall(text)
    if kana and kana >= 0.02 * (kana + len(han)):
        return "jpn"
    if not han:
        return None
    simplified = sum(_has(character, "gb2312") and not _has(character, "big5") for character in han)
    traditional = sum(_has(character, "big5") and not _has(character, "gb2312") for character in han)
    return "chi_tra" if traditional > simplified else "chi_sim"


def _has(character: str, character_set: str) -> bool:
    try:
        character.encode(character_set)
    except UnicodeEncodeError:
        return False
    return True

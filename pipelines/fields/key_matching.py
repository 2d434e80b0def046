"""Whether the key of a field resembles a spelling: by letters and digits alone, and by edit distance (rapidfuzz)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipelines.fields.value_text import clean_text

MIN_SCORE = 88.0
"""Of 100: one wrong letter in nine. Of shorter keys every letter has to agree."""

KEYS_AT_A_TIME = 1_000
"""That are compared with all spellings at once, which bounds the memory for it."""

_BRACKETS = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
_ENUMERATION = re.compile(r"(?:[0-9]{1,2}|[A-Za-z])[.)] *(?=\S)")
_DIGITS = re.compile(r"[0-9]+")


def normalise_key(key: str | None) -> str:
    """The letters and digits of a key, without case, accents and punctuation, words divided by single spaces.

    Empty for keys that are longer than `value_text.MAX_CHARACTERS`.
    """
    decomposed = unicodedata.normalize("NFKD", clean_text(key).casefold())
    letters = "".join(
        character if character.isalnum() else "" if unicodedata.combining(character) else " "
        for character in decomposed
    )
    return " ".join(letters.split())


def match_keys(keys: Sequence[str | None], spellings: Sequence[str]) -> list[dict[int, float]]:
    """For each key, the spellings that it resembles, by their position, each with a score from `MIN_SCORE` to 100.

    What stands in brackets in a key, and an enumeration before it such as "A." or "12)", may be left out. Numbers in a
    key are not compared by edit distance: they have to be those of the spelling.
    """
    from rapidfuzz import fuzz, process

    wanted = [normalise_key(spelling) for spelling in spellings]
    numbers = [_DIGITS.findall(spelling) for spelling in wanted]
    by_form: dict[str, dict[int, float]] = {form: {} for key in keys for form in _forms(key)}
    forms = list(by_form)
    for start in range(0, len(forms), KEYS_AT_A_TIME):
        chosen = forms[start : start + KEYS_AT_A_TIME]
        scores = process.cdist(chosen, wanted, scorer=fuzz.ratio, score_cutoff=MIN_SCORE)
        for row, column in zip(*scores.nonzero(), strict=True):
            if _DIGITS.findall(chosen[row]) == numbers[column]:
                by_form[chosen[row]][int(column)] = float(scores[row, column])
    return [_best([by_form[form] for form in _forms(key)]) for key in keys]


def _forms(key: str | None) -> list[str]:
    """The normalised forms of a key that are compared."""
    text = clean_text(key)
    without_brackets = _BRACKETS.sub(" ", text)
    enumeration = _ENUMERATION.match(text)
    shorter = without_brackets if enumeration is None else _BRACKETS.sub(" ", text[enumeration.end() :])
    return [form for form in dict.fromkeys(map(normalise_key, (text, without_brackets, shorter))) if form]


def _best(found: Sequence[dict[int, float]]) -> dict[int, float]:
    best: dict[int, float] = {}
    for scores in found:
        for spelling, score in scores.items():
            best[spelling] = max(score, best.get(spelling, 0.0))
    return best

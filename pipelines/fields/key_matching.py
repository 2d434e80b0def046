"""Whether the key of a field resembles a spelling: by letters and digits alone, and by edit distance (rapidfuzz)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from model.word_breaks import join_words
from pipelines.fields.value_text import clean_text

MIN_SCORE = 88.0
"""Of 100: one wrong letter in nine. Of shorter keys every letter has to agree."""

KEYS_AT_A_TIME = 1_000
"""That are compared with all spellings at once, which bounds the memory for it."""

_BRACKETS = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
_ENUMERATION = re.compile(r"(?:[0-9]{1,2}|[A-Za-z])[.)] *(?=\S)")
_DIGITS = re.compile(r"[0-9]+")


def normalise_key(key: str | None) -> str:
    """The letters and digits of a key, without case, accents and punctuation, words divided by single spaces where
    their script has them.

    Empty for keys that are longer than `value_text.MAX_CHARACTERS`.
    """
    decomposed = unicodedata.normalize("NFKD", clean_text(key).casefold())
    letters = "".join(
        character if character.isalnum() else "" if unicodedata.combining(character) else " "
        for character in decomposed
    )
    return join_words(letters.split())


class KeyMatcher:
    """Finds the spellings that keys resemble."""

    def __init__(self, spellings: Sequence[str]) -> None:
        self._spellings = [normalise_key(spelling) for spelling in spellings]
        self._numbers = [_DIGITS.findall(spelling) for spelling in self._spellings]

    def match(self, keys: Sequence[str | None]) -> list[dict[int, float]]:
        """For each key, the spellings that it resembles, by their position, each with a score from `MIN_SCORE` to 100.

        What stands in brackets in a key, and an enumeration before it such as "A." or "12)", may be left out. Numbers
        in a key are not compared by edit distance: they have to be those of the spelling.
        """
        from rapidfuzz import fuzz, process

        forms_of = {key: _forms(key) for key in dict.fromkeys(keys)}
        by_form: dict[str, dict[int, float]] = {form: {} for forms in forms_of.values() for form in forms}
        all_forms = list(by_form)
        for start in range(0, len(all_forms), KEYS_AT_A_TIME):
            forms = all_forms[start : start + KEYS_AT_A_TIME]
            scores = process.cdist(forms, self._spellings, scorer=fuzz.ratio, score_cutoff=MIN_SCORE)
            for row, column in zip(*(indices.tolist() for indices in scores.nonzero()), strict=True):
                if _DIGITS.findall(forms[row]) == self._numbers[column]:
                    by_form[forms[row]][column] = float(scores[row, column])
        found = {key: _best([by_form[form] for form in forms]) for key, forms in forms_of.items()}
        return [found[key] for key in keys]


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

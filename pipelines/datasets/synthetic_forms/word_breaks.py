"""Words of a drawn text, with the spaces before them: those that a reader of the page would find."""

from __future__ import annotations

from functools import lru_cache

from model.word_breaks import word_spans

CLAUSE_ENDS = ".,;\uff0c\u3001\u3002\uff1b"
"""What stands at the end of a sentence or of a part of one, in Latin and in Chinese and Japanese texts."""


def pieces(text: str) -> tuple[str, ...]:
    """The words of a text in order; where a space stands before a word it begins with one. Joined, they are the text.

    Runs of spaces count as one, and those at the ends are left out.
    """
    found: list[str] = []
    for number, run in enumerate(text.split()):
        first, *others = _words(run)
        found += (f" {first}" if number else first, *others)
    return tuple(found)


@lru_cache(maxsize=4096)
def _words(run: str) -> tuple[str, ...]:
    return tuple(run[start:stop] for start, stop in word_spans(run))

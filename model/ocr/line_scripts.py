"""Reads the lines of a page whose script is not known: in Latin letters, and in all of the recogniser's where needed.

The recogniser leaves out what it does not know rather than guessing: a Chinese line read in Latin letters, or a Russian
line in any, gives next to no characters for its length. On 24 of FUNSD's training forms such lines are at most 0.8% of
the lines' length; on pages of other scripts they are half of it and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.ocr.line_words import Character, Grey
from model.word_breaks import is_unspaced

__all__ = ["LEAST_SILENCE", "ReadLines", "read_in_any_letters", "read_in_known_letters"]

CHARACTERS_TO_HEIGHT = 0.7
"""Characters, each counted with its probability, that a line has at least for each time that it is as long as high;
English print has 2."""
PARTLY_READ = 1.2
"""The same of lines that have no letters of another script, such as those in front of a number."""
SHORTEST = 2.0
"""Lines that are less long, in their height, say nothing."""
PROBED_LINES = 6
"""The longest lines of a page are read first, so that a page of another script is not read twice."""
SILENT_PAGE = 0.5
"""Share of their length that is not read, from which the rest of the page is not read in Latin letters."""
LEAST_SILENCE = 0.03
"""The same of a page's lines, from which the unread ones are tried in other letters."""
LEAST_CONFIDENCE = 0.75
"""Mean probability of the characters, 0-1, with which lines read in other letters are believed."""

Recognise = Callable[[Sequence[Grey]], list[list[Character]]]
"""Reads pictures of lines."""


@dataclass(frozen=True)
class ReadLines:
    """The characters of each line, the lines with few, and the share of the length, 0-1, of those with hardly any."""

    characters: list[list[Character]]
    unread: list[int]
    silent: float


def read_in_known_letters(pictures: Sequence[Grey], recognise: Recognise) -> ReadLines:
    """Lines read in the letters of one recogniser."""
    read = dict(enumerate(recognise(pictures)))
    return _read_lines(pictures, read)


def read_in_any_letters(pictures: Sequence[Grey], latin: Recognise, all_letters: Callable[[], Recognise]) -> ReadLines:
    """Lines read in Latin letters, or in all letters where some of them prove to be Chinese or Japanese.

    Args:
        pictures: upright lines, uint8 (height, width).
        latin: reads Latin letters.
        all_letters: makes what reads all letters; it is called only for pages with lines that are not Latin.
    """
    read: dict[int, list[Character]] = {}
    order = sorted(range(len(pictures)), key=lambda line: -_length(pictures[line]))
    for lines in (order[:PROBED_LINES], order[PROBED_LINES:]):
        if _silence(pictures, read) < SILENT_PAGE:
            read.update(zip(lines, latin([pictures[line] for line in lines]), strict=True))
    if _silence(pictures, read) >= LEAST_SILENCE:
        recognise = all_letters()
        silent = [line for line in order if line in read and _is_silent(pictures[line], read[line])][:PROBED_LINES]
        again = recognise([pictures[line] for line in silent])
        if _is_unspaced_text(again):
            others = [line for line in order if line not in silent]
            read = dict(zip(silent, again, strict=True))
            read.update(zip(others, recognise([pictures[line] for line in others]), strict=True))
    left = [line for line in order if line not in read]
    read.update(zip(left, latin([pictures[line] for line in left]), strict=True))
    return _read_lines(pictures, read)


def _read_lines(pictures: Sequence[Grey], read: dict[int, list[Character]]) -> ReadLines:
    characters = [read[line] for line in range(len(pictures))]
    unread = [line for line in range(len(pictures)) if _is_silent(pictures[line], read[line], PARTLY_READ)]
    return ReadLines(characters, unread, _silence(pictures, read))


def _silence(pictures: Sequence[Grey], read: dict[int, list[Character]]) -> float:
    """The share of the length of the lines that were read that has next to no characters."""
    lengths = {line: _length(pictures[line]) for line in read}
    silent = sum(length for line, length in lengths.items() if _is_silent(pictures[line], read[line]))
    return silent / sum(lengths.values()) if lengths else 0.0


def _is_silent(picture: Grey, characters: Sequence[Character], least: float = CHARACTERS_TO_HEIGHT) -> bool:
    length = _length(picture)
    certain = sum(character.probability for character in characters if not character.text.isspace())
    return length >= SHORTEST and certain < least * length


def _length(picture: Grey) -> float:
    height, width = picture.shape
    return width / height


def _is_unspaced_text(lines: Sequence[Sequence[Character]]) -> bool:
    """Whether a third of the characters, and those with certainty, are Chinese or Japanese."""
    found = [character for line in lines for character in line if not character.text.isspace()]
    unspaced = [character.probability for character in found if is_unspaced(character.text)]
    return len(unspaced) * 3 >= len(found) > 0 and sum(unspaced) >= LEAST_CONFIDENCE * len(unspaced)

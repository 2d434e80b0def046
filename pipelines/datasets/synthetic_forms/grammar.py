"""Texts with blanks: a blank names other texts, a range, a pattern of digits and letters, or a part of a date."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

Random = random.Random
Values = Mapping[str, Callable[[Random], str]]

_BLANK = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_PATTERN = re.compile(r"[9A]+")
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"

_DATE_PARTS: dict[str, Callable[[Random], str]] = {
    "d": lambda rng: str(rng.randint(1, 28)),
    "dd": lambda rng: f"{rng.randint(1, 28):02d}",
    "m": lambda rng: str(rng.randint(1, 12)),
    "mm": lambda rng: f"{rng.randint(1, 12):02d}",
    "yy": lambda rng: f"{rng.choice((*range(85, 100), *range(0, 27))):02d}",
    "yyyy": lambda rng: str(rng.randint(1998, 2026)),
    "hh": lambda rng: f"{rng.randint(0, 23):02d}",
    "min": lambda rng: f"{rng.randint(0, 59):02d}",
}


def filled(rng: Random, text: str, values: Values) -> str:
    """The text with its blanks filled in.

    A blank `{name}` stands for a value of that kind, `{3-40}` for a number of that range, `{99A}` for random digits and
    capital letters, and `{d}`, `{dd}`, `{m}`, `{mm}`, `{yy}`, `{yyyy}`, `{hh}` and `{min}` for parts of a date or time.

    Raises:
        KeyError: a blank names no kind of `values`.
    """

    def fill(match: re.Match[str]) -> str:
        blank = match[1]
        if blank in _DATE_PARTS:
            return _DATE_PARTS[blank](rng)
        if bounds := _RANGE.fullmatch(blank):
            return str(rng.randint(int(bounds[1]), int(bounds[2])))
        if _PATTERN.fullmatch(blank):
            return "".join(str(rng.randint(0, 9)) if sign == "9" else rng.choice(_LETTERS) for sign in blank)
        return values[blank](rng)

    return _BLANK.sub(fill, text)


def blanks(text: str) -> tuple[str, ...]:
    """The kinds that a text's blanks name."""
    found = _BLANK.findall(text)
    return tuple(
        blank
        for blank in found
        if blank not in _DATE_PARTS and not _RANGE.fullmatch(blank) and not _PATTERN.fullmatch(blank)
    )

"""The written formats of values: dates, durations, names of companies.

The formats are those of English contracts, receipts and letters, as in Kleister-NDA and SROIE: "the 10th day of
February, 2017", "10 Feb 17", "02/10/2017"; "seven (7) years", "eighteen-month"; "Acme, Incorporated".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

CENTURY_TURN = 70
"""Years of two digits are those from 1970 to 2069."""


@dataclass(frozen=True)
class WrittenDate:
    """A date in a text.

    Attributes:
        start: index of its first character.
        end: index after its last character.
        readings: the dates that it may mean; two if day and month are both numbers up to 12, the day first.
    """

    start: int
    end: int
    readings: tuple[date, ...]


class Duration(NamedTuple):
    """An amount and its unit: day, week, month or year."""

    amount: Decimal
    unit: str


@dataclass(frozen=True)
class WrittenDuration:
    """A duration in a text, from character `start` to before `end`."""

    start: int
    end: int
    duration: Duration


_MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    "twentieth",
)

_ORDINAL_NUMBERS = {name: number for number, name in enumerate(_ORDINALS, start=1)}
_ORDINAL_NUMBERS |= {f"twenty{name}": 20 + number for number, name in enumerate(_ORDINALS[:9], start=1)}
_ORDINAL_NUMBERS |= {"thirtieth": 30, "thirtyfirst": 31}

_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|" + (
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_ORDINAL = "|".join(sorted(_ORDINALS, key=len, reverse=True))
_ORDINAL_WORDS = rf"(?:twenty|thirty)[\s-]*(?:{'|'.join(_ORDINALS[:9])})|thirtieth|{_ORDINAL}"
_DAY = rf"(?P<day>\d{{1,2}}|{_ORDINAL_WORDS})(?:\s?(?:st|nd|rd|th)\b)?"
_YEAR = r"(?P<year>\d{4}|['\u2019]?\d{2})(?!\d)"
_BREAK = r"[\s,.\-/]*"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![a-z]){_MONTH}{_BREAK}{_DAY}(?:[\s,.\-/]+(?:of\s+)?){_YEAR}",
        rf"(?<!\d)(?<!\d[./-]){_DAY}{_BREAK}(?:day\s+)?(?:of\s+)?{_MONTH.replace(chr(92) + 'b', '')}(?![a-z])"
        rf"{_BREAK}{_YEAR}",
        r"(?<![\d./-])(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)",
        r"(?<![\d./-])(?P<first>\d{1,2})\s?(?P<mark>[-/.])\s?(?P<second>\d{1,2})\s?(?P=mark)\s?(?P<year>\d{4}|\d{2})(?!\d)",
    )
)

_NUMBER_WORDS = {name: number for number, name in enumerate(_SMALL)}
_NUMBER_WORDS |= {name: 10 * number for number, name in enumerate(_TENS, start=2)}
_ONE_WORD = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
# Gaps and numbers of words are bounded: a text of nothing else would take quadratic time.
_GAP, _SPACES = r"[\s-]{0,10}", r"\s{0,10}"
_WORDS = rf"(?:(?:{_ONE_WORD}|hundred|and)[\s-]{{1,10}}){{0,8}}(?:{_ONE_WORD}|hundred)"
_AMOUNT = r"\d+(?:\.\d+)?"
_UNIT = r"(?:(?:calendar|full|consecutive|additional)\s+)?(?P<unit>day|week|month|year)s?\b"
_LENGTH = re.compile(
    r"(?<![\w.])(?:"
    rf"(?:(?:{_WORDS})?{_SPACES}\({_SPACES}(?P<bracketed>{_AMOUNT}){_SPACES}\)"
    rf"|(?P<digits>{_AMOUNT})|(?P<words>{_WORDS}))"
    rf"{_GAP}{_UNIT}"
    rf"|(?P<ordinal>{_ORDINAL_WORDS}|\d+(?:st|nd|rd|th))\s*(?:\(\s*\d+\s*(?:st|nd|rd|th)\s*\)\s*)?(?:year\s+)?"
    r"anniversary\b)",
    re.IGNORECASE,
)

_FORMS: tuple[tuple[str, ...], ...] = (
    ("Inc.", "inc", "incorporated"),
    ("Corp.", "corp"),
    ("Corporation", "corporation"),
    ("Co.", "co"),
    ("Company", "company"),
    ("Ltd.", "ltd", "limited"),
    ("LLC", "llc", "limited liability company"),
    ("LP", "lp", "limited partnership"),
    ("LLP", "llp", "limited liability partnership"),
    ("PLC", "plc", "public limited company"),
    ("Bhd.", "bhd", "berhad", "bhd."),
    ("Sdn", "sdn", "sendirian"),
    ("GmbH", "gmbh"),
)
_ALIKE = (("corp", "corporation"), ("co", "company"))
"""Forms that are different values in the corpora, though a text may use the other one."""

_CANONICAL = {written: canonical for canonical, *forms in _FORMS for written in forms}
_LONGEST_FORM = 3


def find_dates(text: str) -> list[WrittenDate]:
    """All dates with day, month and year in a text, in its order; underscores count as blanks.

    "31/02/2017", which is no date, is left out; of overlapping matches the most specific format is taken.
    """
    text = text.replace("_", " ")
    found: list[WrittenDate] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            readings = tuple(_readings(match))
            overlaps = any(match.start() < other.end and other.start < match.end() for other in found)
            if readings and not overlaps:
                found.append(WrittenDate(match.start(), match.end(), readings))
    return sorted(found, key=lambda written: written.start)


def read_date(text: str) -> tuple[date, ...]:
    """The readings of a text that is a date and nothing else; empty for any other text."""
    text = text.strip()
    for written in find_dates(text):
        if (written.start, written.end) == (0, len(text)):
            return written.readings
    return ()


def _readings(match: re.Match[str]) -> Iterator[date]:
    parts = match.groupdict()
    year = int(parts["year"].lstrip("'\u2019"))
    if year < 100:
        year += 1900 if year >= CENTURY_TURN else 2000
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        orders = dict.fromkeys(((second, first), (first, second)))
    elif parts["month"].isdigit():
        orders = {(int(parts["month"]), int(parts["day"])): None}
    else:
        name = parts["month"].lower()[:3]
        month = next(number for number, full in enumerate(_MONTH_NAMES, start=1) if full.startswith(name))
        orders = {(month, _ordinal(parts["day"])): None}
    for month, day in orders:
        try:
            yield date(year, month, day)
        except ValueError:  # a number of another kind, such as 31/02/2017
            continue


def _ordinal(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else _ORDINAL_NUMBERS[re.sub(r"[\s-]", "", text.lower())]


def find_durations(text: str) -> list[WrittenDuration]:
    """All durations in a text, in its order. "Until the third anniversary" is three years."""
    found = []
    for match in _LENGTH.finditer(text):
        digits = match["bracketed"] or match["digits"]
        if match["ordinal"]:
            amount = Decimal(_ordinal(match["ordinal"]))
        else:
            amount = Decimal(digits) if digits else Decimal(_number(match["words"]))
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        found.append(WrittenDuration(start, match.end(), Duration(amount, (match["unit"] or "year").lower())))
    return found


def read_duration(text: str) -> Duration | None:
    """The duration of a text that is a duration and nothing else; None for any other text."""
    text = text.strip()
    for written in find_durations(text):
        if (written.start, written.end) == (0, len(text)):
            return written.duration
    return None


def _number(words: str) -> int:
    total = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            total = 100 * max(total, 1)
        elif word != "and":
            total += _NUMBER_WORDS[word]
    return total


def split_company(name: str) -> tuple[list[str], list[str]]:
    """The words of a company's name, and the forms of its legal suffix as the corpora write them.

    "Otsuka Pharmaceutical Company, Limited" is (["Otsuka", "Pharmaceutical"], ["Company", "Ltd."]).
    """
    words = name.replace(",", " ").split()
    forms: list[str] = []
    while True:
        for length in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
            written = " ".join(word.replace(".", "").strip("()").lower() for word in words[-length:])
            if written in _CANONICAL:
                forms.insert(0, _CANONICAL[written])
                del words[-length:]
                break
        else:
            return words, forms


def company_variants(name: str) -> list[str]:
    """All ways to write a company's name with the forms of its suffix; empty for a name without a suffix."""
    words, forms = split_company(name)
    if not forms:
        return []
    choices = []
    for form in forms:
        written = [written for written, canonical in _CANONICAL.items() if canonical == form]
        choices.append(written + [other for pair in _ALIKE if written[0] in pair for other in pair])
    return [" ".join([*words, *suffix]) for suffix in itertools.product(*choices)]

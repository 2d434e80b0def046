"""Dates in values: dates in numbers by the order of day and month, dates with names of months by dateparser."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dateparser.date import DateDataParser

DateOrder = Literal["DMY", "MDY"]

MAX_CHARACTERS = 40
MAX_WORDS = 5

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi", "cs", "ja", "zh")
"""Languages of names of months. Each takes time on values that are no dates."""

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_TIME = (
    r"(?:[T, ]+[0-9]{1,2}[:h][0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?: ?[AaPp]\.?[Mm]\.?)?(?: ?Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_NUMERIC_DATE = r"([0-9]{1,4}) ?([./-]) ?([0-9]{1,2}) ?\2 ?([0-9]{1,4})\.?"
_NUMERIC = re.compile(_NUMERIC_DATE + _TIME)
_NUMERIC_INSIDE = re.compile(r"(?<![0-9./-])" + _NUMERIC_DATE + r"(?![0-9/-])")
_SECTION = re.compile(r"(?![0-9]{2}\.[0-9]{2}\.)[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2}")
"""25.1.20 may be a date, or the number of a section."""
_COMPACT = re.compile(r"([12][0-9]{3})([0-9]{2})([0-9]{2})")
_EAST_ASIAN = re.compile(r"(大正|昭和|平成|令和)? ?([0-9]{1,4}|元) ?[年년] ?([0-9]{1,2}) ?[月월] ?([0-9]{1,2}) ?[日일]")
_YEAR_BEFORE_ERA = {"大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
"""Japan counts the years of an emperor's reign; 元 is its first."""
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"[0-9]+")
_DAY_FIRST = re.compile(r"\b(?:dd|tt|jj|gg)\W{0,3}mm\W{0,3}(?:y|j|a){2,4}\b")
_MONTH_FIRST = re.compile(r"\bmm\W{0,3}dd\W{0,3}y{2,4}\b")


def order_in_value(text: str) -> DateOrder | None:
    """The order that a date in numbers can only have, as 31/12/2026 is day first; None if it tells nothing."""
    found = _NUMERIC.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if found is None or not _is_year_last(found) or _SECTION.fullmatch(text) is not None:
        return None
    first, second = int(found[1]), int(found[3])
    day_first, month_first = _date(found[4], second, first), _date(found[4], first, second)
    if (day_first is None) == (month_first is None):
        return None
    return "MDY" if day_first is None else "DMY"


def order_in_key(key: str) -> DateOrder | None:
    """The order that a key asks for, as in "Date (MM/DD/YYYY)"; None if it does not."""
    folded = key.casefold()
    if "mm" not in folded:
        return None
    if _MONTH_FIRST.search(folded):
        return "MDY"
    return "DMY" if _DAY_FIRST.search(folded) else None


class DateReader:
    """Reads dates. Makes its parser on first use; keeps nothing of what it has read."""

    @cached_property
    def _parser(self) -> DateDataParser:
        from dateparser.date import DateDataParser

        settings = {"STRICT_PARSING": True, "PARSERS": ["absolute-time"], "DATE_ORDER": "DMY"}
        return DateDataParser(languages=list(LANGUAGES), try_previous_locales=False, settings=settings)

    @cached_property
    def _months(self) -> frozenset[str]:
        """The words in dateparser's names of months, which tell at once that most values are no dates."""
        from dateparser.languages.loader import LocaleDataLoader

        locales = LocaleDataLoader().get_locale_map(languages=list(LANGUAGES)).values()
        names = (name for locale in locales for month in _MONTHS for name in locale.info[month])
        return frozenset(word.casefold() for name in names for word in _WORD.findall(name))

    def read(self, text: str, order: DateOrder | None) -> tuple[bool, date | None]:
        """Whether a text is a date, and the date; None where the order of day and month decides, and is not known.

        Args:
            text: the whole of it is the date, with or without a time of day.
            order: of day and month in dates such as 03/04/2026.
        """
        if not 6 <= len(text) <= MAX_CHARACTERS:
            return False, None
        found = _NUMERIC.fullmatch(text)
        if found is not None:
            return _numeric_date(found, order)
        found = _EAST_ASIAN.fullmatch(text)
        if found is not None:
            read = _east_asian_date(found)
            return read is not None, read
        if not _may_be_written_date(text, self._months):
            return False, None
        parsed = self._parser.get_date_data(text).date_obj
        if parsed is None:
            return False, None
        has_century = any(len(number) == 4 for number in _NUMBER.findall(text))
        return True, parsed.date() if has_century else _date(f"{parsed.year % 100:02}", parsed.month, parsed.day)

    def find(self, text: str, order: DateOrder | None) -> date | None:
        """The date that a text is or, in numbers, contains once; also one such as 20261129."""
        is_date, read = self.read(text, order)
        if is_date:
            return read
        compact = _COMPACT.fullmatch(text)
        if compact is not None:
            return _date(compact[1], int(compact[2]), int(compact[3]))
        inside = list(_NUMERIC_INSIDE.finditer(text))
        return _numeric_date(inside[0], order)[1] if len(inside) == 1 else None


def _may_be_written_date(text: str, months: frozenset[str]) -> bool:
    """Whether a text could be a date with a month's name: it has that, a day, a year and few other words."""
    numbers = _NUMBER.findall(text)
    if not 2 <= len(numbers) <= 6 or not any(len(number) in (2, 4) for number in numbers):
        return False
    if max(map(len, numbers)) > 4 or len(text.split()) > MAX_WORDS + 2:
        return False
    words = _WORD.findall(text)
    return len(words) <= MAX_WORDS and any(word.casefold() in months for word in words)


def _numeric_date(found: re.Match[str], order: DateOrder | None) -> tuple[bool, date | None]:
    first, second, last = int(found[1]), int(found[3]), found[4]
    if len(found[1]) == 4 or (len(found[1]) == 2 and first > 31 and len(last) <= 2):
        read = _date(found[1], second, int(last)) if len(last) <= 2 else None
        return read is not None, read
    if not _is_year_last(found):
        return False, None
    day_first, month_first = _date(last, second, first), _date(last, first, second)
    if day_first is None or month_first is None or day_first == month_first:
        read = day_first or month_first
        return read is not None, read
    return True, {"DMY": day_first, "MDY": month_first, None: None}[order]


def _east_asian_date(found: re.Match[str]) -> date | None:
    era, year = found[1], 1 if found[2] == "元" else int(found[2])
    if era is None and len(found[2]) not in (2, 4):
        return None
    return _date(str(_YEAR_BEFORE_ERA[era] + year) if era else found[2], int(found[3]), int(found[4]))


def _is_year_last(found: re.Match[str]) -> bool:
    return len(found[1]) <= 2 and len(found[4]) in (2, 4)


def _date(year: str, month: int, day: int) -> date | None:
    """The date, if there is one, from 1500 to 2199. A year of two digits is one from 1950 to 2049."""
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 50 else 1900
    try:
        return date(number, month, day) if 1500 <= number < 2200 else None
    except ValueError:
        return None

"""Where the values that a corpus names stand in the words of a page.

A corpus that gives values without places (SROIE, Kleister-NDA, DocVQA) is made one of labelled words by looking its
values up in the words that were read. First as they are, without regard to case, punctuation, accents and where a word
ends; then in the other ways in which a date, a length of time or a company's name is written; at last with some
characters wrong, as OCR leaves them.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.datasets.value_formats import company_variants, find_dates, find_lengths, read_date, read_length
from pipelines.schema import Row

MAX_WRONG_SHARE = 0.12
"""Characters of a value that may be wrong, missing or too many for it to be found still."""

MAX_DIGITS_SHARE = 0.5
"""A value with more digits than this is looked up exactly: a number with one wrong digit is another number."""

_LETTER, _DIGIT, _NONE = 1, 2, 0


class Span(NamedTuple):
    """Words from the first to the last, both included."""

    first_word: int
    last_word: int


class _Joined(NamedTuple):
    """Words as one run of the characters that matter.

    Attributes:
        text: letters and digits, lower case.
        word: index of the word of each character.
        begins: whether something can begin at a character: a word, what follows punctuation, digits after letters.
        ends: whether something can end with a character, likewise.
    """

    text: str
    word: list[int]
    begins: list[bool]
    ends: list[bool]


class PageText:
    """The words of a page (or of a document), prepared for looking up many values."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._joined: dict[bool, _Joined] = {}
        self._coded: npt.NDArray[np.uint32] | None = None
        self._starts: list[int] = []
        self._text: str | None = None

    def joined(self, *, with_points: bool) -> _Joined:
        """The characters that matter; with points, also the one between two digits, so that 9.00 is not 900."""
        if with_points not in self._joined:
            self._joined[with_points] = _join(self.words, with_points)
        return self._joined[with_points]

    @property
    def coded(self) -> npt.NDArray[np.uint32]:
        """The code points of `joined(with_points=False)`, uint32 [characters]."""
        if self._coded is None:
            self._coded = _code(self.joined(with_points=False).text)
        return self._coded

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        if self._text is None:
            self._text = " ".join(self.words)
            place = 0
            for word in self.words:
                self._starts.append(place)
                place += len(word) + 1
        return self._text

    def span(self, start: int, end: int) -> Span:
        """The words that hold the characters of `text` from `start` to before `end`."""
        return Span(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end) - 1)


def locate(words: Sequence[str] | PageText, value: str, *, tolerant: bool = True) -> list[Span]:
    """All places of a value, in the order of the words; those of the closest likeness that there is at all.

    Case, punctuation, accents and white space (also `_`) do not count, "&" is "and", and a value may begin or end
    within a word where that changes from letters to digits or has a mark (`RM9.00`, `Date:25/12/2018`). Likenesses, the
    first that is met ends the search:

    1. the same length of time, such as "two (2) years" for `2_years`; or the same characters, where a point or comma
       between two digits counts;
    2. the same without such points; or the same date in other words; or a company with its suffix in another form;
    3. with up to `MAX_WRONG_SHARE` of the value's characters wrong, by edit distance (Sellers, "The theory and
       computation of evolutionary distances", 1980), where at most half of it are digits.

    Args:
        words: of a page in reading order, or the same as `PageText` where many values are to be looked up.
        value: what to find; nothing is found of an empty one.
        tolerant: also try the third.
    """
    page = words if isinstance(words, PageText) else PageText(words)
    steps: list[Callable[[PageText, str], list[Span]]] = [
        _same_length,
        _same_with_points,
        _same_date,
        _same,
        _same_name,
    ]
    if tolerant:
        steps.append(_alike)
    for step in steps:
        if spans := step(page, value):
            return spans
    return []


def find_answer(words: Sequence[str] | PageText, answers: Iterable[str]) -> Span | None:
    """The first place of the first answer that is found at all: exactly by any of them, else tolerantly.

    This is the practice for DocVQA that the authors of LayoutLM refer to (threads 407 and 786 of microsoft/unilm, to
    the preprocessing of anisha2102/docvqa): case-insensitive, exact before fuzzy, the first occurrence.
    """
    page = words if isinstance(words, PageText) else PageText(words)
    answers = list(answers)
    for tolerant in (False, True):
        for answer in answers:
            if spans := locate(page, answer, tolerant=tolerant):
                return spans[0]
    return None


def locate_answers(words: Sequence[str], questions: Sequence[Row] | None) -> list[Row]:
    """Questions (as in a row of `LABELLED_PAGE`) with the place of their answers on this page, -1 where not found."""
    page = PageText(words)
    located = []
    for question in questions or ():
        first, last = find_answer(page, question["answers"]) or (-1, -1)
        located.append({**question, "first_word": first, "last_word": last})
    return located


def normalise_text(text: str) -> str:
    """The letters and digits of a text that count when it is looked up: lower case, no accents, "&" as "and"."""
    return _join([text], with_points=False).text


def _characters(word: str) -> str:
    return unicodedata.normalize("NFKD", word).replace("&", " and ").casefold()


def _join(words: Sequence[str], with_points: bool) -> _Joined:
    text: list[str] = []
    places: list[int] = []
    begins: list[bool] = []
    ends: list[bool] = []
    for index, word in enumerate(words):
        characters = _characters(word)
        before = _NONE
        for place, character in enumerate(characters):
            kind = _kind(character)
            if kind == _NONE:
                after = characters[place + 1 : place + 2]
                if character in ".," and before == _DIGIT and _kind(after) == _DIGIT:
                    if with_points:  # else what stands around it is one number all the same
                        text.append(".")
                        places.append(index)
                        begins.append(False)
                        ends.append(False)
                elif not unicodedata.combining(character):
                    if before:
                        ends[-1] = True
                    before = _NONE
                continue
            if before and before != kind:
                ends[-1] = True
            text.append(character)
            places.append(index)
            begins.append(before != kind)
            ends.append(False)
            before = kind
        if before:
            ends[-1] = True
    return _Joined("".join(text), places, begins, ends)


def _kind(character: str) -> int:
    if character.isdigit():
        return _DIGIT
    return _LETTER if character.isalnum() else _NONE


def _code(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _same_with_points(page: PageText, value: str) -> list[Span]:
    wanted = _join([value], with_points=True).text
    if not wanted:
        return _same_marks(page, value)
    return _occurrences(page.joined(with_points=True), wanted)


def _same(page: PageText, value: str) -> list[Span]:
    wanted = normalise_text(value)
    return _occurrences(page.joined(with_points=False), wanted) if wanted else []


def _occurrences(joined: _Joined, wanted: str) -> list[Span]:
    spans: list[Span] = []
    start = joined.text.find(wanted)
    while start >= 0:
        last = start + len(wanted) - 1
        if joined.begins[start] and joined.ends[last]:
            spans.append(Span(joined.word[start], joined.word[last]))
        start = joined.text.find(wanted, start + 1)
    return list(dict.fromkeys(spans))


def _same_marks(page: PageText, value: str) -> list[Span]:
    """A value without letters and digits is looked up word by word as it stands."""
    wanted = value.split()
    length = len(wanted)
    if not wanted:
        return []
    places = range(len(page.words) - length + 1)
    return [Span(place, place + length - 1) for place in places if list(page.words[place : place + length]) == wanted]


def _same_date(page: PageText, value: str) -> list[Span]:
    readings = set(read_date(value))
    if not readings:
        return []
    text = page.text
    return [page.span(found.start, found.end) for found in find_dates(text) if readings.intersection(found.readings)]


def _same_length(page: PageText, value: str) -> list[Span]:
    length = read_length(value.replace("_", " "))
    if length is None:
        return []
    text = page.text
    return [page.span(found.start, found.end) for found in find_lengths(text) if found.length == length]


def _same_name(page: PageText, value: str) -> list[Span]:
    for variant in company_variants(value.replace("_", " ")):
        wanted = normalise_text(variant)
        if spans := _occurrences(page.joined(with_points=False), wanted):
            return spans
    return []


def _alike(page: PageText, value: str) -> list[Span]:
    wanted = normalise_text(value)
    wrong = int(MAX_WRONG_SHARE * len(wanted))
    if not wrong or sum(map(str.isdigit, wanted)) > MAX_DIGITS_SHARE * len(wanted):
        return []
    joined = page.joined(with_points=False)
    pattern, text = _code(wanted), page.coded
    distances = _end_distances(pattern, text)
    ends = [int(end) for end in np.flatnonzero(distances <= wrong) if joined.ends[end]]
    spans: list[Span] = []
    taken = np.zeros(len(text), dtype=bool)
    for end in sorted(ends, key=lambda place: (distances[place], place)):
        low = max(0, end + 1 - len(wanted) - wrong)
        if taken[low : end + 1].any():
            low += int(np.flatnonzero(taken[low : end + 1])[-1]) + 1
        backwards = _end_distances(pattern[::-1], text[low : end + 1][::-1])[::-1]
        starts = [low + int(place) for place in np.flatnonzero(backwards <= wrong) if joined.begins[low + int(place)]]
        if starts:
            start = min(starts, key=lambda place: (backwards[place - low], place))
            taken[start : end + 1] = True
            spans.append(Span(joined.word[start], joined.word[end]))
    return sorted(dict.fromkeys(spans))


def _end_distances(pattern: npt.NDArray[np.uint32], text: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """For each character of a text the least edit distance of a pattern to what ends with it, int64 [characters].

    Row by row of Sellers' table; the step along a row is a running minimum of what is left after taking off the slope.
    """
    slope = np.arange(len(text) + 1)
    row = np.zeros(len(text) + 1, dtype=np.int64)
    for count, character in enumerate(pattern, start=1):
        following = np.empty_like(row)
        following[0] = count
        following[1:] = np.minimum(row[:-1] + (text != character), row[1:] + 1)
        row = np.minimum.accumulate(following - slope) + slope
    return row[1:]

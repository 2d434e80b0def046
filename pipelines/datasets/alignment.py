"""Alignment: the positions of a corpus's values in the words of a page.

Some corpora give values without positions (SROIE, Kleister-NDA, DocVQA). To label words, their values are looked up in
the words of the page: first as they are, without regard to case, punctuation, accents and word boundaries; then in the
other formats of a date, a duration or a company's name; at last with some wrong characters, as OCR leaves them.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.datasets.value_formats import company_variants, find_dates, find_durations, read_date, read_duration
from pipelines.schema import Row

MAX_WRONG_SHARE = 0.12
"""The largest share of a value's characters that may be wrong, missing or added."""

MAX_DIGITS_SHARE = 0.5
"""A value with a larger share of digits is looked up exactly: a number with one wrong digit is another number."""

_LETTER, _DIGIT, _NONE = 1, 2, 0


class Span(NamedTuple):
    """Words from the first to the last, inclusive."""

    first_word: int
    last_word: int


class _Joined(NamedTuple):
    """Words as one string of the characters that are compared.

    Attributes:
        text: letters and digits, lower case.
        word: index of the word of each character.
        begins: whether a value can begin at a character: at a word, after punctuation, at digits after letters.
        ends: whether a value can end with a character, likewise.
    """

    text: str
    word: list[int]
    begins: list[bool]
    ends: list[bool]


class PageText:
    """The words of a page (or of a document), prepared for the lookup of many values."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._joined: dict[bool, _Joined] = {}
        self._coded: npt.NDArray[np.uint32] | None = None
        self._starts: list[int] = []
        self._text: str | None = None

    def joined(self, *, with_points: bool) -> _Joined:
        """The characters that are compared; with points, also a point between two digits, so that 9.00 is not 900."""
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
            start = 0
            for word in self.words:
                self._starts.append(start)
                start += len(word) + 1
        return self._text

    def span(self, start: int, end: int) -> Span:
        """The words that hold the characters of `text` from `start` to before `end`."""
        return Span(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end) - 1)


def locate(words: Sequence[str] | PageText, value: str, *, tolerant: bool = True) -> list[Span]:
    """All positions of a value, in the order of the words.

    Case, punctuation, accents and white space (also `_`) do not count, "&" is "and", and a value may begin or end
    within a word at punctuation or a change from letters to digits (`RM9.00`, `Date:25/12/2018`). These are tried in
    turn, and the first that finds anything ends the search:

    1. the same duration, such as "two (2) years" for `2_years`; or the same characters, where a point or comma between
       two digits counts;
    2. the same characters without such points; or the same date in another format; or a company with another form of
       its suffix;
    3. up to `MAX_WRONG_SHARE` of the value's characters wrong, by edit distance (Sellers, "The theory and computation
       of evolutionary distances", 1980), if at most half of them are digits.

    Args:
        words: of a page in reading order, or the `PageText` of it if many values are looked up.
        value: the value to find; an empty one is never found.
        tolerant: also try the third.
    """
    page = words if isinstance(words, PageText) else PageText(words)
    steps: list[Callable[[PageText, str], list[Span]]] = [
        _same_duration,
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
    """The first position of the first answer that is found: exactly, or else tolerantly; None if none is.

    This is the practice for DocVQA to which the authors of LayoutLM refer (threads 407 and 786 of microsoft/unilm, to
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
    """Questions (as in a row of `LABELLED_PAGE`) with the positions of their answers on this page, -1 if not found."""
    page = PageText(words)
    located = []
    for question in questions or ():
        first, last = find_answer(page, question["answers"]) or (-1, -1)
        located.append({**question, "first_word": first, "last_word": last})
    return located


def normalise_text(text: str) -> str:
    """The characters of a text that are compared: letters and digits, lower case, no accents, "&" as "and"."""
    return _join([text], with_points=False).text


def _characters(word: str) -> str:
    return unicodedata.normalize("NFKD", word).replace("&", " and ").casefold()


def _join(words: Sequence[str], with_points: bool) -> _Joined:
    text: list[str] = []
    word_of: list[int] = []
    begins: list[bool] = []
    ends: list[bool] = []
    for index, word in enumerate(words):
        characters = _characters(word)
        before = _NONE
        for position, character in enumerate(characters):
            kind = _kind(character)
            if kind == _NONE:
                after = characters[position + 1 : position + 2]
                if character in ".," and before == _DIGIT and _kind(after) == _DIGIT:
                    if with_points:  # without them, the digits around it are still one number
                        text.append(".")
                        word_of.append(index)
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
            word_of.append(index)
            begins.append(before != kind)
            ends.append(False)
            before = kind
        if before:
            ends[-1] = True
    return _Joined("".join(text), word_of, begins, ends)


def _kind(character: str) -> int:
    if character.isdigit():
        return _DIGIT
    return _LETTER if character.isalnum() else _NONE


def _code(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _same_with_points(page: PageText, value: str) -> list[Span]:
    pattern = _join([value], with_points=True).text
    if not pattern:
        return _same_punctuation(page, value)
    return _occurrences(page.joined(with_points=True), pattern)


def _same(page: PageText, value: str) -> list[Span]:
    pattern = normalise_text(value)
    return _occurrences(page.joined(with_points=False), pattern) if pattern else []


def _occurrences(joined: _Joined, pattern: str) -> list[Span]:
    spans: list[Span] = []
    start = joined.text.find(pattern)
    while start >= 0:
        last = start + len(pattern) - 1
        if joined.begins[start] and joined.ends[last]:
            spans.append(Span(joined.word[start], joined.word[last]))
        start = joined.text.find(pattern, start + 1)
    return list(dict.fromkeys(spans))


def _same_punctuation(page: PageText, value: str) -> list[Span]:
    """A value without letters and digits is looked up word by word, unchanged."""
    pattern = value.split()
    length = len(pattern)
    if not pattern:
        return []
    starts = range(len(page.words) - length + 1)
    return [Span(start, start + length - 1) for start in starts if list(page.words[start : start + length]) == pattern]


def _same_date(page: PageText, value: str) -> list[Span]:
    readings = set(read_date(value))
    if not readings:
        return []
    text = page.text
    return [page.span(found.start, found.end) for found in find_dates(text) if readings.intersection(found.readings)]


def _same_duration(page: PageText, value: str) -> list[Span]:
    duration = read_duration(value.replace("_", " "))
    if duration is None:
        return []
    text = page.text
    return [page.span(found.start, found.end) for found in find_durations(text) if found.duration == duration]


def _same_name(page: PageText, value: str) -> list[Span]:
    for variant in company_variants(value.replace("_", " ")):
        pattern = normalise_text(variant)
        if spans := _occurrences(page.joined(with_points=False), pattern):
            return spans
    return []


def _alike(page: PageText, value: str) -> list[Span]:
    characters = normalise_text(value)
    wrong = int(MAX_WRONG_SHARE * len(characters))
    if not wrong or sum(map(str.isdigit, characters)) > MAX_DIGITS_SHARE * len(characters):
        return []
    joined = page.joined(with_points=False)
    pattern, text = _code(characters), page.coded
    distances = _end_distances(pattern, text)
    ends = [int(end) for end in np.flatnonzero(distances <= wrong) if joined.ends[end]]
    spans: list[Span] = []
    taken = np.zeros(len(text), dtype=bool)
    for end in sorted(ends, key=lambda end: (distances[end], end)):
        low = max(0, end + 1 - len(characters) - wrong)
        if taken[low : end + 1].any():
            low += int(np.flatnonzero(taken[low : end + 1])[-1]) + 1
        backwards = _end_distances(pattern[::-1], text[low : end + 1][::-1])[::-1]
        starts = [low + int(start) for start in np.flatnonzero(backwards <= wrong) if joined.begins[low + int(start)]]
        if starts:
            start = min(starts, key=lambda start: (backwards[start - low], start))
            taken[start : end + 1] = True
            spans.append(Span(joined.word[start], joined.word[end]))
    return sorted(dict.fromkeys(spans))


def _end_distances(pattern: npt.NDArray[np.uint32], text: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """For each character of a text the least edit distance of a pattern to a part that ends there, int64 [characters].

    Sellers' table row by row; insertions along a row are a running minimum after the slope is subtracted.
    """
    slope = np.arange(len(text) + 1)
    row = np.zeros(len(text) + 1, dtype=np.int64)
    for count, character in enumerate(pattern, start=1):
        following = np.empty_like(row)
        following[0] = count
        following[1:] = np.minimum(row[:-1] + (text != character), row[1:] + 1)
        row = np.minimum.accumulate(following - slope) + slope
    return row[1:]

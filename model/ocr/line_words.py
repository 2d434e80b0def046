"""Cuts a recognised text line into words, by its spaces, the gaps in its ink and dictionaries, and draws boxes."""

from __future__ import annotations

import itertools
import math
import unicodedata
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.word_breaks import is_unspaced, is_wide, word_spans

__all__ = ["Character", "Grey", "split_line"]

Grey = npt.NDArray[np.uint8]
"""A grey picture, uint8 (height, width)."""


LEAST_DIGIT_PITCHES = 4
"""From so many distances of neighbouring digits on, the usual one is known."""


@dataclass(frozen=True)
class Character:
    """A recognised character: where its peak lies along the line, 0-1, and its probability, 0-1."""

    text: str
    position: float
    probability: float


def split_line(
    crop: Grey, characters: Sequence[Character]
) -> list[tuple[str, tuple[float, float, float, float], float]]:
    """Words of a line as (text, (x0, y0, x1, y1) in pixels of `crop`, mean probability of the characters).

    A word ends at a recognised space. It also ends where all of this holds: the characters' peaks are 1.3 times as far
    apart as usual in the line; the gap without ink between them is 3 times as wide as those between the line's other
    letters and a fifth of the text's height; and it is 0.7 times as wide as the line's recognised spaces. Before
    closing punctuation, after opening brackets and inside numbers the gap must be 1.5 to 1.8 times wider still. Between
    two digits whose ink is 1.2 times as far apart as that of the line's other digits, a gap of a fifth of the text's
    height is enough, if it is wider than usual by four fifths of what they are further apart: a space widens both.
    What is left is cut as in `model.word_breaks`; boxes of words without spaces have the height of the line's ink, for
    strokes such as those of "一" would not tell which line they are on.

    Args:
        crop: the upright line, uint8 (height, width).
        characters: in the order of their positions; spaces among them.
    """
    letters = [character for character in characters if not character.text.isspace()]
    if not letters:
        return []
    ink = _ink(crop)
    width = crop.shape[1]
    peaks = [letter.position * width for letter in letters]
    gaps = _gaps(ink, peaks)
    rows = np.flatnonzero(ink.any(axis=1))
    text_height = float(rows[-1] - rows[0] + 1) if len(rows) else float(crop.shape[0])
    cuts = _cuts(characters, letters, peaks, gaps, text_height)
    cuts |= _dictionary_cuts(letters, cuts)
    pitch = (peaks[-1] - peaks[0]) / (len(peaks) - 1) if len(peaks) > 1 else text_height / 2
    words, start = [], 0
    for last in [*sorted(cuts), len(letters) - 1]:
        left = 0.0 if start == 0 else _middle(gaps[start - 1], peaks[start - 1], peaks[start])
        right = float(width) if last == len(letters) - 1 else _middle(gaps[last], peaks[last], peaks[last + 1])
        box = _tight(ink, left, right, peaks[start] - 1.5 * pitch, peaks[last] + 1.5 * pitch, text_height)
        word = letters[start : last + 1]
        text = "".join(letter.text for letter in word)
        if len(rows) and is_unspaced(text):
            box = box[0], float(rows[0]) - 0.06 * text_height, box[2], float(rows[-1] + 1) + 0.06 * text_height
        confidence = sum(letter.probability for letter in word) / len(word)
        words.append((text, box, min(max(confidence, 0.0), 1.0)))
        start = last + 1
    return words


def _cuts(
    characters: Sequence[Character],
    letters: Sequence[Character],
    peaks: Sequence[float],
    gaps: Sequence[tuple[int, int]],
    text_height: float,
) -> set[int]:
    """Indices of the letters after which a word ends, without the last letter."""
    cuts: set[int] = set()
    before = -1
    for character in characters:
        if not character.text.isspace():
            before += 1
        elif 0 <= before < len(letters) - 1:
            cuts.add(before)
    inner = [index for index in range(len(gaps)) if index not in cuts]
    if not inner:
        return cuts
    usual_gap = max(float(np.median([gaps[i][1] - gaps[i][0] for i in inner])), 1.0)
    usual_pitch = float(np.median([peaks[i + 1] - peaks[i] for i in inner]))
    further = _further_apart(letters, gaps)
    space = float(np.median([gaps[i][1] - gaps[i][0] for i in cuts])) if cuts else 0.0
    for index in inner:
        gap = gaps[index][1] - gaps[index][0]
        need = _reluctance(letters, index) * max(0.2 * text_height, 3 * usual_gap)
        wide = gap >= need and peaks[index + 1] - peaks[index] >= 1.3 * usual_pitch
        apart = index in further and gap >= 0.2 * text_height and gap - usual_gap >= 0.8 * further[index]
        if not (wide or apart) or gap < 0.7 * space:
            continue
        if not any(_is_one_gap(gaps[index], gaps[beside]) for beside in (index - 1, index + 1) if beside in cuts):
            cuts.add(index)
    return cuts


def _further_apart(letters: Sequence[Character], gaps: Sequence[tuple[int, int]]) -> dict[int, float]:
    """By how many pixels the ink of digits is further from that of the next digit than usual, if by a fifth or more.

    Digits are equally wide in most fonts, narrow ones stand in wide gaps, and peaks are only known to a step of the
    recogniser: the middles of their ink tell a space from the gaps beside a "1". Digits that touch, and pale ones
    of which no ink is seen, are left out.
    """
    middles = {
        index: (gaps[index - 1][1] + gaps[index][0]) / 2
        for index in range(1, len(gaps))
        if letters[index].text.isdigit()
        and all(end > start for start, end in gaps[index - 1 : index + 1])
        and not _is_one_gap(gaps[index - 1], gaps[index])
    }
    pitches = {index: middles[index + 1] - middles[index] for index in middles if index + 1 in middles}
    if len(pitches) < LEAST_DIGIT_PITCHES:
        return {}
    usual = float(np.median(list(pitches.values())))
    return {index: pitch - usual for index, pitch in pitches.items() if pitch - usual >= 0.2 * usual}


def _dictionary_cuts(letters: Sequence[Character], cuts: set[int]) -> set[int]:
    """Indices of the letters after which a word ends between two of the cuts, by dictionaries."""
    found: set[int] = set()
    start = 0
    for last in [*sorted(cuts), len(letters) - 1]:
        ends = list(itertools.accumulate(len(letter.text) for letter in letters[start : last + 1]))
        stops = {stop for _, stop in word_spans("".join(letter.text for letter in letters[start : last + 1]))}
        found |= {start + index for index, end in enumerate(ends[:-1]) if end in stops}
        start = last + 1
    return found


def _is_one_gap(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two gaps touch: peaks lie beside their letters at times, so that the gap of a space seems to be two."""
    return first[0] <= second[1] + 1 and second[0] <= first[1] + 1


def _reluctance(letters: Sequence[Character], index: int) -> float:
    """How much wider than usual the gap after a letter must be to end a word."""
    left, right = letters[index].text, letters[index + 1].text
    if (is_wide(right) and unicodedata.category(right)[0] == "P") or left in "￥¥（「":
        return 3.0  # they stand on one side of a square
    if right in ".,;:!?)]}%" or left in "([{$#":
        return 1.6
    if left in ".,:-/" and right.isdigit() and index and letters[index - 1].text.isdigit():
        return 1.8
    return 1.5 if left.isdigit() and right.isdigit() else 1.0


def _ink(crop: Grey) -> npt.NDArray[np.bool_]:
    """Where a line has ink, dark on light or light on dark, without rules that run along most of it."""
    low, paper, high = np.percentile(crop, (2, 50, 98))
    if high - low < 20:
        return np.zeros(crop.shape, bool)
    middle = (low + high) / 2
    ink: npt.NDArray[np.bool_] = np.asarray(crop < middle if paper - low >= high - paper else crop > middle)
    ink[ink.mean(axis=1) > 0.75] = False
    return ink


def _gaps(ink: npt.NDArray[np.bool_], peaks: Sequence[float]) -> list[tuple[int, int]]:
    """Between each two peaks, the widest run of columns without ink, as (first, end); empty if there is none."""
    height, width = ink.shape
    empty = np.zeros(width + 2, np.int8)
    empty[1:-1] = ~ink[int(height * 0.08) : max(int(height * 0.92), 1)].any(axis=0)
    edges = np.flatnonzero(np.diff(empty)).tolist()
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    gaps = []
    for left, right in itertools.pairwise(peaks):
        first, end = int(left), min(int(right) + 1, width)
        widest = first, first
        for start, stop in runs[max(bisect(edges, first) // 2, 0) :]:
            if start >= end:
                break
            begin, last = max(start, first), min(stop, end)
            if last - begin > widest[1] - widest[0]:
                widest = begin, last
        gaps.append(widest)
    return gaps


def _middle(gap: tuple[int, int], left: float, right: float) -> float:
    return (gap[0] + gap[1]) / 2 if gap[1] > gap[0] else (left + right) / 2


def _tight(
    ink: npt.NDArray[np.bool_], left: float, right: float, least: float, most: float, text_height: float
) -> tuple[float, float, float, float]:
    """A box around the ink between two columns, within `least` and `most`, and a margin like an annotator's."""
    first, end = int(left), max(math.ceil(right), int(left) + 1)
    columns = np.flatnonzero(ink[:, first:end].any(axis=0))
    x0, x1 = left, right
    if len(columns):
        x0, x1 = max(float(first + columns[0]), least), min(float(first + columns[-1] + 1), most)
        if x1 <= x0:
            x0, x1 = left, right
    rows = np.flatnonzero(ink[:, int(x0) : max(math.ceil(x1), int(x0) + 1)].any(axis=1))
    y0, y1 = (float(rows[0]), float(rows[-1] + 1)) if len(rows) else (0.0, float(ink.shape[0]))
    across, along = 0.06 * text_height, 0.04 * text_height
    return x0 - along, y0 - across, x1 + along, y1 + across

"""Page mixing: new labelled pages out of two, for small corpora.

A field is the words of one entity, or a line of words outside of entities. The lower part of a page is taken from the
other one, texts of similar fields are exchanged, digits are drawn anew, fields are left out or read in another order.
Every word keeps the label of its field.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.decode import split_label
from pipelines.training.augment import PAGE_SIDE

Box = tuple[int, int, int, int]

CUT_RANGE = (200, 800)
"""The heights at which a page may be cut, in thousandths."""

LINE_HEIGHT = 15
COLUMN_WIDTH = 250
"""Fields this close, in thousandths of the page, count as one line or one column when they are sorted."""

PIECES = 8
"""About the number of runs into which a page's fields are cut when its parts are read in random order."""


@dataclass(frozen=True)
class PageMixingOptions:
    """How much a page is changed, as probabilities from 0 to 1; all zero changes nothing.

    Attributes:
        splice: of a page: the part below a random height is taken from the other page.
        reorder: of a page: its fields are read in another order: by lines, by columns, or in pieces at random.
        exchange: of each field: it gets the text of a field of the other page with equal label and number of words.
        digits: of each field: its digits are drawn anew.
        drop: of each field: it is left out.
    """

    splice: float = 0.0
    reorder: float = 0.0
    exchange: float = 0.0
    digits: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{option.name} is {value:g}; it is a probability, from 0 to 1")

    @property
    def changes_nothing(self) -> bool:
        return self == PageMixingOptions()


class LabelledWords(NamedTuple):
    """A page's words with a box and a BIO label (or None) each, and its image (uint8 [3, height, width])."""

    words: list[str]
    boxes: list[Box]
    labels: list[str | None]
    model_image: npt.NDArray[np.uint8]


class Field(NamedTuple):
    """Neighbouring words of one entity, or outside of entities (`name` is empty)."""

    name: str
    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str | None, ...]

    @property
    def middle(self) -> float:
        """The mean height of its words on the page, in thousandths."""
        return float(np.mean([(box[1] + box[3]) / 2 for box in self.boxes]))


def mix_pages(
    page: LabelledWords, other: LabelledWords, random: np.random.Generator, options: PageMixingOptions
) -> LabelledWords:
    """A new page out of `page` and `other`, which are left as they are. Equal generator states give equal pages."""
    if options.changes_nothing:
        return page
    fields, others = fields_of(page), fields_of(other)
    model_image = page.model_image
    texts: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    for field in others:
        texts.setdefault((field.name, len(field.words)), []).append(field.words)
    if random.random() < options.splice:
        cut = int(random.integers(*CUT_RANGE))
        fields = [field for field in fields if field.middle < cut] + [field for field in others if field.middle >= cut]
        model_image = model_image.copy()
        row = cut * model_image.shape[1] // PAGE_SIDE
        model_image[:, row:] = other.model_image[:, row:]
    if random.random() < options.reorder:
        fields = _reordered(fields, random)
    kept = []
    for field in fields:
        if random.random() < options.drop:
            continue
        words = field.words
        alike = texts.get((field.name, len(words)))
        if alike and random.random() < options.exchange:
            words = alike[int(random.integers(len(alike)))]
        if random.random() < options.digits:
            words = tuple(_other_digits(word, random) for word in words)
        kept.append(field._replace(words=words))
    if not kept:
        return page
    return LabelledWords(
        words=[word for field in kept for word in field.words],
        boxes=[box for field in kept for box in field.boxes],
        labels=[label for field in kept for label in field.labels],
        model_image=model_image,
    )


def fields_of(page: LabelledWords) -> list[Field]:
    """The fields of a page, in its order; neighbouring words outside of entities are one field while on one line."""
    starts: list[int] = []
    names: list[str] = []
    for index, label in enumerate(page.labels):
        prefix, name = ("O", "") if label is None else split_label(label)
        goes_on = bool(names) and name == names[-1]
        if goes_on and prefix == "O":
            goes_on = _on_one_line(page.boxes[index - 1], page.boxes[index])
        elif goes_on:
            goes_on = prefix == "I"
        if not goes_on:
            starts.append(index)
            names.append(name)
    ends = [*starts[1:], len(page.words)]
    return [
        Field(name, tuple(page.words[first:end]), tuple(page.boxes[first:end]), tuple(page.labels[first:end]))
        for name, first, end in zip(names, starts, ends, strict=True)
    ]


def _on_one_line(left: Box, right: Box) -> bool:
    middle = (right[1] + right[3]) / 2
    return left[1] <= middle <= left[3]


def _reordered(fields: list[Field], random: np.random.Generator) -> list[Field]:
    order = int(random.integers(3))
    if order == 0:
        return sorted(fields, key=lambda field: (field.boxes[0][1] // LINE_HEIGHT, field.boxes[0][0]))
    if order == 1:
        return sorted(fields, key=lambda field: (field.boxes[0][0] // COLUMN_WIDTH, field.boxes[0][1]))
    size = max(1, len(fields) // PIECES)
    pieces = [fields[first : first + size] for first in range(0, len(fields), size)]
    return [field for piece in random.permutation(len(pieces)) for field in pieces[piece]]


def _other_digits(word: str, random: np.random.Generator) -> str:
    return "".join(str(random.integers(10)) if character in "0123456789" else character for character in word)

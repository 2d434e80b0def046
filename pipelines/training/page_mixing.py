"""Remix: new labelled pages out of two, for corpora that are small.

A block is the words of one entity, or a line of words that belong to none. The lower half of a page is taken from
another, texts of like blocks are exchanged, digits drawn anew, blocks left out and read in another order; every word
keeps the label that its block gives it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.decode import split_label
from pipelines.training.augment import PAGE_SIDE

Box = tuple[int, int, int, int]

CUT_RANGE = (200, 800)
"""Where a page may be cut, in thousandths of its height."""

LINE_HEIGHT = 15
COLUMN_WIDTH = 250
"""Thousandths of the page: blocks this close count as one line, or one column, where blocks are put in order."""

PIECES = 8
"""Into so many runs of blocks a page is cut where its parts are read in a random order."""


@dataclass(frozen=True)
class PageMixingOptions:
    """How much a page is changed; all zero changes nothing. All are probabilities, 0 to 1.

    Attributes:
        splice: that the part below a random height is taken from the other page.
        reorder: that the blocks are read in another order: by lines, by columns, or in pieces at random.
        exchange: of each block, to get the text of a block of the other page with its label and number of words.
        digits: of each block, to get its digits drawn anew.
        drop: of each block, to be left out.
    """

    splice: float = 0.0
    reorder: float = 0.0
    exchange: float = 0.0
    digits: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{option.name} is {value:g}; it is a probability, from 0 to 1")

    @property
    def changes_nothing(self) -> bool:
        return self == PageMixingOptions()


class LabelledWords(NamedTuple):
    """A page's words with a box and a BIO label (or None) each, and its picture (uint8 [3, height, width])."""

    words: list[str]
    boxes: list[Box]
    labels: list[str | None]
    model_image: npt.NDArray[np.uint8]


class Block(NamedTuple):
    """Neighbouring words of one entity, or of none (`name` is empty)."""

    name: str
    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str | None, ...]

    @property
    def middle(self) -> float:
        """Of its height on the page."""
        return float(np.mean([(box[1] + box[3]) / 2 for box in self.boxes]))


def mix_pages(
    page: LabelledWords, other: LabelledWords, random: np.random.Generator, options: PageMixingOptions
) -> LabelledWords:
    """A new page out of `page` and `other`; both stay as they are. The same generator state gives the same page."""
    if options.changes_nothing:
        return page
    blocks, others = blocks_of(page), blocks_of(other)
    model_image = page.model_image
    texts: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    for block in others:
        texts.setdefault((block.name, len(block.words)), []).append(block.words)
    if random.random() < options.splice:
        cut = int(random.integers(*CUT_RANGE))
        blocks = [block for block in blocks if block.middle < cut] + [block for block in others if block.middle >= cut]
        model_image = model_image.copy()
        row = cut * model_image.shape[1] // PAGE_SIDE
        model_image[:, row:] = other.model_image[:, row:]
    if random.random() < options.reorder:
        blocks = _reordered(blocks, random)
    kept = []
    for block in blocks:
        if random.random() < options.drop:
            continue
        words = block.words
        alike = texts.get((block.name, len(words)))
        if alike and random.random() < options.exchange:
            words = alike[int(random.integers(len(alike)))]
        if random.random() < options.digits:
            words = tuple(_other_digits(word, random) for word in words)
        kept.append(block._replace(words=words))
    if not kept:
        return page
    return LabelledWords(
        words=[word for block in kept for word in block.words],
        boxes=[box for block in kept for box in block.boxes],
        labels=[label for block in kept for label in block.labels],
        model_image=model_image,
    )


def blocks_of(page: LabelledWords) -> list[Block]:
    """The blocks of a page, in its order; words without an entity go together as long as they stay on one line."""
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
        Block(name, tuple(page.words[first:end]), tuple(page.boxes[first:end]), tuple(page.labels[first:end]))
        for name, first, end in zip(names, starts, ends, strict=True)
    ]


def _on_one_line(left: Box, right: Box) -> bool:
    middle = (right[1] + right[3]) / 2
    return left[1] <= middle <= left[3]


def _reordered(blocks: list[Block], random: np.random.Generator) -> list[Block]:
    order = int(random.integers(3))
    if order == 0:
        return sorted(blocks, key=lambda block: (block.boxes[0][1] // LINE_HEIGHT, block.boxes[0][0]))
    if order == 1:
        return sorted(blocks, key=lambda block: (block.boxes[0][0] // COLUMN_WIDTH, block.boxes[0][1]))
    size = max(1, len(blocks) // PIECES)
    pieces = [blocks[first : first + size] for first in range(0, len(blocks), size)]
    return [block for piece in random.permutation(len(pieces)) for block in pieces[piece]]


def _other_digits(word: str, random: np.random.Generator) -> str:
    return "".join(str(random.integers(10)) if character in "0123456789" else character for character in word)

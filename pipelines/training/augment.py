"""Augmentation of windows, for small corpora.

Whole words are hidden or replaced, and the page is moved, scaled and jittered: boxes and image together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PAGE_SIDE = 1000
"""Boxes are in thousandths of the page's width and height."""

HIDDEN_SHARE = 0.75
"""Share of the masked words that become [MASK]; the others become random words. A hidden word has to be inferred from
its layout and neighbours, and a replaced one teaches not to trust the text alone."""

_CENTRE = PAGE_SIDE / 2
_WHITE = 255


@dataclass(frozen=True)
class AugmentOptions:
    """How much a window is changed; all zero changes nothing.

    Attributes:
        mask_words: share (0 to 1) of the words that are hidden or replaced.
        shift: the largest move of the page in x and in y, in thousandths of its sides.
        scale: the largest relative change of its size, in x and in y independently; 0.15 is 85% to 115%.
        jitter: the largest move of each edge of each box, in thousandths.
    """

    mask_words: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    jitter: int = 0

    def __post_init__(self) -> None:
        for name, upper in (("mask_words", 1.0), ("shift", PAGE_SIDE), ("scale", 0.9), ("jitter", PAGE_SIDE)):
            value = getattr(self, name)
            if not 0 <= value <= upper:
                raise ValueError(f"{name.replace('_', '-')} is {value:g}; it must be from 0 to {upper:g}")

    @property
    def changes_nothing(self) -> bool:
        return self == AugmentOptions()


@dataclass(frozen=True)
class AugmentedVocabulary:
    """Token ids for masked words: that of [MASK], and the range (end excluded) from which random words are drawn."""

    mask_token_id: int
    first_word_id: int
    end_word_id: int


class WindowArrays(NamedTuple):
    """A window and the image of its page.

    Attributes:
        input_ids: int64 [tokens].
        bbox: int64 [tokens, 4], 0 to 1000.
        word_indices: int64 [tokens]; -1 for special and question tokens.
        model_image: uint8 [3, height, width].
    """

    input_ids: npt.NDArray[np.int64]
    bbox: npt.NDArray[np.int64]
    word_indices: npt.NDArray[np.int64]
    model_image: npt.NDArray[np.uint8]


class _Move(NamedTuple):
    """x -> (x - centre) * scale + centre + shift; both arrays are float64 [2], for x and y."""

    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]


def augment_window(
    window: WindowArrays, vocabulary: AugmentedVocabulary, random: np.random.Generator, options: AugmentOptions
) -> WindowArrays:
    """A changed copy of a window; `window` itself is left as it is. Equal generator states give equal copies.

    Only words of the page are changed; special and question tokens stay.
    """
    if options.changes_nothing:
        return window
    of_page = window.word_indices >= 0
    if options.mask_words > 0:
        window = _mask_words(window, of_page, vocabulary, random, options.mask_words)
    if options.shift or options.scale:
        move = _Move(
            scale=1 + random.uniform(-options.scale, options.scale, 2),
            shift=random.uniform(-options.shift, options.shift, 2),
        )
        window = _with_boxes(window, of_page, _moved_boxes(window.bbox[of_page], move))
        window = window._replace(model_image=_moved_image(window.model_image, move))
    if options.jitter:
        boxes = window.bbox[of_page]
        boxes = boxes + random.integers(-options.jitter, options.jitter + 1, boxes.shape)
        window = _with_boxes(window, of_page, boxes)
    return window


def _with_boxes(window: WindowArrays, of_page: npt.NDArray[np.bool_], boxes: npt.NDArray[np.int64]) -> WindowArrays:
    """The window with new boxes for the page's tokens, clipped to the page and with their corners in order."""
    clipped = np.clip(boxes, 0, PAGE_SIDE)
    bbox = window.bbox.copy()
    bbox[of_page, :2] = np.minimum(clipped[:, :2], clipped[:, 2:])
    bbox[of_page, 2:] = np.maximum(clipped[:, :2], clipped[:, 2:])
    return window._replace(bbox=bbox)


def _mask_words(
    window: WindowArrays,
    of_page: npt.NDArray[np.bool_],
    vocabulary: AugmentedVocabulary,
    random: np.random.Generator,
    share: float,
) -> WindowArrays:
    if not of_page.any():
        return window
    drawn = random.random(int(window.word_indices.max()) + 1)[np.maximum(window.word_indices, 0)]
    hidden = of_page & (drawn < share * HIDDEN_SHARE)
    replaced = of_page & (drawn < share) & ~hidden
    input_ids = window.input_ids.copy()
    input_ids[hidden] = vocabulary.mask_token_id
    input_ids[replaced] = random.integers(vocabulary.first_word_id, vocabulary.end_word_id, int(replaced.sum()))
    return window._replace(input_ids=input_ids)


def _moved_boxes(boxes: npt.NDArray[np.int64], move: _Move) -> npt.NDArray[np.int64]:
    scale, shift = np.tile(move.scale, 2), np.tile(move.shift, 2)
    return np.rint((boxes - _CENTRE) * scale + _CENTRE + shift).astype(np.int64)


def _moved_image(model_image: npt.NDArray[np.uint8], move: _Move) -> npt.NDArray[np.uint8]:
    """The image under the same move, by nearest pixels; what comes into view is white."""
    _, height, width = model_image.shape
    columns, across = _sources(width, move.scale[0], move.shift[0])
    rows, down = _sources(height, move.scale[1], move.shift[1])
    moved = model_image[:, rows[:, None], columns[None, :]]
    moved[:, ~(down[:, None] & across[None, :])] = _WHITE
    return moved


def _sources(size: int, scale: float, shift: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For each pixel of a side, the index of the pixel that moves there, and whether it is inside the image."""
    centres = (np.arange(size) + 0.5) * PAGE_SIDE / size
    sources = np.floor(((centres - _CENTRE - shift) / scale + _CENTRE) * size / PAGE_SIDE).astype(np.int64)
    inside = (sources >= 0) & (sources < size)
    return np.clip(sources, 0, size - 1), inside

"""What pre-training makes of a window: masked tokens, covered lines, and the picture of another page (paper, 2.3, 3.1).

An example is a function of the window, the other picture and the state of the generator, and of nothing else. An
objective that is left out changes nothing in what the others draw: with the same state they mask, cover and replace the
same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from model.ocr.reading_order import line_segments
from pipelines.training.augment import PAGE_SIDE, AugmentedVocabulary
from pipelines.training.targets import IGNORED_TARGET

PretrainingObjective = Literal["masked-words", "alignment", "matching"]
OBJECTIVES: tuple[PretrainingObjective, ...] = get_args(PretrainingObjective)

COVER_COLOUR = (104, 116, 124)
"""Blue, green, red of what is covered or missing: the mean that the visual backbone subtracts, so that it sees 0 there.
It is neither ink nor paper: white would be the same as an empty place of the page."""

USUAL_WIDTH_TO_HEIGHT = 0.75
"""Of a page whose size is not known; that of a sheet is .71 (A4) or .77 (letter)."""


@dataclass(frozen=True)
class PretrainingShares:
    """How much is hidden, each from 0 to 1; by default as in the paper (section 3.1).

    Attributes:
        masked_tokens: of the text tokens that are predicted.
        hidden, random: of these, become [MASK] or a random token; the rest stay as they are.
        covered_lines: of the lines of text that are covered in the picture.
        replaced_pictures, dropped_pictures: of the windows that see the picture of another page, or none.
    """

    masked_tokens: float = 0.15
    hidden: float = 0.8
    random: float = 0.1
    covered_lines: float = 0.15
    replaced_pictures: float = 0.15
    dropped_pictures: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise ValueError(f"the share {field.name} is {value:g}; it must be from 0 to 1")
        for one, other in (("hidden", "random"), ("replaced_pictures", "dropped_pictures")):
            if getattr(self, one) + getattr(self, other) > 1:
                raise ValueError(f"the shares {one} and {other} are more than 1 together")


class PretrainingWindow(NamedTuple):
    """A window and the picture of its page.

    Attributes:
        input_ids, token_type_ids: int64 [tokens].
        bbox: int64 [tokens, 4], 0 to 1000; the box of each token is that of its word.
        word_indices: int64 [tokens], of the page's words; -1 for special tokens.
        picture: uint8 [3, height, width], blue, green, red.
    """

    input_ids: npt.NDArray[np.int64]
    token_type_ids: npt.NDArray[np.int64]
    bbox: npt.NDArray[np.int64]
    word_indices: npt.NDArray[np.int64]
    picture: npt.NDArray[np.uint8]


class PretrainingExample(NamedTuple):
    """A window as the model sees it, and what it should say; the labels of an objective that is left out are None.

    Attributes:
        input_ids, token_type_ids, bbox, picture: as in `PretrainingWindow`.
        labels: int64 [tokens], the original ids of tokens to predict, else -100.
        alignment_labels: int64 [tokens], 1 covered, 0 not, -100 ignored.
        matching_label: 1 if the picture is that of the page, 0 if it is of another one or missing.
    """

    input_ids: npt.NDArray[np.int64]
    token_type_ids: npt.NDArray[np.int64]
    bbox: npt.NDArray[np.int64]
    picture: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64] | None
    alignment_labels: npt.NDArray[np.int64] | None
    matching_label: int | None


class _Draws(NamedTuple):
    """All that is random in an example; drawn whole, whatever the objectives.

    Attributes:
        masked, treatment: float64 [tokens], 0 to 1.
        random_ids: int64 [tokens].
        covered: float64 [lines], 0 to 1.
        picture: 0 to 1.
    """

    masked: npt.NDArray[np.float64]
    treatment: npt.NDArray[np.float64]
    random_ids: npt.NDArray[np.int64]
    covered: npt.NDArray[np.float64]
    picture: float


def pretraining_example(
    window: PretrainingWindow,
    other_picture: npt.NDArray[np.uint8],
    line_of_word: npt.NDArray[np.int64],
    vocabulary: AugmentedVocabulary,
    random: np.random.Generator,
    shares: PretrainingShares = PretrainingShares(),
    objectives: Collection[PretrainingObjective] = OBJECTIVES,
) -> PretrainingExample:
    """The example that a window becomes. The arrays that are given stay as they are.

    Masked words: tokens are drawn one by one, as the paper's are, and not as whole words. The places of their words are
    covered in the picture, or it would tell what they are.

    Alignment: the words of the drawn lines are covered, as far as the window has them. A word of which a token is
    masked is ignored with all its tokens: it is covered for that reason alone, so that [MASK] would tell the label. So
    is a word whose box has no area, which no picture shows. Where the picture is not that of the page, all other words
    count as covered.

    Matching: another page's picture gets the same covers, so that they tell nothing. If it is equal to the page's own,
    it replaces nothing. A missing picture is one of `COVER_COLOUR` alone.

    Args:
        other_picture: uint8 [3, height, width], of another page; used if it is drawn to replace the page's own.
        line_of_word: int64 [words of the page], as from `lines_of_page`.
        vocabulary: what masked tokens become.
        random: the state decides what is drawn; each example takes the same number of draws from it.
        shares: how much is hidden.
        objectives: which ones to prepare.

    Raises:
        ValueError: an objective is unknown, or the pictures are of different sizes.
    """
    unknown = set(objectives) - set(OBJECTIVES)
    if unknown or not objectives:
        raise ValueError(f"objectives {', '.join(sorted(unknown)) or '(none)'}; choose from {', '.join(OBJECTIVES)}")
    if window.picture.shape != other_picture.shape:
        raise ValueError(f"pictures of different sizes: {window.picture.shape} and {other_picture.shape}")
    is_text = window.word_indices >= 0
    draws = _draw(window, line_of_word, vocabulary, random)
    input_ids, labels, alignment_labels, matching_label = window.input_ids.copy(), None, None, None
    picture, is_own = window.picture, True
    covered = np.zeros(len(is_text), dtype=np.bool_)
    ignored = ~is_text | ~_has_area(window.bbox)

    if "masked-words" in objectives:
        masked = is_text & (draws.masked < shares.masked_tokens)
        hidden = masked & (draws.treatment < shares.hidden)
        exchanged = masked & ~hidden & (draws.treatment < shares.hidden + shares.random)
        labels = np.where(masked, window.input_ids, IGNORED_TARGET)
        input_ids[hidden] = vocabulary.mask_token_id
        input_ids[exchanged] = draws.random_ids[exchanged]
        of_masked_words = is_text & np.isin(window.word_indices, window.word_indices[masked])
        covered |= of_masked_words
        ignored |= of_masked_words

    if "matching" in objectives:
        if draws.picture < shares.replaced_pictures:
            is_own = np.array_equal(other_picture, window.picture)
            picture = other_picture
        elif draws.picture < shares.replaced_pictures + shares.dropped_pictures:
            picture, is_own = blank_picture(window.picture.shape), False
        matching_label = int(is_own)

    if "alignment" in objectives:
        of_covered_lines = np.zeros_like(covered)
        of_covered_lines[is_text] = (draws.covered < shares.covered_lines)[line_of_word[window.word_indices[is_text]]]
        covered |= of_covered_lines
        labelled = of_covered_lines if is_own else np.ones_like(covered)
        alignment_labels = np.where(ignored, IGNORED_TARGET, labelled.astype(np.int64))

    return PretrainingExample(
        input_ids=input_ids,
        token_type_ids=window.token_type_ids.copy(),
        bbox=window.bbox.copy(),
        picture=cover_boxes(picture, window.bbox[covered]),
        labels=labels,
        alignment_labels=alignment_labels,
        matching_label=matching_label,
    )


def lines_of_page(
    boxes: Sequence[Sequence[float]], width_to_height: float = USUAL_WIDTH_TO_HEIGHT
) -> npt.NDArray[np.int64]:
    """The line of each word of a page, int64 [words], numbered from 0 without gaps.

    Columns, and cells of a table that are far apart, have lines of their own.

    Args:
        boxes: of the words, x0, y0, x1, y1 in thousandths of the page.
        width_to_height: of the page, by which gaps are compared with the height of words.
    """
    lines = np.zeros(len(boxes), dtype=np.int64)
    stretched = [(box[0] * width_to_height, box[1], box[2] * width_to_height, box[3]) for box in boxes]
    for number, words in enumerate(line_segments(stretched)):
        lines[list(words)] = number
    return lines


def cover_boxes(picture: npt.NDArray[np.uint8], boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """A copy of a picture in which every pixel that a box touches has `COVER_COLOUR`, and no other is changed.

    Args:
        picture: uint8 [3, height, width].
        boxes: int64 [boxes, 4], in thousandths; one without area covers nothing.
    """
    covered = picture.copy()
    _, height, width = picture.shape
    boxes = np.unique(boxes[_has_area(boxes)], axis=0)
    sides = np.array([width, height])
    firsts = boxes[:, :2] * sides // PAGE_SIDE
    ends = -(-boxes[:, 2:] * sides // PAGE_SIDE)
    colour = np.array(COVER_COLOUR, dtype=np.uint8)[:, None, None]
    for (left, top), (right, bottom) in zip(firsts.tolist(), ends.tolist(), strict=True):
        covered[:, top:bottom, left:right] = colour
    return covered


def _draw(
    window: PretrainingWindow,
    line_of_word: npt.NDArray[np.int64],
    vocabulary: AugmentedVocabulary,
    random: np.random.Generator,
) -> _Draws:
    tokens = len(window.input_ids)
    return _Draws(
        picture=float(random.random()),
        masked=random.random(tokens),
        treatment=random.random(tokens),
        random_ids=random.integers(vocabulary.first_word_id, vocabulary.end_word_id, tokens),
        covered=random.random(int(line_of_word.max(initial=-1)) + 1),
    )


def _has_area(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def blank_picture(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """A picture of `COVER_COLOUR` alone, uint8 of this shape (3, height, width)."""
    return np.broadcast_to(np.array(COVER_COLOUR, dtype=np.uint8)[:, None, None], shape).copy()

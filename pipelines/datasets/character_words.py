"""Words out of annotated characters: Chinese and Japanese corpora annotate characters, or pieces of lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from model.word_breaks import is_unspaced, join_words, word_spans
from pipelines.datasets.types import PixelBox, PixelWord


def put_together(pieces: Sequence[PixelWord], text: str) -> list[PixelWord]:
    """The words of a block of text.

    Pieces of unspaced scripts that go on in the same line, or below each other in the same column, without a space are
    divided into words anew (`word_spans`); a word's box is that around its characters. Other pieces are words.

    Args:
        pieces: in reading order, without white space at their ends and with ordered boxes.
        text: of the block, which says where spaces are; where it is not that of the pieces, their scripts say so.
    """
    has_space = _spaces_before(pieces, text)
    words: list[PixelWord] = []
    run: list[PixelWord] = []
    for piece, is_spaced in zip(pieces, has_space, strict=True):
        if run and (is_spaced or not _goes_on(run[-1].box, piece.box)):
            words += _words_of_run(run)
            run = []
        run.append(piece)
    return words + _words_of_run(run)


def _spaces_before(pieces: Sequence[PixelWord], text: str) -> list[bool]:
    """Whether there is white space before each piece."""
    visible = [index for index, character in enumerate(text) if not character.isspace()]
    lengths = [len("".join(piece.text.split())) for piece in pieces]
    if "".join(text[index] for index in visible) == "".join("".join(piece.text.split()) for piece in pieces):
        starts = list(accumulate(lengths, initial=0))[:-1]
        return [start == 0 or visible[start] - visible[start - 1] > 1 for start in starts]
    by_script = (" " in join_words((left.text[-1], right.text[0])) for left, right in pairwise(pieces))
    return [True, *by_script][: len(pieces)]


def _goes_on(before: PixelBox, after: PixelBox) -> bool:
    """Whether a box continues the line of the one before, or stands directly below it in its column."""
    middle_x, middle_y = (after[0] + after[2]) / 2, (after[1] + after[3]) / 2
    in_line = before[1] <= middle_y <= before[3] and after[0] >= before[0]
    in_column = before[0] <= middle_x <= before[2] and 0 <= after[1] - before[1] <= 2 * (before[3] - before[1])
    return in_line or in_column


def _words_of_run(run: list[PixelWord]) -> list[PixelWord]:
    """Pieces without spaces between them: as they are, or where a script is unspaced its words."""
    text = "".join(piece.text for piece in run)
    if not is_unspaced(text):
        return run
    boxes = [box for piece in run for box in character_boxes(piece)]
    words = []
    for stretch in re.finditer(r"\S+", text):
        for start, end in word_spans(stretch[0]):
            around = _around(boxes[stretch.start() + start : stretch.start() + end])
            words.append(PixelWord(stretch[0][start:end], around))
    return words


def character_boxes(piece: PixelWord) -> Iterator[PixelBox]:
    """The box of each character of a piece: equal shares of its longer side."""
    x0, y0, x1, y1 = piece.box
    count = len(piece.text)
    for index in range(count):
        start, end = index / count, (index + 1) / count
        if x1 - x0 >= y1 - y0:
            yield x0 + start * (x1 - x0), y0, x0 + end * (x1 - x0), y1
        else:
            yield x0, y0 + start * (y1 - y0), x1, y0 + end * (y1 - y0)


def _around(boxes: Sequence[PixelBox]) -> PixelBox:
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return min(x0s), min(y0s), max(x1s), max(y1s)

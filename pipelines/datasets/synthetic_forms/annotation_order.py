"""Orders in which the blocks of a form are listed, as annotation tools and annotators leave them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipelines.datasets.synthetic_forms.canvas import QUESTION, Block

ORDERS: tuple[tuple[str, float], ...] = (
    ("single words first", 0.8),
    ("lines", 0.04),
    ("columns", 0.03),
    ("pairs", 0.05),
    ("kinds", 0.03),
    ("sections", 0.02),
    ("random", 0.03),
)
"""Each order with its share of the forms. Most annotated forms list the blocks of a single word first, in one or a few
passes from the top down, and then all others from the top down: an annotation tool lists the boxes of words first, and
what the annotator merges comes after them."""


def reading_order(
    blocks: Sequence[Block], links: Sequence[tuple[int, int]], rng: random.Random, order: str = ""
) -> list[int]:
    """The indices of the blocks in one of `ORDERS`, drawn at random where none is named."""
    order = order or rng.choices([name for name, _ in ORDERS], [share for _, share in ORDERS])[0]
    indices = list(range(len(blocks)))
    lines = sorted(indices, key=lambda index: (blocks[index].top // 12, blocks[index].left))
    if order == "lines":
        return lines
    if order == "single words first":
        singles = [index for index in indices if len(blocks[index].words) == 1]
        others = [index for index in indices if len(blocks[index].words) > 1]
        return _passes(blocks, singles, rng, rng.choice((1, 2, 3, 4, 5))) + _passes(
            blocks, others, rng, rng.choice((1, 1, 2, 3))
        )
    if order == "columns":
        width = rng.uniform(250, 400)
        return sorted(indices, key=lambda index: (blocks[index].left // width, blocks[index].top))
    if order == "kinds":
        place = {label: rng.random() for label in sorted({block.label for block in blocks})}
        return sorted(lines, key=lambda index: place[blocks[index].label])
    if order == "sections":
        places = {section: rng.random() for section in sorted({block.section for block in blocks})}
        return sorted(lines, key=lambda index: places[blocks[index].section])
    if order == "pairs":
        return _pairs(blocks, links, lines)
    rng.shuffle(indices)
    return indices


def _passes(blocks: Sequence[Block], indices: Sequence[int], rng: random.Random, count: int) -> list[int]:
    """The blocks in passes down the page, most blocks of a label, and of a section, in the same one."""
    by_label = rng.random() < 0.7
    passes: dict[object, int] = {}
    chosen = {}
    for index in indices:
        group: object = blocks[index].label if by_label else blocks[index].section
        if group not in passes:
            passes[group] = rng.randrange(count)
        chosen[index] = rng.randrange(count) if rng.random() < 0.1 else passes[group]
    direction = -1 if rng.random() < 0.05 else 1
    wander = rng.choice((0.5, 2.0, 5.0, 8.0))
    height = {index: blocks[index].top + rng.gauss(0, wander) for index in indices}
    tall = rng.choice((6, 10, 14))
    return sorted(
        indices, key=lambda index: (chosen[index], direction * (height[index] // tall), direction * blocks[index].left)
    )


def _pairs(blocks: Sequence[Block], links: Sequence[tuple[int, int]], lines: Sequence[int]) -> list[int]:
    """Every question followed by its answers."""
    answers: dict[int, list[int]] = {}
    for question, answer in links:
        answers.setdefault(question, []).append(answer)
    answered = {answer for _, answer in links}
    found: dict[int, None] = {}
    for index in lines:
        if index not in answered or blocks[index].label == QUESTION:
            found.setdefault(index)
            for answer in answers.get(index, ()):
                found.setdefault(answer)
    for index in lines:
        found.setdefault(index)
    return list(found)

"""Orders in which the entities of a form are listed, as annotation tools and annotators leave them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipelines.datasets.synthetic_forms.canvas import QUESTION, Entity

ORDERS: tuple[tuple[str, float], ...] = (
    ("single words first", 0.8),
    ("lines", 0.04),
    ("columns", 0.03),
    ("pairs", 0.05),
    ("kinds", 0.03),
    ("sections", 0.02),
    ("random", 0.03),
)
"""The orders and their shares of the forms. Most annotated forms list the entities of a single word first, in one or a
few passes from the top down, and then all others from the top down: an annotation tool lists the boxes of words first,
and appends those that the annotator merges."""

LINE_ORDERS: tuple[tuple[str, float], ...] = (("lines", 0.8), ("columns", 0.08), ("pairs", 0.07), ("sections", 0.05))
"""Orders of forms whose lines an OCR engine found before they were annotated, as those of XFUND."""


def reading_order(
    entities: Sequence[Entity],
    links: Sequence[tuple[int, int]],
    rng: random.Random,
    order: str = "",
    orders: Sequence[tuple[str, float]] = ORDERS,
) -> list[int]:
    """The indices of the entities in an order.

    Args:
        links: pairs of a question and its answer, as indices of the entities.
        order: its name; empty for one of `orders` at random.
        orders: names of orders with their shares.
    """
    order = order or rng.choices([name for name, _ in orders], [share for _, share in orders])[0]
    indices = list(range(len(entities)))
    lines = sorted(indices, key=lambda index: (entities[index].top // 12, entities[index].left))
    if order == "lines":
        return lines
    if order == "single words first":
        singles = [index for index in indices if len(entities[index].words) == 1]
        others = [index for index in indices if len(entities[index].words) > 1]
        return _passes(entities, singles, rng, rng.choice((1, 2, 3, 4, 5))) + _passes(
            entities, others, rng, rng.choice((1, 1, 2, 3))
        )
    if order == "columns":
        width = rng.uniform(250, 400)
        return sorted(indices, key=lambda index: (entities[index].left // width, entities[index].top))
    if order == "kinds":
        rank = {label: rng.random() for label in sorted({entity.label for entity in entities})}
        return sorted(lines, key=lambda index: rank[entities[index].label])
    if order == "sections":
        ranks = {section: rng.random() for section in sorted({entity.section for entity in entities})}
        return sorted(lines, key=lambda index: ranks[entities[index].section])
    if order == "pairs":
        return _pairs(entities, links, lines)
    rng.shuffle(indices)
    return indices


def _passes(entities: Sequence[Entity], indices: Sequence[int], rng: random.Random, count: int) -> list[int]:
    """The entities in passes down the page, most entities of a label, and of a section, in the same one."""
    by_label = rng.random() < 0.7
    passes: dict[object, int] = {}
    chosen = {}
    for index in indices:
        group: object = entities[index].label if by_label else entities[index].section
        if group not in passes:
            passes[group] = rng.randrange(count)
        chosen[index] = rng.randrange(count) if rng.random() < 0.1 else passes[group]
    direction = -1 if rng.random() < 0.05 else 1
    wander = rng.choice((0.5, 2.0, 5.0, 8.0))
    height = {index: entities[index].top + rng.gauss(0, wander) for index in indices}
    tall = rng.choice((6, 10, 14))
    return sorted(
        indices,
        key=lambda index: (chosen[index], direction * (height[index] // tall), direction * entities[index].left),
    )


def _pairs(entities: Sequence[Entity], links: Sequence[tuple[int, int]], lines: Sequence[int]) -> list[int]:
    """Every question followed by its answers."""
    answers: dict[int, list[int]] = {}
    for question, answer in links:
        answers.setdefault(question, []).append(answer)
    answered = {answer for _, answer in links}
    found: dict[int, None] = {}
    for index in lines:
        if index not in answered or entities[index].label == QUESTION:
            found.setdefault(index)
            for answer in answers.get(index, ()):
                found.setdefault(answer)
    for index in lines:
        found.setdefault(index)
    return list(found)

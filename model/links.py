"""Which value belongs to which key, by the geometry of their boxes alone; nothing is trained.

A value's key is the nearest one to the left on its line. A value without such a key continues the value above it, or
takes the nearest key just above that overlaps it. A cell of a table, whose row has a key and whose columns have keys on
one line, takes both. On pages that are written from right to left, left is right.

Every rule was measured on the 149 training forms of FUNSD, over the annotated entities; the
precision that it had there is the score of its links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.decode import Box, Entity
from model.segments import Rectangles, page_rectangles
from model.text_direction import is_right_to_left

KEY, VALUE, HEADER = "QUESTION", "ANSWER", "HEADER"
"""The labels of keys, values and headings: those of FUNSD and XFUND, in any case of letters."""

Rule = Literal["left", "far left", "column", "continued", "above", "indented"]

RULE_SCORES: dict[Rule, float] = {
    "left": 0.98, "far left": 0.84, "column": 0.94, "continued": 0.87,
    "above": 0.90, "indented": 0.57,
}  # fmt: skip
"""The precision of each rule's links on FUNSD's training forms (`benchmarks/links.py`)."""

SAME_LINE = 0.4
"""Two boxes are on a line if they share more than this part of the lower one's height."""

SAME_HEAD = 0.3
"""The same for the keys of columns, which may have several lines."""

FAR_LEFT, NEAR_ABOVE = 8.0, 0.5
"""A value that another one separates from a key this far to the left takes a key this near above; in line heights."""

FAR, ABOVE_GAP = 10.0, 3.0
"""From the first on, a key to the left is right less often (.83). From the second on, a key above a value that stands
in no row and no list is that of something else in two of three cases, and is not linked. In line heights."""

LINE_GAP, ALIGNED = 4.0, 2.0
"""The largest gap between two values of a list, and the largest distance of their edges; in line heights. Two lines
would serve FUNSD's lists as well; the rows of invoices stand farther apart."""

TITLE_HEIGHT = 1.15
"""A heading at the top of a page with letters larger than those of its keys by this factor is its title."""

INDENTED_GAP, SECTION_GAP = 2.0, 10.0
"""The farthest key above that a value stands indented under, and the farthest heading over a key; in line heights."""


@dataclass(frozen=True)
class Link:
    """A key and one of its values, by their positions among the entities; `score` is 0 to 1."""

    key: int
    value: int
    rule: Rule
    score: float


@dataclass(frozen=True)
class Pair:
    """A key and one of its values.

    Attributes:
        section: the heading over the key, or None.
        key, value: their texts.
        score: of both entities and of their link, 0-1.
        key_box, value_box: `key_box` is None where the key is the label of the value's entity.
        key_words, value_words: indices of words, in reading order.
    """

    section: str | None
    key: str
    value: str
    score: float
    key_box: Box | None
    value_box: Box
    key_words: list[int]
    value_words: list[int]


@dataclass(frozen=True)
class _Blocks:
    """Entities as the rules see them.

    Attributes:
        indices: int64 [n]; their positions among the page's entities.
        boxes: of all their words.
        first_lines: of the words of their first lines.
        heights: float64 [n]; the median height of a word.
    """

    indices: NDArray[np.int64]
    boxes: Rectangles
    first_lines: Rectangles
    heights: NDArray[np.float64]


def pair_entities(entities: Sequence[Entity], boxes: Sequence[Box], width_to_height: float) -> list[Pair]:
    """The pairs of a page, by the keys' order of reading; the values of a key from the top.

    Entities that are neither keys, values nor headings, such as the fields of a receipt, are pairs by themselves: the
    label is the key.

    Args:
        entities: of one page.
        boxes: of all words of the page, in thousandths of its width and height.
        width_to_height: of the page.
    """
    links = link_values(entities, boxes, width_to_height)
    sections = link_sections(entities, boxes, width_to_height)
    pairs = [(entities[link.key].first_word, _linked_pair(entities, link, sections.get(link.key))) for link in links]
    pairs += [
        (entity.first_word, _named_by_label(entity))
        for entity in entities
        if entity.label.upper() not in (KEY, VALUE, HEADER)
    ]
    pairs.sort(key=lambda pair: (pair[0], pair[1].value_box[1], pair[1].value_box[0]))
    return [pair for _, pair in pairs]


def link_values(entities: Sequence[Entity], boxes: Sequence[Box], width_to_height: float) -> list[Link]:
    """Links from keys to values. A cell of a table may have two, a value to which no rule applies has none.

    Arguments as of `pair_entities`.
    """
    everything = _blocks(entities, boxes, width_to_height)
    keys, values = _of_kind(everything, entities, KEY), _of_kind(everything, entities, VALUE)
    left = _keys_to_the_left(values, keys)
    above = _keys_above(values, keys)
    _prefer_near_above(values, keys, left, above)
    rows: dict[int, list[int]] = defaultdict(list)
    for value, key in left.items():
        rows[key].append(value)
    columns = _columns_of_rows(rows, above, keys)
    found: dict[int, list[int]] = {}
    links: list[Link] = []
    for value in np.lexsort((values.first_lines[:, 0], values.first_lines[:, 1])).tolist():
        linked: list[tuple[int, Rule]] = []
        if value in left:
            is_far = values.first_lines[value, 0] - keys.boxes[left[value], 2] >= FAR * values.heights[value]
            linked.append((left[value], "far left" if is_far else "left"))
            if above.get(value) in columns[left[value]]:
                linked.append((above[value], "column"))
        elif continued := found.get(_value_above(values, value, everything), []):
            linked += [(key, "continued") for key in continued]
        elif value in above and _is_near_above(values, value, keys.boxes[above[value]]):
            linked.append((above[value], "above"))
        elif (indented := _key_indented_under(values, value, keys)) is not None:
            linked.append((indented, "indented"))
        index = int(values.indices[value])
        found[index] = [key for key, _ in linked]
        links += [Link(int(keys.indices[key]), index, rule, RULE_SCORES[rule]) for key, rule in linked]
    return links


def link_sections(entities: Sequence[Entity], boxes: Sequence[Box], width_to_height: float) -> dict[int, int]:
    """The heading of each key that has one, by their positions; the title of a page is no section.

    The topmost heading is the title if it is written larger than the keys, or if another one follows before any key.

    Arguments as of `pair_entities`.
    """
    everything = _blocks(entities, boxes, width_to_height)
    keys, headings = _of_kind(everything, entities, KEY), _of_kind(everything, entities, HEADER)
    sections: dict[int, int] = {}
    if not len(headings.indices) or not len(keys.indices):
        return sections
    tops = np.sort(headings.boxes[:, 1])
    first = int(headings.boxes[:, 1].argmin())
    is_large = headings.heights[first] > TITLE_HEIGHT * np.median(keys.heights)
    has_title = is_large or (len(tops) > 1 and tops[1] < keys.boxes[:, 1].min())
    for index, box, height in zip(keys.indices.tolist(), keys.boxes, keys.heights, strict=True):
        over = _middle(headings.boxes) < _middle(box)
        over &= (_shared_width(headings.boxes, box) > 0) | (headings.boxes[:, 0] <= box[0] + height)
        gaps = _gap_above(headings.boxes, box)
        heading = _least(gaps, over)
        is_title = has_title and heading == first
        if heading is not None and not is_title and gaps[heading] < SECTION_GAP * height:
            sections[index] = int(headings.indices[heading])
    return sections


def _keys_to_the_left(values: _Blocks, keys: _Blocks) -> dict[int, int]:
    """For each value the nearest key on its first line that begins and is centred before it."""
    nearest: dict[int, int] = {}
    for value, line in enumerate(values.first_lines):
        before = _on_a_line(keys.boxes, line) & (keys.boxes[:, 0] < line[0])
        before &= keys.boxes[:, 0] + keys.boxes[:, 2] < line[0] + line[2]
        key = _least(line[0] - keys.boxes[:, 2], before)
        if key is not None:
            nearest[value] = key
    return nearest


def _keys_above(values: _Blocks, keys: _Blocks) -> dict[int, int]:
    """For each value the nearest key above its first line that overlaps it across the page."""
    nearest: dict[int, int] = {}
    for value, (line, box) in enumerate(zip(values.first_lines, values.boxes, strict=True)):
        over = (_shared_width(keys.boxes, box) > 0) & ~_on_a_line(keys.boxes, line)
        over &= (_middle(keys.boxes) < _middle(line)) & (keys.boxes[:, 1] < line[1])
        key = _least(_gap_above(keys.boxes, line), over)
        if key is not None:
            nearest[value] = key
    return nearest


def _prefer_near_above(values: _Blocks, keys: _Blocks, left: dict[int, int], above: dict[int, int]) -> None:
    """A value just below a key belongs to it, and not to a key far to the left that has a value in between."""
    first: dict[int, float] = {}
    for value, key in left.items():
        first[key] = min(first.get(key, np.inf), values.first_lines[value, 0])
    for value, key in list(left.items()):
        line, height = values.first_lines[value], values.heights[value]
        if value not in above or first[key] >= line[0]:
            continue
        is_far = line[0] - keys.boxes[key, 2] > FAR_LEFT * height
        if is_far and line[1] - keys.boxes[above[value], 3] < NEAR_ABOVE * height:
            del left[value]


def _columns_of_rows(rows: dict[int, list[int]], above: dict[int, int], keys: _Blocks) -> dict[int, frozenset[int]]:
    """For each key of a row, those that head columns over it.

    They are keys above the values of the row, two or more on one line, which are themselves keys of no row.
    """
    columns: dict[int, frozenset[int]] = {}
    for row, values in rows.items():
        heads = sorted({above[value] for value in values if value in above} - set(rows))
        beside = [int(_on_a_line(keys.boxes[heads], keys.boxes[head], SAME_HEAD).sum()) for head in heads]
        enough = len(values) >= 2
        columns[row] = frozenset(head for head, count in zip(heads, beside, strict=True) if enough and count >= 2)
    return columns


def _value_above(values: _Blocks, value: int, everything: _Blocks) -> int:
    """The entity just above a value, if it ends near it and has the same left or right edge; -1 if it has not."""
    line, box, height = values.first_lines[value], values.boxes[value], values.heights[value]
    over = (_shared_width(everything.boxes, box) > 0) & (everything.boxes[:, 1] < line[1])
    over &= ~_on_a_line(everything.boxes, line, 0.5) & (everything.indices != values.indices[value])
    gaps = _gap_above(everything.boxes, line)
    upper = _least(gaps, over)
    if upper is None or gaps[upper] >= LINE_GAP * height:
        return -1
    left, right = np.abs(everything.boxes[upper, [0, 2]] - box[[0, 2]])
    is_aligned = min(left, right, (left + right) / 2) < ALIGNED * height
    return int(everything.indices[upper]) if is_aligned else -1


def _is_near_above(values: _Blocks, value: int, key: Rectangles) -> bool:
    return bool(values.first_lines[value, 1] - key[3] < ABOVE_GAP * values.heights[value])


def _key_indented_under(values: _Blocks, value: int, keys: _Blocks) -> int | None:
    """The nearest key above a value that begins to the left of it."""
    line, box = values.first_lines[value], values.boxes[value]
    gaps = _gap_above(keys.boxes, line)
    over = (keys.boxes[:, 1] < line[1]) & (keys.boxes[:, 0] <= box[0])
    return _least(gaps, over & (gaps < INDENTED_GAP * values.heights[value]))


def _blocks(entities: Sequence[Entity], boxes: Sequence[Box], width_to_height: float) -> _Blocks:
    backward = is_right_to_left([entity.text for entity in entities])
    words = page_rectangles(boxes, width_to_height, backward)
    of_entities = [words[entity.words] for entity in entities]
    return _Blocks(
        indices=np.arange(len(entities)),
        boxes=page_rectangles([entity.box for entity in entities], width_to_height, backward),
        first_lines=np.array([_first_line(own) for own in of_entities]).reshape(-1, 4),
        heights=np.array([max(1.0, float(np.median(own[:, 3] - own[:, 1]))) for own in of_entities]),
    )


def _of_kind(blocks: _Blocks, entities: Sequence[Entity], kind: str) -> _Blocks:
    chosen = np.flatnonzero([entity.label.upper() == kind for entity in entities])
    return _Blocks(chosen, blocks.boxes[chosen], blocks.first_lines[chosen], blocks.heights[chosen])


def _first_line(words: Rectangles) -> Rectangles:
    """The box of the words up to the first that stands on another line."""
    line = words[0].copy()
    for word in words[1:]:
        if not (_on_a_line(word[None], line, SAME_HEAD)[0] and word[0] >= line[0]):
            break
        line = np.concatenate([np.minimum(line[:2], word[:2]), np.maximum(line[2:], word[2:])])
    return line


def _on_a_line(boxes: Rectangles, box: Rectangles, share: float = SAME_LINE) -> NDArray[np.bool_]:
    shared = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    lower = np.minimum(boxes[:, 3] - boxes[:, 1], box[3] - box[1])
    return shared > share * np.maximum(1.0, lower)


def _shared_width(boxes: Rectangles, box: Rectangles) -> NDArray[np.float64]:
    return np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])


def _gap_above(boxes: Rectangles, box: Rectangles) -> NDArray[np.float64]:
    return box[1] - boxes[:, 3]


def _middle(boxes: Rectangles) -> NDArray[np.float64]:
    return boxes[..., 1] + boxes[..., 3]


def _least(distances: NDArray[np.float64], allowed: NDArray[np.bool_]) -> int | None:
    """The position of the least distance among those allowed; the first of equal ones."""
    if not allowed.any():
        return None
    return int(np.where(allowed, distances, np.inf).argmin())


def _linked_pair(entities: Sequence[Entity], link: Link, section: int | None) -> Pair:
    key, value = entities[link.key], entities[link.value]
    return Pair(
        section=None if section is None else entities[section].text,
        key=key.text,
        value=value.text,
        score=key.score * value.score * link.score,
        key_box=key.box,
        value_box=value.box,
        key_words=key.words,
        value_words=value.words,
    )


def _named_by_label(entity: Entity) -> Pair:
    return Pair(None, entity.label, entity.text, entity.score, None, entity.box, [], entity.words)

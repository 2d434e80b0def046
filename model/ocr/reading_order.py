"""Reading order from boxes alone: columns of running text one after the other, everything else row by row.

For text without an order of its own: Tesseract's sparse-text mode, word lists of a labelled corpus, a jumbled text
layer. It is fast (milliseconds per page), needs no image, and is deterministic.

Words close together on a line form a segment. If a strip without text runs between segments, and both sides look like
running text (several lines, most of them as wide as their column, several words each), the sides are columns; a segment
that crosses the strip (a title, a wide table) ends the columns above it. Everything else (a form's labels and values, a
table, a signature block) is read row by row, from left to right. This is recursive X-Y cut (Nagy and Seth, 1984) with a
test for running text before each cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from model.text_direction import has_right_to_left, is_right_to_left

MAX_WORD_GAP = 1.5
"""Between words of a segment, in median word heights: wider than spaces in justified text, narrower than a gutter."""
MIN_LINE_OVERLAP = 0.5
"""Vertical overlap of two boxes on one line, as a fraction of the smaller box's height."""
MIN_COLUMN_LINES = 4
"""Minimum lines of a column of running text."""
MIN_COLUMN_FILL = 0.6
"""Minimum width of a column's median line, as a fraction of the column's width."""
MIN_WORDS_PER_LINE = 3
"""Minimum words of a column's median line."""
MAX_HEIGHT_RATIO = 3.0
"""Boxes of more unequal height (a logo beside small print) do not share a line."""
GUTTER_BINS = 200
"""Number of positions across a region that are tested for gutters."""
MAX_COLUMN_DEPTH = 4
"""Depth of nested cuts: up to 16 columns side by side."""

Box = Sequence[float]


@dataclass(frozen=True)
class _Segment:
    x0: float
    y0: float
    x1: float
    y1: float
    words: tuple[int, ...]

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


def reading_order(boxes: Sequence[Box], words: Sequence[str] | None = None) -> list[int]:
    """The order in which a person reads the words at `boxes`.

    Args:
        boxes: (x0, y0, x1, y1) of each word, y downwards, all in the same arbitrary unit.
        words: their texts; a page of Arabic or Hebrew is read from right to left, and so are phrases of them on other
            pages. Without texts, everything is read from left to right.

    Returns:
        Each index into `boxes` once, in reading order.
    """
    if not boxes:
        return []
    unit = median(max(box[3] - box[1], 0) for box in boxes) or 1.0
    backward = words is not None and is_right_to_left(words)
    read = [(-x1, y0, -x0, y1) for x0, y0, x1, y1 in boxes] if backward else boxes
    order = [word for segment in _columns(_segments(read, unit), MAX_COLUMN_DEPTH) for word in segment.words]
    if words is None or all(word.isascii() for word in words):
        return order
    return _with_phrases(order, read, [_runs_against(word, backward) for word in words], unit)


def _runs_against(word: str, backward: bool) -> bool | None:
    """Whether a word is written against the direction of its page; None for one without letters."""
    if has_right_to_left(word):
        return not backward
    return backward if any(map(str.isalpha, word)) else None


def _with_phrases(order: Sequence[int], boxes: Sequence[Box], against: Sequence[bool | None], unit: float) -> list[int]:
    """The order, with phrases of words against the page's direction turned round.

    A phrase begins and ends with such words; numbers may stand between them.
    """
    turned: list[int] = []
    start = 0
    while start < len(order):
        end = start + 1
        if against[order[start]]:
            stop = end
            while stop < len(order) and against[order[stop]] is not False:
                last, box = boxes[order[stop - 1]], boxes[order[stop]]
                if not (_share_a_line(last, box) and -unit < box[0] - last[2] < MAX_WORD_GAP * unit):
                    break
                stop += 1
                if against[order[stop - 1]]:
                    end = stop
        turned += reversed(order[start:end])
        start = end
    return turned


def _segments(boxes: Sequence[Box], unit: float) -> list[_Segment]:
    """Join words from left to right, each to the segment on its line that ends nearest before it."""
    chains: list[list[int]] = []
    ends_at: dict[int, list[int]] = defaultdict(list)  # height in units -> chains whose last word is there
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i][0], boxes[i][1], i)):
        box = boxes[index]
        rows = range(int(box[1] // unit), int(box[3] // unit) + 1)
        best, least_gap = -1, MAX_WORD_GAP * unit
        for chain in {chain for row in rows for chain in ends_at[row]}:
            last = boxes[chains[chain][-1]]
            gap = box[0] - last[2]
            # a box that begins well inside the last one lies over it, not after it
            starts_after = gap > -unit or box[0] >= (last[0] + last[2]) / 2
            if starts_after and (gap, chain) < (least_gap, best) and _share_a_line(last, box):
                best, least_gap = chain, gap
        if best < 0:
            best = len(chains)
            chains.append([])
        else:
            last = boxes[chains[best][-1]]
            for row in range(int(last[1] // unit), int(last[3] // unit) + 1):
                ends_at[row].remove(best)
        chains[best].append(index)
        for row in rows:
            ends_at[row].append(best)
    return [
        _Segment(
            min(boxes[i][0] for i in chain),
            min(boxes[i][1] for i in chain),
            max(boxes[i][2] for i in chain),
            max(boxes[i][3] for i in chain),
            tuple(chain),
        )
        for chain in chains
    ]


def _share_a_line(first: Box, second: Box) -> bool:
    heights = sorted((first[3] - first[1], second[3] - second[1]))
    overlap = min(first[3], second[3]) - max(first[1], second[1])
    if heights[0] <= 0:  # a box without height belongs to the line that contains it
        return overlap >= 0
    return overlap >= MIN_LINE_OVERLAP * heights[0] and heights[1] <= MAX_HEIGHT_RATIO * heights[0]


def _columns(segments: list[_Segment], depth: int) -> list[_Segment]:
    return _cut_to_columns(segments, depth) or _rows(segments)


def _cut_to_columns(segments: list[_Segment], depth: int) -> list[_Segment] | None:
    """The segments in order, if there are columns of running text anywhere; else None."""
    if depth == 0 or len(segments) < 2 * MIN_COLUMN_LINES:
        return None
    gutter = _gutter(segments)
    if gutter is None:
        return None
    crossing = sorted((s for s in segments if s.x0 < gutter < s.x1), key=lambda s: (s.middle, s.x0))
    beside = [s for s in segments if not s.x0 < gutter < s.x1]
    ordered: list[_Segment] = []
    pending: list[_Segment] = []  # read row by row, once the next columns or the end are reached
    found = False
    for above in [*crossing, None]:
        band = [s for s in beside if above is None or s.middle < above.middle]
        beside = [s for s in beside if above is not None and s.middle >= above.middle]
        left = _column([s for s in band if s.x1 <= gutter], depth - 1)
        right = _column([s for s in band if s.x1 > gutter], depth - 1)
        if left is not None and right is not None:
            ordered += _rows(pending) + left + right
            pending, found = [], True
        else:
            pending += band
        if above is not None:
            pending.append(above)
    return ordered + _rows(pending) if found else None


def _column(segments: list[_Segment], depth: int) -> list[_Segment] | None:
    """The segments in order, if they form one or more columns; else None."""
    inner = _cut_to_columns(segments, depth)
    if inner is None and _is_running_text(segments):
        return _rows(segments)
    return inner


def _gutter(segments: list[_Segment]) -> float | None:
    """The x in the middle 80% of the width with the least text over the whole height; None in a narrow region."""
    left, right = min(s.x0 for s in segments), max(s.x1 for s in segments)
    step = (right - left) / GUTTER_BINS
    if step <= 0:
        return None
    change = [0.0] * (GUTTER_BINS + 2)
    for segment in segments:
        change[int((segment.x0 - left) / step)] += segment.y1 - segment.y0
        change[int((segment.x1 - left) / step) + 1] -= segment.y1 - segment.y0
    covered, total = [], 0.0
    for value in change[:GUTTER_BINS]:
        total += value
        covered.append(total)
    inner = range(GUTTER_BINS // 10, GUTTER_BINS - GUTTER_BINS // 10)
    least = min(covered[i] for i in inner)
    # the widest strip of those with equally little text
    best_start, best_length, start = 0, 0, None
    for i in [*inner, -1]:
        if i >= 0 and covered[i] <= least + 1e-6:
            start = i if start is None else start
        elif start is not None:
            end = i if i >= 0 else inner.stop
            if end - start > best_length:
                best_start, best_length = start, end - start
            start = None
    return left + step * (best_start + best_length / 2)


def _is_running_text(segments: list[_Segment]) -> bool:
    if len(segments) < MIN_COLUMN_LINES:
        return False
    width = max(s.x1 for s in segments) - min(s.x0 for s in segments)
    wide = median(s.x1 - s.x0 for s in segments) >= MIN_COLUMN_FILL * width
    return wide and median(len(s.words) for s in segments) >= MIN_WORDS_PER_LINE


def _rows(segments: list[_Segment]) -> list[_Segment]:
    """Order rows from top to bottom, each from left to right."""
    rows: list[list[_Segment]] = []
    for segment in sorted(segments, key=lambda s: (s.middle, s.x0)):
        box = (segment.x0, segment.y0, segment.x1, segment.y1)
        for row in reversed(rows[-3:]):  # the row of a tall box can lie between
            # compare with the nearest neighbour, so that rows of a slightly skewed page stay together
            near = min(row, key=lambda s: max(s.x0 - segment.x1, segment.x0 - s.x1))
            apart = max(near.x0 - segment.x1, segment.x0 - near.x1)
            if apart >= 0 and _share_a_line((near.x0, near.y0, near.x1, near.y1), box):
                row.append(segment)
                break
        else:
            rows.append([segment])
    return [segment for row in rows for segment in sorted(row, key=lambda s: s.x0)]

"""Reading order from boxes alone: columns of running text one after the other, everything else row by row.

For text whose source has no order of its own: Tesseract's sparse-text mode, word lists of a labelled corpus, a jumbled
text layer. It is cheap (milliseconds a page), needs no picture, and the same boxes always give the same order.

Words that stand close together on a line make a segment. Where a strip free of text runs between segments, and what
stands to its left and right looks like running text (several lines, most of them as wide as their column, several
words each), these are columns; a segment that crosses the strip (a title, a wide table) closes the columns above it.
What does not look like running text (a form's labels and values, a table, a signature block) is read row by row, from
left to right. This is recursive X-Y cut (Nagy and Seth, 1984) with a test for running text before each cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MAX_WORD_GAP = 1.5
"""Between words of one segment, in median word heights: wider than justified text's spaces, narrower than a gutter."""
MIN_LINE_OVERLAP = 0.5
"""Vertical overlap of two boxes of one line, as a part of the smaller box's height."""
MIN_COLUMN_LINES = 4
"""A column of running text has at least so many lines."""
MIN_COLUMN_FILL = 0.6
"""A column's median line is at least this part of the column's width."""
MIN_WORDS_PER_LINE = 3
"""A column's median line has at least so many words."""
MAX_HEIGHT_RATIO = 3.0
"""Boxes of more unequal height (a logo beside small print) do not share a line."""
GUTTER_BINS = 200
"""Gutters are looked for at so many places across a region."""
MAX_COLUMN_DEPTH = 4
"""Cuts within cuts: up to 16 columns side by side."""

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


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """The order in which a person reads words that stand at `boxes`.

    Args:
        boxes: (x0, y0, x1, y1) of each word, y downwards, in any unit; all in the same unit.

    Returns:
        Each index into `boxes` once, the word to read first at the front.
    """
    if not boxes:
        return []
    unit = median(max(box[3] - box[1], 0) for box in boxes) or 1.0
    return [word for segment in _columns(_segments(boxes, unit), MAX_COLUMN_DEPTH) for word in segment.words]


def _segments(boxes: Sequence[Box], unit: float) -> list[_Segment]:
    """Words joined from left to right to the segment that ends nearest before them on their line."""
    chains: list[list[int]] = []
    ends_at: dict[int, list[int]] = defaultdict(list)  # height in units -> chains whose last word stands there
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i][0], boxes[i][1], i)):
        box = boxes[index]
        rows = range(int(box[1] // unit), int(box[3] // unit) + 1)
        best, least_gap = -1, MAX_WORD_GAP * unit
        for chain in {chain for row in rows for chain in ends_at[row]}:
            last = boxes[chains[chain][-1]]
            gap = box[0] - last[2]
            # a box that begins well inside the last one stands over it, not after it
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
    if heights[0] <= 0:  # a box without height stands on the line it lies in
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
    waiting: list[_Segment] = []  # what is read by rows, unless columns come first
    found = False
    for above in [*crossing, None]:
        band = [s for s in beside if above is None or s.middle < above.middle]
        beside = [s for s in beside if above is not None and s.middle >= above.middle]
        left = _column([s for s in band if s.x1 <= gutter], depth - 1)
        right = _column([s for s in band if s.x1 > gutter], depth - 1)
        if left is not None and right is not None:
            ordered += _rows(waiting) + left + right
            waiting, found = [], True
        else:
            waiting += band
        if above is not None:
            waiting.append(above)
    return ordered + _rows(waiting) if found else None


def _column(segments: list[_Segment], depth: int) -> list[_Segment] | None:
    """The segments in order, if they are a column or several; else None."""
    inner = _cut_to_columns(segments, depth)
    if inner is None and _is_running_text(segments):
        return _rows(segments)
    return inner


def _gutter(segments: list[_Segment]) -> float | None:
    """Where the least text stands over the whole height, in the middle 80% of the width; None in a narrow region."""
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
    # the widest strip of those that are equally free
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
    """Top to bottom, each row from left to right."""
    rows: list[list[_Segment]] = []
    for segment in sorted(segments, key=lambda s: (s.middle, s.x0)):
        box = (segment.x0, segment.y0, segment.x1, segment.y1)
        for row in reversed(rows[-3:]):  # a tall box's row may lie between
            # the nearest neighbour decides, so that a page a little askew keeps its rows
            near = min(row, key=lambda s: max(s.x0 - segment.x1, segment.x0 - s.x1))
            apart = max(near.x0 - segment.x1, segment.x0 - near.x1)
            if apart >= 0 and _share_a_line((near.x0, near.y0, near.x1, near.y1), box):
                row.append(segment)
                break
        else:
            rows.append([segment])
    return [segment for row in rows for segment in sorted(row, key=lambda s: s.x0)]

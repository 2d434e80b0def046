"""Page ranges as people write them: `1-3,7`, counted from 1."""

from __future__ import annotations

from collections.abc import Sequence

MAX_CHARACTERS = 10_000
"""Of the field `pages`."""

MAX_PARTS = 1000
"""Numbers and ranges in it."""

MAX_DIGITS = 9
"""Of a page number."""


def parse_page_ranges(text: str, page_count: int) -> list[range]:
    """Indices (from 0) of the pages that `text` names: disjoint ranges in ascending order.

    `7-` ends with the last page, and `-3` begins with the first. The time is linear in the length of `text` and does
    not depend on the number of pages.

    Args:
        page_count: of the document; at least 1.

    Raises:
        ValueError: `text` is too long, or names no pages of the document; the message says why.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"pages has {len(text)} characters, more than the {MAX_CHARACTERS} taken")
    parts = text.split(",")
    if len(parts) > MAX_PARTS:
        raise ValueError(f"pages has {len(parts)} numbers and ranges, more than the {MAX_PARTS} taken")
    chosen = sorted((_parse_part(part, text, page_count) for part in parts), key=lambda pages: pages.start)
    disjoint = chosen[:1]
    for pages in chosen[1:]:
        last = disjoint[-1]
        if pages.start <= last.stop:
            disjoint[-1] = range(last.start, max(last.stop, pages.stop))
        else:
            disjoint.append(pages)
    return disjoint


def count_pages(ranges: Sequence[range]) -> int:
    """Number of pages in disjoint ranges."""
    return sum(map(len, ranges))


def _parse_part(part: str, text: str, page_count: int) -> range:
    """The pages of one part of `text`."""
    before, dash, after = (piece.strip() for piece in part.partition("-"))
    if not (before or after) or not all(_is_number(piece) for piece in (before, after) if piece):
        raise ValueError(f"pages is {text[:60]!r}; write numbers and ranges, such as 1-3,7")
    first = int(before or 1)
    last = int(after or (page_count if dash else first))
    shown = part.strip()[:60]
    if first < 1 or last < first:
        raise ValueError(f"pages has {shown!r}; pages count from 1, and a range goes upwards")
    if last > page_count:
        pages = "1 page" if page_count == 1 else f"{page_count} pages"
        raise ValueError(f"pages has {shown!r}, and the document has {pages}")
    return range(first - 1, last)


def _is_number(text: str) -> bool:
    return len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()

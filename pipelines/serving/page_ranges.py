"""Page ranges as people write them: `1-3,7`, counted from 1."""

from __future__ import annotations

import re

_PART = re.compile(r"\s*(?P<first>[0-9]{1,9})?\s*(?P<dash>-)?\s*(?P<last>[0-9]{1,9})?\s*", re.ASCII)


def parse_page_ranges(text: str, page_count: int) -> list[int]:
    """Indices (from 0) of the pages that `text` names, in ascending order, each once.

    `7-` ends with the last page, and `-3` begins with the first.

    Args:
        page_count: of the document; at least 1.

    Raises:
        ValueError: `text` names no pages of the document; the message says why.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        matched = _PART.fullmatch(part)
        if matched is None or not (matched["first"] or matched["last"]):
            raise ValueError(f"pages is {text[:60]!r}; write numbers and ranges, such as 1-3,7")
        first = int(matched["first"] or 1)
        last = int(matched["last"] or (page_count if matched["dash"] else first))
        if not matched["dash"] and matched["first"] and matched["last"]:
            raise ValueError(f"pages is {text[:60]!r}; write numbers and ranges, such as 1-3,7")
        if first < 1 or last < first:
            raise ValueError(f"pages has {part.strip()!r}; pages count from 1, and a range goes upwards")
        if last > page_count:
            pages = "1 page" if page_count == 1 else f"{page_count} pages"
            raise ValueError(f"pages has {part.strip()!r}, and the document has {pages}")
        chosen.update(range(first - 1, last))
    return sorted(chosen)

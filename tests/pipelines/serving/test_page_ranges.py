from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serving.page_ranges import parse_page_ranges


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("1", [0]),
        ("1-3,7", [0, 1, 2, 6]),
        (" 2 - 3 , 1 ", [0, 1, 2]),
        ("3,1,3,2-3", [0, 1, 2]),
        ("8-", [7, 8, 9]),
        ("-2", [0, 1]),
        ("10", [9]),
    ],
)
def test_ranges_count_pages_from_one(text: str, pages: list[int]) -> None:
    assert parse_page_ranges(text, 10) == pages


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "numbers and ranges"),
        ("-", "numbers and ranges"),
        ("1 2", "numbers and ranges"),
        ("a", "numbers and ranges"),
        ("1,,2", "numbers and ranges"),
        ("1--2", "numbers and ranges"),
        ("\u0661", "numbers and ranges"),
        ("0", "pages count from 1"),
        ("3-2", "upwards"),
        ("11", "has 10 pages"),
        ("9-11", "has 10 pages"),
        ("99999999999999999999", "numbers and ranges"),
    ],
)
def test_malformed_ranges_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_page_ranges(text, 10)


@given(st.text("0123456789-, x", max_size=12), st.integers(1, 30))
def test_any_text_gives_pages_of_the_document_or_a_reason(text: str, count: int) -> None:
    try:
        pages = parse_page_ranges(text, count)
    except ValueError:
        return
    assert pages and pages == sorted(set(pages)) and pages[0] >= 0 and pages[-1] < count

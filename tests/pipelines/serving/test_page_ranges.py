from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serving.page_ranges import MAX_CHARACTERS, MAX_PARTS, count_pages, parse_page_ranges


def pages_of(text: str, page_count: int) -> list[int]:
    return [page for pages in parse_page_ranges(text, page_count) for page in pages]


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
    assert pages_of(text, 10) == pages


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
        pages = pages_of(text, count)
    except ValueError:
        return
    assert pages and pages == sorted(set(pages)) and pages[0] >= 0 and pages[-1] < count
    assert count_pages(parse_page_ranges(text, count)) == len(pages)


@pytest.mark.parametrize(
    "text",
    ["1," + " " * 9000 + "x", " " * MAX_CHARACTERS, "1" + " " * 4000 + "-" + " " * 4000 + "x", "-" * MAX_CHARACTERS],
    ids=["spaces and a letter", "spaces", "spaces around a dash", "dashes"],
)
def test_malformed_text_is_refused_in_milliseconds(text: str) -> None:
    """With a regular expression that backtracks these took hours."""
    started = time.monotonic()
    with pytest.raises(ValueError, match="numbers and ranges"):
        parse_page_ranges(text, 10)
    assert time.monotonic() - started < 5, "milliseconds are meant, on a busy machine too"


def test_overlapping_ranges_of_a_huge_document_are_counted_without_a_list_of_pages() -> None:
    text = ",".join(f"{first}-999999999" for first in range(1, MAX_PARTS // 2))
    (pages,) = parse_page_ranges(text, 999_999_999)
    assert pages == range(999_999_999) and count_pages([pages]) == 999_999_999


def test_texts_with_too_many_parts_or_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="1001 numbers and ranges, more than the 1000"):
        parse_page_ranges(",".join(["1"] * (MAX_PARTS + 1)), 10)
    with pytest.raises(ValueError, match="10001 characters, more than the 10000"):
        parse_page_ranges("1" * (MAX_CHARACTERS + 1), 10)

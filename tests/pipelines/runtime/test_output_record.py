from __future__ import annotations

from datetime import datetime, timezone

from pipelines.runtime.output_record import Difference, describe_differences, find_differences, now

OLD = {"model": "a", "extract": {"stride": 128, "ocr": {"language": "eng"}}, "limit": None}


def test_differences_are_found_in_nested_records_and_sorted_by_name() -> None:
    new = {"extract": {"stride": 64, "ocr": {"language": "eng", "engine": "tesserocr"}}, "model": "b", "limit": None}
    assert find_differences(OLD, new) == [
        Difference("extract.ocr.engine", None, "tesserocr"),
        Difference("extract.stride", 128, 64),
        Difference("model", "a", "b"),
    ]
    assert find_differences(OLD, dict(OLD)) == []


def test_a_value_that_is_absent_differs_from_all_but_none() -> None:
    assert find_differences(OLD, {**OLD, "limit": 4}) == [Difference("limit", None, 4)]
    assert find_differences({"model": "a"}, {"model": "a", "limit": None}) == []


def test_differences_are_described_in_words() -> None:
    assert describe_differences(OLD, {**OLD, "model": "b", "limit": 4}) == [
        "limit was None and is 4",
        "model was 'a' and is 'b'",
    ]


def test_the_time_is_utc_to_the_second() -> None:
    time = datetime.fromisoformat(now())
    assert time.tzinfo == timezone.utc and time.microsecond == 0

"""Text segments of a page: runs of words of a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.decode import decode_entities
from model.segments import page_rectangles, text_segments
from pipelines.datasets.registry import read_corpus


def segments(*placed: tuple[str, int, int, int, int]) -> list[list[str]]:
    """The words of each segment of a square page; words with their boxes."""
    words = [word for word, *_ in placed]
    found = text_segments(words, page_rectangles([(x0, y0, x1, y1) for _, x0, y0, x1, y1 in placed], 1.0))
    return [[words[index] for index in segment] for segment in found]


def test_words_of_a_line_are_one_segment():
    assert segments(("Net", 0, 0, 30, 10), ("weight", 35, 0, 80, 10)) == [["Net", "weight"]]


def test_a_gap_over_letter_heights_ends_a_segment():
    assert segments(("Date", 0, 0, 40, 10), ("Total", 60, 0, 100, 10)) == [["Date"], ["Total"]]


def test_a_gap_counts_in_heights_of_the_letters():
    assert segments(("Date", 0, 0, 40, 20), ("due", 60, 0, 100, 20)) == [["Date", "due"]]


def test_a_colon_ends_a_segment():
    assert segments(("Date:", 0, 0, 40, 10), ("May", 43, 0, 70, 10)) == [["Date:"], ["May"]]


def test_another_line_begins_a_segment():
    assert segments(("first", 0, 0, 40, 10), ("second", 0, 12, 40, 22)) == [["first"], ["second"]]


def test_a_word_a_little_lower_stays_on_the_line():
    assert segments(("first", 0, 0, 40, 10), ("second", 43, 4, 80, 14)) == [["first", "second"]]


def test_a_word_to_the_left_begins_a_segment():
    assert segments(("right", 500, 0, 540, 10), ("left", 0, 0, 40, 10)) == [["right"], ["left"]]


def test_a_page_that_is_wider_than_high_has_wider_gaps():
    words = ["Date", "due"]
    boxes = [(0, 0, 40, 10), (50, 0, 90, 10)]
    assert len(text_segments(words, page_rectangles(boxes, 1.0))) == 1
    assert len(text_segments(words, page_rectangles(boxes, 2.0))) == 2


def test_boxes_without_height_and_no_words_are_taken():
    assert text_segments([], page_rectangles([], 1.0)) == []
    assert segments(("a", 0, 5, 5, 5), ("b", 5, 5, 9, 5)) in ([["a", "b"]], [["a"], ["b"]])


def test_every_word_is_in_one_segment():
    generator = np.random.default_rng(0)
    boxes = [tuple(map(int, (x, y, x + w, y + h))) for x, y, w, h in generator.integers(0, 500, (200, 4))]
    found = text_segments(["word"] * 200, page_rectangles(boxes, 0.7))
    assert [word for segment in found for word in segment] == list(range(200))


def test_entities_of_real_forms_begin_and_end_where_a_segment_does(shared_directory: Path):
    data = shared_directory / "corpora" / "funsd"
    pages = read_corpus("funsd", str(data), "train+dev", "token-classification").pages
    entities = at_segments = 0
    for page in pages:
        assert page.words is not None and page.boxes is not None and page.labels is not None
        found = text_segments(page.words, page_rectangles(page.boxes, 0.77))
        starts, ends = {segment[0] for segment in found}, {segment[-1] for segment in found}
        spans = decode_entities(page.labels, [1.0] * len(page.words), page.words, page.boxes)
        entities += len(spans)
        at_segments += sum(span.first_word in starts and span.last_word in ends for span in spans)
    assert len(pages) == 149 and entities > 6000
    assert at_segments / entities > 0.94

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipelines.stages.read_quality import read_quality, unread_after

LINE = "The tenant shall keep the garden shed in good repair"


def test_it_is_the_mean_confidence_weighted_by_length() -> None:
    boxes = [(0.1, 0.1, 0.2, 0.12), (0.3, 0.1, 0.6, 0.12)]
    assert read_quality(["ab", "abcdef"], boxes, [0.2, 1.0], []) == pytest.approx((2 * 0.2 + 6 * 1.0) / 8)


def test_words_of_a_text_layer_are_certain() -> None:
    assert read_quality(["a", "b"], [(0, 0, 0.1, 0.1)] * 2, [None, 0.5], []) == pytest.approx(0.75)


def test_text_without_words_lowers_it_by_its_area() -> None:
    assert read_quality(["abc"], [(0, 0, 0.1, 0.1)], [None], [(0.5, 0.5, 0.8, 0.6)]) == pytest.approx(0.25)


def test_a_page_without_words_is_read_well_if_there_is_nothing_to_read() -> None:
    assert read_quality([], [], [], []) == 1.0
    assert read_quality([], [], [], [(0.1, 0.1, 0.5, 0.2)]) == 0.0


def test_text_without_words_is_found_on_the_picture() -> None:
    page = Image.new("L", (1654, 2339), 255)
    for index in range(6):
        ImageDraw.Draw(page).text((150, 200 + 60 * index), LINE, fill=0, font=ImageFont.load_default(34))
    pixels = np.asarray(page)
    assert unread_after(pixels, [LINE], [(0.05, 0.05, 0.95, 0.3)]) == []
    regions = unread_after(pixels, [], [])
    assert min(box[1] for box in regions) == pytest.approx(200 / 2339, abs=0.02)
    assert max(box[3] for box in regions) == pytest.approx(540 / 2339, abs=0.02)

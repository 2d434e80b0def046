from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.orientation import (
    Turn,
    boxes_before_turn,
    detect_rotation,
    estimate_skew,
    lies_on_its_side,
    turn_image,
)

LINES = [
    "The tenant shall keep the garden shed in good repair",
    "and return both keys at the end of the season. Any",
    "damage that is noticed on the day of return is written",
    "down by the warden and signed by both sides. Bicycles",
    "may be stored inside, engines and fuel may not.",
]


def page(width: int = 1200, height: int = 680) -> Image.Image:
    """A page with `LINES`."""
    image = Image.new("L", (width, height), 255)
    for index, text in enumerate(LINES):
        ImageDraw.Draw(image).text((110, 120 + 80 * index), text, fill=0, font=ImageFont.load_default(36))
    return image


def crooked(degrees: float) -> Image.Image:
    """The page, which has to be turned clockwise by this to be level."""
    return page().rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)


@pytest.mark.parametrize("degrees", [-10.0, -4.5, -1.0, 1.0, 3.0, 10.0])
def test_skew_is_measured_to_a_fraction_of_a_degree(degrees: float) -> None:
    assert estimate_skew(crooked(degrees)) == pytest.approx(degrees, abs=0.25)


@pytest.mark.parametrize("image", [page(), Image.new("L", (800, 600), 255), Image.new("L", (5, 3), 0)])
def test_a_level_or_empty_page_has_no_skew(image: Image.Image) -> None:
    assert estimate_skew(image) == 0


def test_noise_has_no_skew() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 700), dtype=np.uint8)
    assert estimate_skew(Image.fromarray(noise)) == 0


def marked() -> tuple[Image.Image, tuple[int, int, int, int]]:
    """An image with one black rectangle, and where that is."""
    image = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(image).rectangle((40, 20, 99, 49), fill=0)
    return image, (40, 20, 100, 50)


def bounds(image: Image.Image) -> tuple[int, int, int, int]:
    y, x = np.nonzero(np.asarray(image) < 128)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_of_a_turned_page_are_those_of_the_page_as_given(rotation: Any) -> None:
    image, box = marked()
    turned = turn_image(image, Turn(rotation))
    assert boxes_before_turn([bounds(turned)], Turn(rotation), *image.size) == [box]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("skew", [-9.0, 4.0])
def test_a_box_of_a_straightened_page_keeps_its_middle_and_its_size(rotation: Any, skew: float) -> None:
    image, box = marked()
    turn = Turn(rotation, skew)
    upright = turn_image(image, Turn(rotation))
    middle_of_word = bounds(turn_image(image, turn))
    [result] = boxes_before_turn([middle_of_word], turn, *image.size)
    x0, y0, x1, y1 = result
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=2)
    assert upright.size in (image.size, image.size[::-1])


def test_boxes_stay_inside_the_page() -> None:
    boxes = boxes_before_turn([(0, 0, 5, 5), (290, 190, 300, 200)], Turn(0, 10.0), 300, 200)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= 300 and 0 <= y0 < y1 <= 200


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_orientation_of_a_page_of_text_is_detected(rotation: Any) -> None:
    assert detect_rotation(page().rotate(rotation, expand=True)) == rotation


def test_the_orientation_of_a_page_without_text_is_unknown() -> None:
    assert detect_rotation(Image.new("L", (1000, 1400), 255)) is None


def test_without_its_data_the_orientation_is_unknown(tmp_path: Any) -> None:
    assert detect_rotation(page(), str(tmp_path)) is None


def test_words_that_are_higher_than_wide_lie_on_their_side() -> None:
    wide, high = (0, 0, 90, 20), (0, 0, 20, 90)
    assert lies_on_its_side([high, high, wide], ["shed", "tenant", "keys"])
    assert not lies_on_its_side([wide, wide, high], ["shed", "tenant", "keys"])
    assert not lies_on_its_side([high, high], ["I", "1"])
    assert not lies_on_its_side([], [])

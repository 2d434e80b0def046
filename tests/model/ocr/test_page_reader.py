from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.options import OcrOptions
from model.ocr.page_reader import PageReader, level_light
from tests.model.ocr.test_orientation import LINES, crooked, page


@pytest.fixture(scope="module", params=["ppocr", "tesserocr"])
def reader(request: pytest.FixtureRequest) -> Iterator[PageReader]:
    reader = PageReader(OcrOptions(engine=request.param))
    yield reader
    reader.close()


def share_read(words: list[str]) -> float:
    expected = " ".join(LINES).split()
    return sum(min(words.count(word), expected.count(word)) for word in set(expected)) / len(expected)


@pytest.mark.parametrize(
    "rotation", [*[pytest.param(rotation, marks=pytest.mark.slow) for rotation in (0, 90)], 180, 270]
)
def test_a_page_in_any_position_is_read_in_order(reader: PageReader, rotation: int) -> None:
    image = page().rotate(rotation, expand=True)
    result = reader.read(image)
    assert result.rotation == rotation
    assert share_read(result.text.words) > 0.95
    assert " ".join(result.text.words).startswith("The tenant shall keep the garden shed")
    pixels = np.asarray(image)
    for x0, y0, x1, y1 in result.text.boxes:
        assert 0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height
        assert pixels[y0:y1, x0:x1].min() < 128, "boxes are those of the image as given"


@pytest.mark.parametrize("skew", [pytest.param(-3.0, marks=pytest.mark.slow), 10.0])
def test_a_crooked_page_is_straightened(reader: PageReader, skew: float) -> None:
    result = reader.read(crooked(skew))
    assert result.skew == pytest.approx(skew, abs=0.25)
    assert result.rotation == 0
    assert share_read(result.text.words) > 0.95


def test_lines_that_slope_a_little_are_read_one_by_one(reader: PageReader) -> None:
    goods = [
        "Milk",
        "Bread",
        "Apples",
        "Plums",
        "Soap",
        "Cheese",
        "Rice",
        "Oats",
        "Beans",
        "Candles",
        "Coffee",
        "Sugar",
    ]
    lines = [(name, f"{index + 1}.50") for index, name in enumerate(goods)]
    receipt = Image.new("L", (900, 1100), 255)
    for index, line in enumerate(lines):
        for x, text in zip((60, 700), line, strict=True):
            ImageDraw.Draw(receipt).text((x, 100 + 60 * index), text, fill=0, font=ImageFont.load_default(36))
    result = reader.read(receipt.rotate(2, Image.Resampling.BICUBIC, fillcolor=255))
    assert result.skew == pytest.approx(2, abs=0.3)
    assert result.text.words == [word for line in lines for word in line]


def test_a_page_in_a_shadow_is_read_whole(reader: PageReader) -> None:
    shadow = np.interp(np.arange(1200), [640, 720], [1.0, 0.3])[None, :]
    dark = Image.fromarray((np.asarray(page()) * shadow).astype(np.uint8))
    assert share_read(reader.read(dark).text.words) > 0.95


def test_even_light_is_left_as_it_is() -> None:
    image = page()
    assert level_light(image) is image
    small = Image.new("L", (40, 30), 200)
    assert level_light(small) is small


def test_a_till_roll_is_read_whole(reader: PageReader) -> None:
    roll = Image.new("L", (560, 3000), 255)
    for index in range(65):
        line = f"Item {index + 100}"
        ImageDraw.Draw(roll).text((40, 30 + 45 * index), line, fill=0, font=ImageFont.load_default(28))
    words = reader.read(roll).text.words
    assert sum(str(number) in words for number in range(100, 165)) > 62


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 900), (900, 3)])
def test_an_image_without_text_has_no_words(reader: PageReader, size: Any) -> None:
    result = reader.read(Image.new("L", size, 255))
    assert result.text.words == [] and result.rotation == 0


def test_the_time_limit_is_for_everything_together(reader: PageReader) -> None:
    with pytest.raises(TimeoutError):
        reader.read(page(), time_limit_seconds=0.01)

"""The height of a page's letters, and what the detector sees of large print."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.letter_height import MOST_REDUCTION, large_print_scale, median_letter_height
from model.ocr.line_words import Grey
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_runtime import Network, Networks
from model.ocr.text_detection import SHAPE_STEP, detect_lines

SIDE = 1280


def printed_page(font_pixels: int, lines: int = 12) -> Grey:
    """A page of `SIDE` x `SIDE` pixels with lines of small letters without ascenders, black on light grey."""
    page = Image.new("L", (SIDE, SIDE), 230)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(font_pixels)
    for line in range(lines):
        draw.text((80, 60 + line * 2 * font_pixels), "venous nacre sumo wax amen", fill=0, font=font)
    return np.asarray(page)


def test_the_height_is_that_of_the_letters_and_grows_with_the_print() -> None:
    small, large = (median_letter_height(printed_page(pixels)) for pixels in (20, 40))
    assert small is not None and large is not None
    assert 8 <= small <= 14
    assert large == pytest.approx(2 * small, abs=2)


@pytest.mark.parametrize("drawn", ["specks", "rules"])
def test_specks_and_rules_are_no_letters(drawn: str) -> None:
    page = printed_page(40).copy()
    if drawn == "specks":
        page[::40, ::40] = 0
    else:
        page[30::300] = 0
    assert median_letter_height(page) == pytest.approx(median_letter_height(printed_page(40)), abs=2)


def test_a_page_without_print_is_not_judged() -> None:
    blank = np.full((SIDE, SIDE), 230, np.uint8)
    assert median_letter_height(blank) is None
    assert large_print_scale(blank) == 1.0


@pytest.mark.parametrize(("font_pixels", "scale"), [(20, 1.0), (110, MOST_REDUCTION)])
def test_only_large_print_is_reduced_and_within_bounds(font_pixels: int, scale: float) -> None:
    assert large_print_scale(printed_page(font_pixels, lines=5)) == scale


def seen_by(detect: Network) -> tuple[Network, list[tuple[int, ...]]]:
    """A detector that notes the shapes of its inputs."""
    shapes: list[tuple[int, ...]] = []

    def noting(inputs: Any) -> Any:
        shapes.append(inputs.shape)
        return detect(inputs)

    return noting, shapes


def test_the_detector_finds_the_lines_of_large_print_in_a_smaller_picture(latin_networks: Networks) -> None:
    network, shapes = seen_by(latin_networks.detect)
    page = printed_page(50)
    lines = detect_lines(page, network, PpOcrOptions())
    assert len(lines) == 12
    assert all(40 <= line.size[1] <= 90 for line in lines), "heights are in pixels of the page"
    ((_, _, _, width),) = shapes
    assert width <= MOST_REDUCTION * SIDE + SHAPE_STEP

"""Detection on drawn maps: the network is a function that finds dark pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.ocr.line_words import Grey
from model.ocr.options import PpOcrOptions
from model.ocr.text_detection import detect_lines, detection_scale

OPTIONS = PpOcrOptions(margin=0.0)


def dark(inputs: npt.NDArray[np.float32]) -> Any:
    """Dark pixels of the input, -1 to 1, are text."""
    assert inputs.dtype == np.float32 and all(side % 32 == 0 for side in inputs.shape[2:])
    return (inputs[:, :1] < 0).astype(np.float32)


def striped(height: int, width: int, step: int = 40) -> Grey:
    page = np.full((height, width), 255, np.uint8)
    for y in range(20, height - 20, step):
        page[y : y + 12, width // 10 : -width // 10] = 0
    return page


@pytest.mark.parametrize("height", [900, 1791, 1793, 3000, 7052, 20000])
def test_a_strip_of_any_length_gives_each_line_once(height: int) -> None:
    page = striped(height, 560)
    lines = detect_lines(page, dark, OPTIONS)
    assert [round(line.box[1]) // 40 for line in lines] == list(range(len(range(20, height - 20, 40))))
    assert all(abs(line.size[1] - 12) <= 4 and abs(line.size[0] - 448) <= 6 for line in lines)


def test_a_line_across_the_tiles_of_a_wide_strip_is_one_line() -> None:
    lines = detect_lines(striped(300, 9000), dark, OPTIONS)
    assert len(lines) == 7
    assert all(abs(line.size[0] - 7200) <= 6 for line in lines)


def test_a_line_of_each_angle_keeps_its_length_and_height() -> None:
    y, x = np.mgrid[:1000, :1000] - 500
    for degrees in (-20, -5, 5, 20, 70):
        angle = np.deg2rad(degrees)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        page = np.where((abs(along) < 200) & (abs(across) < 15), 0, 255).astype(np.uint8)
        [line] = detect_lines(page, dark, OPTIONS)
        assert sorted(line.size) == pytest.approx([30, 400], abs=6)


def test_a_dense_page_keeps_all_its_pieces() -> None:
    page = np.full((2000, 1500), 255, np.uint8)
    for y in range(20, 1980, 40):
        for x in range(20, 1480, 40):
            page[y : y + 15, x : x + 25] = 0
    assert len(detect_lines(page, dark, OPTIONS)) == 49 * 37


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (1, 1), (1, 4000), (4000, 1), (3, 40000)])
def test_images_of_a_pixel_or_none_have_no_lines(size: tuple[int, int]) -> None:
    assert detect_lines(np.full(size, 255, np.uint8), dark, OPTIONS) == []


def test_pages_are_scaled_by_the_longer_side_and_strips_by_the_shorter() -> None:
    options = PpOcrOptions(detection_pixels=1280, least_width=736)
    assert detection_scale(2480, 3508, options) == pytest.approx(1280 / 3508)
    assert detection_scale(1000, 2400, options) == pytest.approx(0.736)
    assert detection_scale(300, 400, options) == 2.0
    assert detection_scale(560, 7052, options) == 1.0
    assert detection_scale(1280, 7260, options) == 1.0
    assert detection_scale(12000, 2560, options) == 0.5


def test_only_the_part_of_a_page_that_has_ink_is_detected_and_its_lines_keep_their_places() -> None:
    page = np.full((1280, 960), 255, np.uint8)
    for y in range(500, 700, 40):
        page[y : y + 12, 300:700] = 0
    shapes: list[tuple[int, ...]] = []

    def recorded(inputs: npt.NDArray[np.float32]) -> Any:
        shapes.append(inputs.shape)
        return dark(inputs)

    lines = detect_lines(page, recorded, OPTIONS)
    assert shapes == [(1, 3, 256, 512)]  # 172 + 2 x 32 by 400 + 2 x 32 pixels, in steps of 64
    assert [round(line.box[1]) // 40 for line in lines] == [12, 13, 14, 15, 16]
    assert all(abs(line.box[0] - 300) <= 3 and abs(line.box[2] - 700) <= 3 for line in lines)


@pytest.mark.parametrize("paper", [0, 90, 255])
def test_a_page_without_ink_is_not_detected_at_all(paper: int) -> None:
    def never(inputs: npt.NDArray[np.float32]) -> Any:
        raise AssertionError("the network ran")

    noise = np.random.default_rng(0).integers(-10, 11, (900, 700)) + paper
    assert detect_lines(np.clip(noise, 0, 255).astype(np.uint8), never, OPTIONS) == []


def test_light_letters_on_a_dark_page_are_ink() -> None:
    assert len(detect_lines(255 - striped(900, 560), lambda inputs: 1 - dark(inputs), OPTIONS)) == len(
        detect_lines(striped(900, 560), dark, OPTIONS)
    )

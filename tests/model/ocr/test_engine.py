from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytesseract
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.engine import (
    OcrEngine,
    OcrOptions,
    OcrUnavailableError,
    normalise_boxes,
)
from model.ocr.tesseract import tesseract_resolution, working_size

TEXT = ["Purchase order 4711", "Delivery date: 12 March 2024", "Total amount due 1,250.00"]
WORDS = " ".join(TEXT).split()

Box = tuple[int, int, int, int]
EngineName = Literal["tesserocr", "pytesseract"]


def drawn(width: int = 1200, height: int = 1600, size: int = 36, mode: str = "L") -> tuple[Image.Image, list[Box]]:
    """A page with `TEXT`, and the box of each word's ink."""
    image = Image.new(mode, (width, height), "white")
    canvas = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    boxes = []
    for row, line in enumerate(TEXT):
        x, y = width * 0.1, height * 0.1 + row * size * 2.5
        for word in line.split():
            canvas.text((x, y), word, fill="black", font=font)
            x0, y0, x1, y1 = canvas.textbbox((x, y), word, font=font)
            boxes.append((round(x0), round(y0), round(x1), round(y1)))
            x += canvas.textlength(word + " ", font=font)
    return image, boxes


RESOLUTIONS = pytest.mark.parametrize(
    ("width", "height", "size"),
    [(500, 660, 15), (760, 1000, 20), (1700, 2200, 42), (3400, 4400, 84)],
    ids=["60 dpi", "90 dpi", "200 dpi", "400 dpi"],
)


@pytest.fixture(scope="module")
def engine() -> Iterator[OcrEngine]:
    with OcrEngine(OcrOptions(engine="tesserocr")) as made:
        yield made


@pytest.fixture(scope="module")
def program() -> Iterator[OcrEngine]:
    with OcrEngine(OcrOptions.plain("pytesseract")) as made:
        yield made


@RESOLUTIONS
def test_text_is_read_at_any_resolution_with_the_boxes_of_its_ink(
    engine: OcrEngine, width: int, height: int, size: int
) -> None:
    image, truth = drawn(width, height, size)
    result = engine.read(image)
    assert result.words == WORDS
    tolerance = max(size // 6, 3)
    near = [
        all(abs(a - b) <= tolerance for a, b in zip(box, ink, strict=True))
        for box, ink in zip(result.boxes, truth, strict=True)
    ]
    assert near.count(False) <= 1, (result.boxes, truth)  # at 60 dpi Tesseract returns half a box for "12"
    assert all(0.5 < confidence <= 1 for confidence in result.confidences)


@pytest.mark.parametrize("size", [32, 50, 60, 80])
def test_large_letters_keep_their_ascenders(engine: OcrEngine, size: int) -> None:
    """With too low a resolution, Tesseract reads "enoug" and "severa" in letters of these sizes."""
    words = ["words", "enough", "for", "several", "threads", "to", "share"]
    image = Image.new("L", (26 * size, 2000), 255)
    for row in range(4):
        position = (100, 100 + 2 * size * row)
        ImageDraw.Draw(image).text(position, " ".join(words), fill=0, font=ImageFont.load_default(size=size))
    assert engine.read(image).words == words * 4


def test_boxes_lie_inside_the_image_even_if_text_is_cut_off(engine: OcrEngine) -> None:
    image, _ = drawn()
    cut = image.crop((140, 170, 700, 420))
    result = engine.read(cut)
    assert result.words
    for x0, y0, x1, y1 in result.boxes:
        assert 0 <= x0 < x1 <= cut.width and 0 <= y0 < y1 <= cut.height


def test_grey_and_colour_images_read_the_same(engine: OcrEngine) -> None:
    assert engine.read(drawn(mode="RGB")[0]).words == engine.read(drawn(mode="L")[0]).words == WORDS


def test_a_blank_page_has_no_words(engine: OcrEngine) -> None:
    result = engine.read(Image.new("L", (800, 1000), 255))
    assert (result.words, result.boxes, result.confidences) == ([], [], [])


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 3), (40000, 4), (4, 40000)])
def test_tiny_and_stretched_images_have_no_words(engine: OcrEngine, size: tuple[int, int]) -> None:
    assert engine.read(Image.new("L", size, 255)).words == []


def test_an_image_too_large_for_tesseract_is_rejected_if_it_may_not_be_reduced() -> None:
    with (
        OcrEngine(OcrOptions.plain("tesserocr")) as plain,
        pytest.raises(ValueError, match="set reduce_to_pixels"),
    ):
        plain.read(Image.new("L", (40000, 4), 255))


def test_the_result_does_not_depend_on_earlier_pages(engine: OcrEngine) -> None:
    image, _ = drawn()
    first = engine.read(image)
    engine.read(drawn(760, 1000, 20)[0])
    assert engine.read(image) == first


def test_two_columns_are_read_one_after_the_other(engine: OcrEngine) -> None:
    image = Image.new("L", (1700, 2200), 255)
    canvas = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=34)
    left = ["the quick brown fox jumps over", "a lazy dog and then runs home", "along the river to its little"] * 3
    right = ["every good child likes to read", "some long story in the evening", "before the lamp is put out late"] * 3
    for row, (a, b) in enumerate(zip(left, right, strict=True)):
        canvas.text((120, 200 + 60 * row), a, fill=0, font=font)
        canvas.text((900, 200 + 60 * row), b, fill=0, font=font)
    assert engine.read(image).words == " ".join(left + right).split()


def test_a_forms_rows_are_read_from_label_to_value(engine: OcrEngine) -> None:
    image = Image.new("L", (1700, 2200), 255)
    canvas = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=34)
    rows = [("Name:", "Smith"), ("City:", "London"), ("Country:", "England"), ("Phone:", "555 1234"), ("Age:", "42")]
    for row, (label, value) in enumerate(rows):
        canvas.text((120, 200 + 80 * row), label, fill=0, font=font)
        canvas.text((900, 200 + 80 * row), value, fill=0, font=font)
    assert engine.read(image).words == " ".join(f"{label} {value}" for label, value in rows).split()


def test_plain_settings_return_exactly_the_words_of_a_plain_pytesseract_call(program: OcrEngine) -> None:
    image, _ = drawn(760, 1000, 20)
    table = pytesseract.image_to_data(image, output_type=pytesseract.Output.DICT)
    rows = [i for i, text in enumerate(table["text"]) if text.strip()]
    result = program.read(image)
    assert result.words == [table["text"][i] for i in rows]
    assert result.boxes == [
        (left, top, left + width, top + height)
        for left, top, width, height in (
            (table["left"][i], table["top"][i], table["width"][i], table["height"][i]) for i in rows
        )
    ]
    assert result.confidences == [table["conf"][i] / 100 for i in rows]


@pytest.mark.parametrize("options", [OcrOptions.plain(), OcrOptions()], ids=["plain", "default"])
def test_both_engines_read_a_clean_page_the_same(options: OcrOptions) -> None:
    image, _ = drawn()
    with (
        OcrEngine(replace(options, engine="tesserocr")) as library,
        OcrEngine(replace(options, engine="pytesseract")) as program,
    ):
        assert library.read(image).words == program.read(image).words == WORDS


def test_without_tesserocr_the_program_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tesserocr", None)  # importing it now raises ImportError
    with OcrEngine(OcrOptions(engine="tesserocr")) as engine:
        result = engine.read(drawn()[0])
    assert (result.words, result.engine) == (WORDS, "pytesseract")
    assert "pytesseract instead" in caplog.text


def test_the_library_reads_on_one_thread_with_torch_in_the_same_process() -> None:
    script = """
import os, sys, threading
import torch
torch.ones(512, 512) @ torch.ones(512, 512)
from PIL import Image, ImageDraw, ImageFont
from model.ocr.engine import OcrEngine, OcrOptions
image = Image.new("L", (1600, 1600), 255)
font = ImageFont.load_default(size=40)
for row in range(12):
    ImageDraw.Draw(image).text((100, 100 + 100 * row), "words enough for several threads to share", fill=0, font=font)
before = len(os.listdir("/proc/self/task"))
engine = OcrEngine(OcrOptions(engine="tesserocr"))
most, done = 0, threading.Event()
def watch():
    global most
    while not done.wait(0.002):
        most = max(most, len(os.listdir("/proc/self/task")))
watcher = threading.Thread(target=watch)
watcher.start()
words = engine.read(image).words
done.set()
watcher.join()
print(len(words), before, most, os.environ.get("OMP_THREAD_LIMIT"))
"""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    printed = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).resolve().parents[3],
    ).stdout.split()
    words, before, most = (int(value) for value in printed[:3])
    assert words == 12 * 7
    assert before < most <= before + 1  # the watching thread itself
    assert printed[3] == "None"  # torch's later children are not held back


def test_the_program_is_started_with_one_thread_and_the_environment_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: OcrEngine
) -> None:
    seen = tmp_path / "seen"
    real = pytesseract.pytesseract.tesseract_cmd
    wrapper = tmp_path / "tesseract"
    wrapper.write_text(f'#!/bin/sh\necho "$OMP_THREAD_LIMIT" > "{seen}"\nexec {real} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", str(wrapper))
    monkeypatch.setenv("OMP_THREAD_LIMIT", "7")
    assert program.read(drawn()[0]).words == WORDS
    assert seen.read_text().strip() == "1"
    assert os.environ["OMP_THREAD_LIMIT"] == "7"


@pytest.mark.parametrize("engine_name", ["tesserocr", "pytesseract"])
def test_the_error_for_a_missing_language_names_its_package(engine_name: EngineName) -> None:
    options = replace(OcrOptions(language="eng+chi_xyz"), engine=engine_name)
    with pytest.raises(OcrUnavailableError, match=r"chi_xyz.*apt-get install tesseract-ocr-chi-xyz"):
        OcrEngine(options)


def test_the_error_for_a_folder_without_data_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OcrUnavailableError, match=str(tmp_path)):
        OcrEngine(OcrOptions(engine="tesserocr", tessdata=str(tmp_path)))


def test_the_error_for_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", str(tmp_path / "tesseract"))
    with pytest.raises(OcrUnavailableError, match="apt-get install tesseract-ocr"):
        OcrEngine(OcrOptions.plain("pytesseract"))


@pytest.mark.parametrize("engine_name", ["tesserocr", "pytesseract"])
def test_a_page_over_its_time_limit_is_a_timeout_and_the_next_is_read(engine_name: EngineName) -> None:
    image = Image.new("L", (2000, 2500), 255)
    font = ImageFont.load_default(size=30)
    for row in range(40):
        ImageDraw.Draw(image).text((100, 100 + 55 * row), "a page that has more to read " * 4, fill=0, font=font)
    with OcrEngine(replace(OcrOptions(), engine=engine_name)) as engine:
        with pytest.raises(TimeoutError, match="longer than"):
            engine.read(image, time_limit_seconds=0.02)
        assert engine.read(drawn()[0], time_limit_seconds=120).words == WORDS


def test_reading_with_a_closed_engine_is_an_error() -> None:
    engine = OcrEngine(OcrOptions(engine="tesserocr"))
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.read(drawn()[0])


def test_small_pages_are_enlarged_and_large_ones_reduced_within_limits() -> None:
    options = OcrOptions(enlarge_to_pixels=1500, most_enlargement=2.0, reduce_to_pixels=3000)
    assert working_size(750, 1000, options) == (1125, 1500)
    assert working_size(1000, 750, options) == (1500, 1125)
    assert working_size(100, 200, options) == (200, 400)  # never more than twice
    assert working_size(1700, 2200, options) == (1700, 2200)
    assert working_size(3000, 6000, options) == (1500, 3000)
    assert working_size(60000, 2, options) == (32767, 1)
    assert working_size(100, 60000, OcrOptions.plain()) == (100, 60000)


def test_larger_pages_get_a_higher_resolution() -> None:
    options = OcrOptions(enlarge_to_pixels=2000, resolution_dpi=250)
    assert tesseract_resolution(1500, 2000, options) == 250
    assert tesseract_resolution(3000, 1500, options) == 375
    assert tesseract_resolution(100, 50, options) == 250
    assert tesseract_resolution(30000, 25000, options) == 2400
    assert tesseract_resolution(3000, 1500, OcrOptions.plain()) == 0


def test_words_of_low_confidence_are_dropped_and_counted() -> None:
    image, _ = drawn()
    with OcrEngine(OcrOptions("tesserocr", minimum_confidence=1.0, minimum_symbol_confidence=1.0)) as strict:
        result = strict.read(image)
    assert len(result.words) + result.dropped == len(WORDS)
    assert result.dropped > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "other"}, "tesserocr"),
        ({"language": "../eng"}, "eng\\+deu"),
        ({"language": ""}, "eng\\+deu"),
        ({"page_segmentation_mode": 0}, "3 to 13"),
        ({"reading_order": "columns"}, "boxes"),
        ({"minimum_confidence": 60.0}, "0 to 1"),
        ({"most_enlargement": 0.5}, "1 or more"),
        ({"enlarge_to_pixels": 2000, "reduce_to_pixels": 1000}, "below"),
    ],
)
def test_invalid_options_are_rejected(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OcrOptions(**settings)  # type: ignore[arg-type]


def test_boxes_are_normalised_as_in_the_reference() -> None:
    assert normalise_boxes([(0, 0, 50, 100), (57, 1, 99, 2)], 100, 200) == [[0, 0, 500, 500], [570, 5, 990, 10]]


def test_normalised_boxes_are_clipped_and_ordered() -> None:
    assert normalise_boxes([(-5, 250, 120, 30)], 100, 200) == [[0, 150, 1000, 1000]]
    assert normalise_boxes([], 0, 0) == []
    with pytest.raises(ValueError, match="0x5"):
        normalise_boxes([(0, 0, 1, 1)], 0, 5)

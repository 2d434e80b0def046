from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr import ppocr_runtime
from model.ocr.engine import OcrEngine, OcrOptions, OcrUnavailableError
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr import PpOcr
from tests.model.ocr.test_engine import RESOLUTIONS, WORDS, drawn
from tests.model.ocr.test_orientation import page


@pytest.fixture(scope="module")
def ppocr() -> Iterator[PpOcr]:
    made = PpOcr()
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[OcrEngine]:
    with OcrEngine(OcrOptions(engine="ppocr")) as made:
        yield made


@RESOLUTIONS
def test_text_is_read_at_any_resolution_with_the_boxes_of_its_ink(
    engine: OcrEngine, width: int, height: int, size: int
) -> None:
    image, truth = drawn(width, height, size)
    result = engine.read(image)
    assert result.words == WORDS and result.engine == "ppocr"
    assert all(0.8 < confidence <= 1 for confidence in result.confidences)
    for box, ink in zip(result.boxes, truth, strict=True):
        assert all(abs(a - b) <= max(size // 4, 4) for a, b in zip(box, ink, strict=True)), (box, ink)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_both_runtimes_give_the_same_words(runtime: Any) -> None:
    with OcrEngine(OcrOptions(engine="ppocr", ppocr=PpOcrOptions(runtime=runtime))) as engine:
        assert engine.read(drawn()[0]).words == WORDS


def test_lines_in_batches_are_read_as_singly(engine: OcrEngine) -> None:
    with OcrEngine(OcrOptions(engine="ppocr", ppocr=PpOcrOptions(batch_lines=2))) as batches:
        assert batches.read(drawn()[0]).words == engine.read(drawn()[0]).words == WORDS


@pytest.mark.parametrize("language", ["deu", "chi_sim"])
def test_umlauts_are_read_with_any_character_set(language: str) -> None:
    image = Image.new("L", (1400, 400), 255)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size=48)
    for row, text in enumerate(["Größe der Übergabe prüfen", "Façade à côté de l'été"]):
        ImageDraw.Draw(image).text((80, 80 + 120 * row), text, fill=0, font=font)
    with OcrEngine(OcrOptions(engine="ppocr", language=language)) as engine:
        assert engine.read(image).words == ["Größe", "der", "Übergabe", "prüfen", "Façade", "à", "côté", "de", "l'été"]


def test_words_and_boxes_are_the_same_twice_and_after_other_pages(engine: OcrEngine) -> None:
    image, _ = drawn()
    first = engine.read(image)
    engine.read(drawn(760, 1000, 20)[0])
    assert engine.read(image) == first


@pytest.mark.parametrize("degrees", [-8, -3, 3, 8])
def test_lines_that_are_not_level_are_read_with_boxes_over_their_ink(engine: OcrEngine, degrees: int) -> None:
    image = drawn()[0].rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    result = engine.read(image)
    assert sorted(result.words) == sorted(WORDS)
    pixels = np.asarray(image)
    assert all(pixels[y0:y1, x0:x1].min() < 128 for x0, y0, x1, y1 in result.boxes)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "CMYK"])
def test_images_of_every_mode_are_read(engine: OcrEngine, mode: str) -> None:
    assert engine.read(drawn()[0].convert(mode)).words == WORDS


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (1, 1), (1, 400), (400, 1), (3, 3), (12000, 4), (4, 12000)])
@pytest.mark.parametrize("level", [0, 255])
def test_tiny_and_stretched_images_have_no_words(engine: OcrEngine, size: tuple[int, int], level: int) -> None:
    result = engine.read(Image.new("L", size, level))
    assert (result.words, result.boxes, result.confidences) == ([], [], [])
    assert engine.rotation(Image.new("L", size, level)) is None


def test_noise_has_hardly_any_words(engine: OcrEngine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 700), dtype=np.uint8)
    assert len(engine.read(Image.fromarray(noise)).words) <= 2


def test_a_very_wide_line_is_read_whole(engine: OcrEngine) -> None:
    words = ["the", "tenant", "shall", "keep", "every", "garden", "shed", "in", "good", "repair"] * 7
    image = Image.new("L", (7500, 90), 255)
    ImageDraw.Draw(image).text((20, 20), " ".join(words), fill=0, font=ImageFont.load_default(size=36))
    assert engine.read(image).words == words


@pytest.mark.parametrize(("width", "columns", "lines"), [(1700, 8, 31), (2480, 12, 15)], ids=["dense", "half empty"])
def test_a_page_of_numbers_is_read_whole(engine: OcrEngine, width: int, columns: int, lines: int) -> None:
    image = Image.new("L", (width, 3508), 255)
    rows = [
        " ".join(str(1000 + 17 * (row * columns + column) % 9000) for column in range(columns)) for row in range(lines)
    ]
    for row, text in enumerate(rows):
        ImageDraw.Draw(image).text((120, 120 + 50 * row), text, fill=0, font=ImageFont.load_default(size=32))
    expected, words = " ".join(rows).split(), engine.read(image).words
    assert len(expected) == columns * lines
    assert len(set(words) & set(expected)) > 0.98 * len(set(expected))
    assert len(words) == pytest.approx(len(expected), rel=0.01)


@pytest.mark.slow
def test_a_screenshot_of_a_whole_site_keeps_its_small_letters(engine: OcrEngine) -> None:
    image = Image.new("L", (1280, 7260), 255)
    expected = [f"row{number}" for number in range(100, 340)]
    for row, word in enumerate(expected):
        ImageDraw.Draw(image).text((60, 20 + 30 * row), f"{word} of a site", fill=0, font=ImageFont.load_default(16))
    words = engine.read(image).words
    assert sum(words.count(word) == 1 for word in expected) >= 237


@pytest.mark.parametrize(
    ("rotation", "skew"),
    [(0, 4), (90, 0), (180, 4), pytest.param(270, 0, marks=pytest.mark.slow)],  # test_page_reader.py turns one by 270
)
def test_the_rotation_of_a_page_of_text_is_told(ppocr: PpOcr, rotation: int, skew: int) -> None:
    image = page().rotate(skew, fillcolor=255).rotate(rotation, expand=True)
    assert ppocr.rotation(image) == rotation


def test_the_rotation_of_a_page_without_text_is_unknown(ppocr: PpOcr) -> None:
    assert ppocr.rotation(Image.new("L", (1000, 1400), 255)) is None
    rules = Image.new("L", (1000, 1400), 255)
    for y in range(100, 1300, 100):
        ImageDraw.Draw(rules).line((100, y, 900, y), fill=0, width=4)
    assert ppocr.rotation(rules) in (None, 0)


def test_a_page_over_its_time_limit_is_a_timeout_and_the_next_is_read(engine: OcrEngine) -> None:
    with pytest.raises(TimeoutError, match="longer than"):
        engine.read(page(), time_limit_seconds=0.02)
    assert engine.read(drawn()[0], time_limit_seconds=120).words == WORDS


@pytest.mark.usefixtures("networks_are_loaded_anew")
def test_a_closed_engine_frees_its_networks_and_reads_no_more() -> None:
    made = PpOcr()
    networks = made._networks
    made.close()
    made.close()
    gc.collect()
    assert len(gc.get_referrers(networks)) <= 1  # this frame
    for call in (made.read, made.detect, made.rotation):
        with pytest.raises(RuntimeError, match="closed"):
            call(drawn()[0])


@pytest.mark.parametrize("language", ["rus", "ell", "ara", "heb", "hin", "kor", "vie", "chi_sim_vert"])
def test_a_language_that_it_does_not_read_is_refused_by_name(language: str) -> None:
    with pytest.raises(OcrUnavailableError, match=rf"does not read {language}: .*'tesserocr'"):
        OcrEngine(OcrOptions(engine="ppocr", language=f"eng+{language}"))


@pytest.mark.usefixtures("networks_are_loaded_anew")
def test_a_missing_package_or_model_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OcrUnavailableError, match=r"PP-OCRv6_det_small.onnx is missing: pip install"):
        PpOcr()


@pytest.mark.parametrize("name", ["rapidocr", "openvino", "cv2"])
def test_without_a_package_it_is_unavailable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ppocr_runtime.importlib.util.find_spec
    monkeypatch.setattr(ppocr_runtime.importlib.util, "find_spec", lambda n: None if n == name else real(n))
    assert ppocr_runtime.is_installed() == (name == "openvino")  # ONNX Runtime is left


def test_cuda_without_a_gpu_is_refused() -> None:
    if ppocr_runtime.GPU_DEVICE.exists():
        pytest.skip("there is a GPU")
    with pytest.raises(OcrUnavailableError, match="no GPU"):
        PpOcr(PpOcrOptions(runtime="cuda"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runtime": "torch"}, "openvino"),
        ({"precision": "int4"}, "int8"),
        ({"precision": "int8", "runtime": "cuda"}, "OpenVINO"),
        ({"precision": "bf16", "runtime": "onnxruntime"}, "OpenVINO"),
        ({"detection_pixels": 0}, "32 to 4096"),
        ({"line_threshold": 1.0}, "between 0 and 1"),
        ({"batch_lines": 0}, "1 or more"),
        ({"margin": -1.0}, "0 or more"),
    ],
)
def test_invalid_options_are_rejected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PpOcrOptions(**settings)


@pytest.mark.slow
def test_the_sample_receipt_yields_its_amounts(samples_directory: Path) -> None:
    from model.ocr.page_reader import PageReader

    reader = PageReader()
    with Image.open(samples_directory / "receipt-photo.jpg") as image:
        result = reader.read(image.convert("L"))
    reader.close()
    assert result.rotation == 90
    amounts = re.findall(r"\d+\.\d\d", " ".join(result.text.words))
    assert len(amounts) >= 10

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytesseract
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from model.preprocessing.image_processor import LayoutLMv2ImageProcessor, LayoutLMv2ImageProcessorPil, apply_tesseract

TEXT_FIXTURES = Path(__file__).parents[2] / "fixtures" / "text"
PAGES = ("0000971160.png", "0000989556.png")
BOTH = pytest.mark.parametrize("processor_class", [LayoutLMv2ImageProcessor, LayoutLMv2ImageProcessorPil])


def page_image(shared_directory: Path, name: str) -> Image.Image:
    return Image.open(shared_directory / "corpora" / "funsd" / "training_data" / "images" / name)


def colours(height: int = 90, width: int = 60) -> np.ndarray:
    """(height, width, 3) uint8, smooth, and different in each channel."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 2, columns * 3, 255 - rows], axis=-1).astype(np.uint8)


def printed_page() -> Image.Image:
    page = Image.new("RGB", (900, 300), "white")
    font = ImageFont.load_default(size=40)
    draw = ImageDraw.Draw(page)
    draw.text((60, 60), "Invoice number", fill="black", font=font)
    draw.text((60, 180), "Total amount", fill="black", font=font)
    return page


def tesseract_is(version: str) -> bool:
    try:
        return str(pytesseract.get_tesseract_version()).startswith(version)
    except pytesseract.TesseractNotFoundError:
        return False


needs_tesseract = pytest.mark.skipif(not tesseract_is(""), reason="tesseract is not installed")


# -- Equality with the reference implementation ------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_pillow_images_equal_the_reference_exactly(shared_directory: Path, name: str) -> None:
    images = LayoutLMv2ImageProcessorPil(apply_ocr=False)(page_image(shared_directory, name))["pixel_values"]
    with np.load(TEXT_FIXTURES / "images.npz") as expected:
        np.testing.assert_array_equal(images[0], expected[f"{name}:pil"])


@pytest.mark.parametrize("name", PAGES)
def test_tensor_images_equal_the_reference_within_one_level(shared_directory: Path, name: str) -> None:
    images = LayoutLMv2ImageProcessor(apply_ocr=False)(page_image(shared_directory, name))["pixel_values"]
    with np.load(TEXT_FIXTURES / "images.npz") as expected:
        difference = images[0].numpy().astype(int) - expected[f"{name}:tensor"].astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.skipif(not tesseract_is("5.3.0"), reason="words are compared under the same Tesseract, 5.3.0")
@pytest.mark.parametrize("page", json.loads((TEXT_FIXTURES / "ocr.json").read_text()), ids=lambda page: page["image"])
def test_words_and_boxes_equal_the_reference_exactly(shared_directory: Path, page: dict[str, Any]) -> None:
    words, boxes = apply_tesseract(page_image(shared_directory, page["image"]))
    assert words == page["words"]
    assert boxes == page["boxes"]


# -- Images ------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_output_is_blue_green_red_of_224_by_224(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    image = Image.new("RGB", (30, 50), (10, 20, 30))
    pixels = processor_class(apply_ocr=False)(image, return_tensors="np")["pixel_values"]
    assert pixels.shape == (1, 3, 224, 224)
    assert pixels.dtype == np.uint8
    assert [set(channel.ravel()) for channel in pixels[0]] == [{30}, {20}, {10}]


@BOTH
def test_every_input_type_of_one_image_gives_the_same_result(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class(apply_ocr=False)
    array = colours()
    expected = processor(Image.fromarray(array), return_tensors="pt")["pixel_values"]
    channels_first = np.ascontiguousarray(array.transpose(2, 0, 1))
    for form in (
        array,
        channels_first,
        torch.from_numpy(array),
        torch.from_numpy(channels_first),
        [array],
        array[None],
    ):
        assert torch.equal(processor(form, return_tensors="pt")["pixel_values"], expected)
    batch = processor([Image.fromarray(array), channels_first], return_tensors="pt")["pixel_values"]
    assert torch.equal(batch, torch.cat([expected, expected]))


@BOTH
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"])
def test_images_of_any_mode_become_three_channels(processor_class: type[LayoutLMv2ImageProcessor], mode: str) -> None:
    black = Image.new("L", (40, 40), 0)
    black.paste(255, (0, 0, 40, 20))
    image = black.convert("RGB").convert(mode) if mode in ("LA", "CMYK", "YCbCr", "P") else black.convert(mode)
    pixels = processor_class(apply_ocr=False, do_resize=False)(image, return_tensors="np")["pixel_values"][0]
    assert pixels.shape == (3, 40, 40)
    assert pixels[:, :20].min() >= 250
    assert pixels[:, 20:].max() <= 5


def test_sixteen_bit_grey_levels_are_preserved() -> None:
    deep = Image.fromarray(np.array([[0, 0x4000, 0x8000, 0xFFFF]], dtype=np.uint16))
    pixels = LayoutLMv2ImageProcessor(apply_ocr=False, do_resize=False)(deep)["pixel_values"][0]
    assert pixels[0].tolist() == [[0, 64, 128, 255]]


@BOTH
def test_transparent_pixels_become_white(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    processor = processor_class(apply_ocr=False, do_resize=False)
    assert int(np.asarray(processor(image)["pixel_values"][0]).min()) == 255
    assert int(np.asarray(processor(np.asarray(image))["pixel_values"][0]).min()) == 255


@BOTH
def test_floats_keep_their_scale(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class(apply_ocr=False)
    unit = processor((colours() / 255).astype(np.float32), return_tensors="np")["pixel_values"]
    assert unit.dtype == np.float32
    assert unit.min() >= 0
    assert unit.max() <= 1
    whole = processor(colours(), return_tensors="np")["pixel_values"]
    assert np.abs(unit * 255 - whole).max() <= 1


def test_without_resizing_images_keep_their_size_and_lists_stay_lists() -> None:
    images = [colours(20, 30), colours(40, 50)]
    tensors = LayoutLMv2ImageProcessor(apply_ocr=False, do_resize=False)(images)["pixel_values"]
    arrays = LayoutLMv2ImageProcessorPil(apply_ocr=False, do_resize=False)(images)["pixel_values"]
    assert [tuple(image.shape) for image in tensors] == [(3, 20, 30), (3, 40, 50)]
    assert all(isinstance(image, np.ndarray) for image in arrays)
    np.testing.assert_array_equal(arrays[0], images[0].transpose(2, 0, 1)[::-1])


def test_a_call_can_override_the_processors_settings() -> None:
    processor = LayoutLMv2ImageProcessorPil(apply_ocr=False)
    assert processor(colours(), size=50, return_tensors="pt")["pixel_values"].shape == (1, 3, 50, 50)
    assert processor(colours(), size=(20, 30), return_tensors="pt")["pixel_values"].shape == (1, 3, 20, 30)
    sharp = processor(colours(), resample=Image.Resampling.NEAREST)["pixel_values"][0]
    assert not np.array_equal(sharp, processor(colours())["pixel_values"][0])
    assert processor.size == {"height": 224, "width": 224}


@pytest.mark.parametrize(
    ("images", "settings", "error", "message"),
    [
        ("page.png", {}, TypeError, "is not an image"),
        ([], {}, ValueError, "no images"),
        (np.zeros((5, 5, 5), np.uint8), {}, ValueError, "neither first nor last"),
        (np.zeros((2, 2, 2, 2, 2), np.uint8), {}, ValueError, "two or three dimensions"),
        (np.full((4, 4, 3), 300, np.int32), {}, ValueError, "from 300 to 300"),
        (np.full((4, 4, 3), 0.5, np.float32) * 9, {}, ValueError, "floats must be in 0-1"),
        (np.zeros((4, 4, 3), np.uint8), {"size": {"longest_edge": 5}}, ValueError, "height and width"),
        (np.zeros((4, 4, 3), np.uint8), {"size": 0}, ValueError, "pixels is empty"),
        (np.zeros((4, 4, 3), np.uint8), {"return_tensors": "tf"}, ValueError, "return_tensors='tf'"),
        (np.zeros((3, 4, 3), np.uint8), {"input_data_format": "HWC"}, ValueError, "channels_first"),
        (Image.new("L", (4, 4)), {"do_convert_rgb": False}, ValueError, "mode L"),
        ([colours(4, 4), colours(5, 5)], {"do_resize": False, "return_tensors": "pt"}, ValueError, "unequal size"),
    ],
)
def test_invalid_calls_are_rejected_with_a_remedy(
    images: Any, settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LayoutLMv2ImageProcessorPil(apply_ocr=False)(images, **settings)


def test_the_torch_version_rejects_filters_that_only_pillow_has() -> None:
    with pytest.raises(ValueError, match="LayoutLMv2ImageProcessorPil supports all"):
        LayoutLMv2ImageProcessor(apply_ocr=False, resample=Image.Resampling.HAMMING)(colours())
    images = LayoutLMv2ImageProcessorPil(apply_ocr=False, resample=Image.Resampling.HAMMING)(colours())
    assert images["pixel_values"][0].shape == (3, 224, 224)


def test_the_layout_of_an_ambiguous_array_can_be_specified() -> None:
    array = np.zeros((3, 10, 3), np.uint8)
    array[..., 0] = 200
    processor = LayoutLMv2ImageProcessor(apply_ocr=False, do_resize=False)
    assert processor(array)["pixel_values"][0].shape == (3, 10, 3)
    last = processor(array, input_data_format="channels_last")["pixel_values"][0]
    assert last.shape == (3, 3, 10)
    assert last[2].unique().tolist() == [200]


# -- OCR ---------------------------------------------------------------------------------------------------------------


@needs_tesseract
@BOTH
def test_ocr_returns_words_and_boxes(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    features = processor_class()(printed_page())
    assert features["words"] == [["Invoice", "number", "Total", "amount"]]
    x0, y0, x1, y1 = features["boxes"][0][0]
    assert 50 <= x0 < x1 <= 250
    assert 180 <= y0 < y1 <= 400
    assert all(0 <= number <= 1000 for box in features["boxes"][0] for number in box)


@needs_tesseract
def test_a_blank_page_has_no_words() -> None:
    assert apply_tesseract(Image.new("RGB", (200, 200), "white")) == ([], [])


@needs_tesseract
def test_metadata_does_not_change_the_text(tmp_path: Path) -> None:
    printed_page().save(tmp_path / "page.png", dpi=(40, 40))
    with Image.open(tmp_path / "page.png") as page:
        assert apply_tesseract(page) == apply_tesseract(printed_page())


@needs_tesseract
def test_language_and_options_are_passed_to_tesseract() -> None:
    with pytest.raises(pytesseract.TesseractError, match="nowhere"):
        LayoutLMv2ImageProcessor(ocr_lang="nowhere")(printed_page())
    only_digits = LayoutLMv2ImageProcessor(tesseract_config="-c tessedit_char_whitelist=0123456789")(printed_page())
    assert all(character.isdigit() for word in only_digits["words"][0] for character in word)


def test_tesseract_runs_on_one_thread_and_the_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    seen: list[str | None] = []
    together = threading.Barrier(4)

    def fake_call(*_: Any, **__: Any) -> dict[str, list[Any]]:
        together.wait(timeout=10)
        seen.append(os.environ.get("OMP_THREAD_LIMIT"))
        return {name: [] for name in ("text", "left", "top", "width", "height")}

    monkeypatch.setattr(pytesseract, "image_to_data", fake_call)
    threads = [threading.Thread(target=apply_tesseract, args=(printed_page(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["1"] * 4
    assert "OMP_THREAD_LIMIT" not in os.environ


def test_the_users_own_thread_limit_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "3")
    seen: list[str] = []

    def fake_call(*_: Any, **__: Any) -> dict[str, list[Any]]:
        seen.append(os.environ["OMP_THREAD_LIMIT"])
        return {name: [] for name in ("text", "left", "top", "width", "height")}

    monkeypatch.setattr(pytesseract, "image_to_data", fake_call)
    apply_tesseract(printed_page())
    assert seen == ["1"]
    assert os.environ["OMP_THREAD_LIMIT"] == "3"


# -- Files -------------------------------------------------------------------------------------------------------------


@BOTH
def test_saved_files_load_again(tmp_path: Path, processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class(apply_ocr=False, size=100, resample=3, ocr_lang="deu", other_settings={"note": "kept"})
    (path,) = processor.save_pretrained(tmp_path)
    saved = json.loads(Path(path).read_text())
    assert saved == {
        "apply_ocr": False,
        "do_resize": True,
        "image_processor_type": "LayoutLMv2ImageProcessor",
        "note": "kept",
        "ocr_lang": "deu",
        "resample": 3,
        "size": {"height": 100, "width": 100},
        "tesseract_config": "",
    }
    again = processor_class.from_pretrained(tmp_path)
    again.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "preprocessor_config.json").read_text()) == saved
    assert processor_class.from_pretrained(tmp_path, apply_ocr=True).apply_ocr is True


def test_files_of_older_and_newer_reference_versions_load(tmp_path: Path) -> None:
    older = {"apply_ocr": False, "do_resize": True, "feature_extractor_type": "LayoutLMv2FeatureExtractor", "size": 224}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(older))
    assert LayoutLMv2ImageProcessor.from_pretrained(tmp_path).size == {"height": 224, "width": 224}
    (tmp_path / "preprocessor_config.json").unlink()
    newer = {"image_processor": {"apply_ocr": False, "do_resize": False}, "processor_class": "LayoutLMv2Processor"}
    (tmp_path / "processor_config.json").write_text(json.dumps(newer))
    assert LayoutLMv2ImageProcessor.from_pretrained(tmp_path).do_resize is False
    (tmp_path / "processor_config.json").unlink()
    with pytest.raises(FileNotFoundError, match="no image processor"):
        LayoutLMv2ImageProcessor.from_pretrained(tmp_path)

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.checkpoint_source import BUNDLED_FORMS, CheckpointError, checkpoint_fingerprint, resolve_checkpoint
from model.preprocessing.image_processor import LayoutLMv2ImageProcessor, LayoutLMv2ImageProcessorPil
from model.preprocessing.image_settings import SETTING_DEFAULTS
from tests.model.preprocessing.test_image_processor import BOTH, colours

ORIENTATION = 0x0112


def pixels_of(features: Any) -> np.ndarray:
    return np.asarray(features["pixel_values"][0])


def write_settings(folder: Path, name: str, content: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder


# -- Image files -------------------------------------------------------------------------------------------------------


@BOTH
def test_image_files_are_read(processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.fromarray(colours()).save(path)
    processor = processor_class(apply_ocr=False)
    expected = pixels_of(processor(colours()))
    encoded = base64.b64encode(path.read_bytes()).decode()
    for source in (path, str(path), encoded, f"data:image/png;base64,{encoded}"):
        np.testing.assert_array_equal(pixels_of(processor(source)), expected)
    batch = processor(images=[str(path), colours(), path], return_tensors="np")["pixel_values"]
    np.testing.assert_array_equal(batch, np.stack([expected] * 3))


def test_the_pillow_class_turns_files_upright_and_the_torch_class_does_not(tmp_path: Path) -> None:
    image = Image.fromarray(colours())
    exif = image.getexif()
    exif[ORIENTATION] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    settings = {"apply_ocr": False, "do_resize": False}
    assert pixels_of(LayoutLMv2ImageProcessorPil(**settings)(tmp_path / "turned.png")).shape == (3, 60, 90)
    assert pixels_of(LayoutLMv2ImageProcessor(**settings)(tmp_path / "turned.png")).shape == (3, 90, 60)
    with Image.open(tmp_path / "turned.png") as opened:
        assert pixels_of(LayoutLMv2ImageProcessorPil(**settings)(opened)).shape == (3, 90, 60)


@BOTH
def test_a_files_transparency_is_dropped_and_its_grey_levels_kept(
    processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path
) -> None:
    processor = processor_class(apply_ocr=False, do_resize=False)
    Image.fromarray(np.dstack([colours(), np.full((90, 60), 128, np.uint8)])).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(pixels_of(processor(tmp_path / "clear.png")), pixels_of(processor(colours())))
    Image.fromarray(np.array([[0, 0x4000, 0x8000, 0xFFFF]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert pixels_of(processor(tmp_path / "deep.png"))[0].tolist() == [[0, 64, 128, 255]]


@BOTH
def test_sources_without_an_image_are_rejected_with_a_remedy(
    processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path
) -> None:
    processor = processor_class(apply_ocr=False)
    (tmp_path / "page.png").write_text("hello")
    with pytest.raises(ValueError, match=r"https://example\.org/page\.png is a URL: download the image first"):
        processor("https://example.org/page.png")
    with pytest.raises(ValueError, match=r"page\.png cannot be read as an image"):
        processor(str(tmp_path / "page.png"))
    with pytest.raises(TypeError, match="there is no such file"):
        processor(tmp_path / "missing.png")
    with pytest.raises(TypeError, match="neither a file nor an image in base64"):
        processor("aGVsbG8=")
    with pytest.raises(TypeError, match="neither a file nor an image in base64"):
        processor("é" * 5000)


# -- Files of settings -------------------------------------------------------------------------------------------------


@BOTH
def test_every_setting_survives_a_file(processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "do_resize": False,
        "size": {"shortest_edge": 50, "longest_edge": 70},
        "default_to_square": False,
        "resample": 1,
        "do_convert_rgb": True,
        "input_data_format": "channels_last",
        "device": "cpu",
        "return_tensors": "np",
        "apply_ocr": False,
        "ocr_lang": "eng+deu",
        "tesseract_config": "--psm 6",
        "do_rescale": True,
        "rescale_factor": 0.5,
        "do_normalize": True,
        "image_mean": (0.5, 0.4, 0.3),
        "image_std": 0.25,
        "do_center_crop": True,
        "crop_size": {"height": 20, "width": 20},
        "do_pad": True,
        "pad_size": {"height": 50, "width": 50},
        "data_format": "channels_first",
        "disable_grouping": True,
        "image_seq_length": 49,
    }
    assert set(settings) == set(SETTING_DEFAULTS)
    processor = processor_class(**settings, other_settings={"note": "kept"})
    processor.save_pretrained(tmp_path)
    again = processor_class.from_pretrained(tmp_path)
    assert {name: getattr(again, name) for name in settings} == settings
    assert again.to_dict() == processor.to_dict()
    assert again.to_dict()["note"] == "kept"


@BOTH
def test_settings_convert_to_dictionaries_and_json(
    processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path
) -> None:
    processor = processor_class(image_mean=[0.5, 0.5, 0.5])
    content = processor.to_dict()
    assert content == {
        "apply_ocr": True,
        "do_resize": True,
        "image_mean": (0.5, 0.5, 0.5),
        "image_processor_type": "LayoutLMv2ImageProcessor",
        "resample": 2,
        "size": {"height": 224, "width": 224},
        "tesseract_config": "",
    }
    content["size"]["height"] = 1
    assert processor.size == {"height": 224, "width": 224}
    processor.to_json_file(tmp_path / "settings.json")
    assert (tmp_path / "settings.json").read_text() == processor.to_json_string()
    assert repr(processor) == f"{processor_class.__name__} {processor.to_json_string()}"
    assert processor_class.from_pretrained(tmp_path / "settings.json").to_dict() == processor.to_dict()


@BOTH
def test_dictionaries_become_image_processors(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class.from_dict({"size": 50, "apply_ocr": False, "ocr_lang": None, "note": 1}, ocr_lang="deu")
    assert (processor.size, processor.apply_ocr, processor.ocr_lang) == ({"height": 50, "width": 50}, False, "deu")
    assert processor.other_settings == {"note": 1}
    assert processor_class.from_dict({"size": 50, "default_to_square": False}).size == {"shortest_edge": 50}


@BOTH
def test_options_of_the_reference_without_meaning_here_are_accepted(
    processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path
) -> None:
    write_settings(tmp_path, "preprocessor_config.json", {"apply_ocr": False})
    plain = processor_class.from_pretrained(tmp_path).to_dict()
    options: dict[str, Any] = {"use_fast": False, "trust_remote_code": True, "backend": "pil"}
    assert processor_class.from_pretrained(tmp_path, **options).to_dict() == plain
    with pytest.raises(TypeError, match="has no setting 'do_resise'"):
        processor_class.from_pretrained(tmp_path, do_resise=True)


@BOTH
def test_loading_takes_the_options_of_checkpoint_sources(
    processor_class: type[LayoutLMv2ImageProcessor], tmp_path: Path
) -> None:
    write_settings(tmp_path / "inner", "preprocessor_config.json", {"size": 77})
    loaded = processor_class.from_pretrained(
        tmp_path, subfolder="inner", revision="main", token=None, local_files_only=True, force_download=False
    )
    assert loaded.size == {"height": 77, "width": 77}
    with pytest.raises(CheckpointError, match="is not in the hub's cache"):
        processor_class.from_pretrained("nobody/nothing", cache_dir=tmp_path / "cache", local_files_only=True)


def test_nested_settings_take_precedence_as_in_the_reference(tmp_path: Path) -> None:
    write_settings(tmp_path, "preprocessor_config.json", {"size": 50})
    write_settings(tmp_path, "processor_config.json", {"processor_class": "LayoutLMv2Processor"})
    assert LayoutLMv2ImageProcessor.from_pretrained(tmp_path).size == {"height": 50, "width": 50}
    write_settings(tmp_path, "processor_config.json", {"image_processor": {"size": 77}, "note": "kept"})
    assert LayoutLMv2ImageProcessor.from_pretrained(tmp_path).size == {"height": 77, "width": 77}
    LayoutLMv2ImageProcessor(size=90).save_pretrained(tmp_path)
    assert LayoutLMv2ImageProcessor.from_pretrained(tmp_path).size == {"height": 90, "width": 90}
    assert json.loads((tmp_path / "processor_config.json").read_text())["note"] == "kept"


# -- The bundled model -------------------------------------------------------------------------------------------------


@BOTH
def test_the_bundled_model_has_an_image_processor(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class.from_pretrained(BUNDLED_FORMS)
    assert {name: getattr(processor, name) for name in SETTING_DEFAULTS} == SETTING_DEFAULTS
    assert processor.to_dict() == processor_class().to_dict()


def test_a_checkpoints_fingerprint_does_not_depend_on_its_image_processor(tmp_path: Path) -> None:
    folder = resolve_checkpoint(BUNDLED_FORMS)
    for path in folder.iterdir():
        if path.name != "preprocessor_config.json":
            (tmp_path / path.name).symlink_to(path)
    assert checkpoint_fingerprint(tmp_path) == checkpoint_fingerprint(folder)

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import pytesseract
import pytest
import torch
from PIL import Image

from model.preprocessing.image_processor import LayoutLMv2ImageProcessor, LayoutLMv2ImageProcessorPil
from model.preprocessing.image_settings import SETTING_DEFAULTS, SettingsWithoutEffect, target_size
from tests.model.preprocessing.test_image_processor import BOTH, colours

ACCEPTED: dict[str, Any] = {
    "do_resize": True,
    "size": {"height": 40, "width": 30},
    "default_to_square": True,
    "resample": 3,
    "do_convert_rgb": True,
    "input_data_format": "channels_last",
    "device": "cpu",
    "return_tensors": "pt",
    "apply_ocr": False,
    "ocr_lang": "eng",
    "tesseract_config": "--psm 6",
    "do_rescale": False,
    "rescale_factor": 0.5,
    "do_normalize": False,
    "image_mean": (0.5, 0.4, 0.3),
    "image_std": 0.25,
    "do_center_crop": False,
    "crop_size": {"height": 20, "width": 20},
    "do_pad": True,
    "pad_size": {"height": 50, "width": 50},
    "data_format": "channels_last",
    "disable_grouping": True,
    "image_seq_length": 49,
}
WITHOUT_EFFECT: list[dict[str, Any]] = [
    {"do_rescale": True, "rescale_factor": 0.5},
    {"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    {"do_normalize": True, "image_mean": 0.5, "image_std": 0.5},
    {"do_center_crop": True, "crop_size": 100},
    {"do_pad": True},
    {"do_pad": True, "pad_size": 300},
    {"data_format": "channels_last"},
    {"disable_grouping": True},
    {"image_seq_length": 3},
]

# Shape, first pixel, the pixel in the middle row at a third of the width, and the sum of all values, of `colours()` in
# the reference implementation's Pil class (transformers 5.8.0).
REFERENCE_SIZES: list[tuple[dict[str, Any], tuple[int, int, int], list[int], list[int], int]] = [
    ({"size": {"shortest_edge": 50}}, (3, 75, 50), [255, 1, 0], [211, 58, 89], 1455750),
    ({"size": {"shortest_edge": 50, "longest_edge": 70}}, (3, 70, 47), [255, 1, 1], [210, 58, 90], 1276555),
    ({"size": {"shortest_edge": 60, "longest_edge": 900}}, (3, 90, 60), [255, 0, 0], [210, 60, 90], 2095200),
    ({"size": {"shortest_edge": 7}}, (3, 10, 7), [250, 14, 10], [206, 63, 98], 27165),
    ({"size": {"max_height": 50, "max_width": 40}}, (3, 50, 33), [254, 2, 1], [210, 61, 91], 640275),
    ({"size": {"max_height": 500, "max_width": 100}}, (3, 150, 100), [255, 0, 0], [210, 59, 90], 5820000),
    ({"size": 50}, (3, 50, 50), [254, 1, 1], [210, 58, 91], 970250),
    ({"size": 50, "default_to_square": False}, (3, 75, 50), [255, 1, 0], [211, 58, 89], 1455750),
    ({"size": (20, 30), "default_to_square": False}, (3, 20, 30), [253, 2, 4], [208, 62, 94], 233080),
    ({"size": [20, 30]}, (3, 20, 30), [253, 2, 4], [208, 62, 94], 233080),
]


def pixels_of(features: Any) -> np.ndarray:
    return np.asarray(features["pixel_values"][0])


# -- Names -------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_constructor_accepts_every_setting_and_keeps_it_as_an_attribute(
    processor_class: type[LayoutLMv2ImageProcessor],
) -> None:
    assert set(ACCEPTED) == set(SETTING_DEFAULTS)
    processor = processor_class(**ACCEPTED)
    assert {name: getattr(processor, name) for name in ACCEPTED} == ACCEPTED
    assert pixels_of(processor(colours())).shape == (3, 40, 30)


@BOTH
def test_a_call_accepts_every_setting_for_itself_only(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class()
    expected = processor_class(**ACCEPTED)(colours())["pixel_values"]
    assert torch.equal(processor(images=colours(), **ACCEPTED)["pixel_values"], expected)
    assert torch.equal(processor.preprocess(images=colours(), **ACCEPTED)["pixel_values"], expected)
    assert {name: getattr(processor, name) for name in SETTING_DEFAULTS} == SETTING_DEFAULTS


@BOTH
def test_an_unknown_setting_is_named(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    with pytest.raises(TypeError, match="has no setting 'do_resise'; the settings are do_resize"):
        processor_class(do_resise=True)
    with pytest.raises(TypeError, match="has no setting 'do_resise'"):
        processor_class(apply_ocr=False)(colours(), do_resise=True)


@BOTH
def test_attributes_can_be_changed(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class()
    processor.apply_ocr = False
    processor.size = 50  # type: ignore[assignment]
    features = processor(colours())
    assert list(features) == ["pixel_values"]
    assert pixels_of(features).shape == (3, 50, 50)
    assert processor.to_dict()["size"] == {"height": 50, "width": 50}


def test_the_classes_say_which_they_are() -> None:
    assert LayoutLMv2ImageProcessor.model_input_names == ["pixel_values"]
    assert (LayoutLMv2ImageProcessor().backend, LayoutLMv2ImageProcessor().is_fast) == ("torchvision", True)
    assert (LayoutLMv2ImageProcessorPil().backend, LayoutLMv2ImageProcessorPil().is_fast) == ("pil", False)


# -- Settings with an effect -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "shape", "first", "inner", "total"), REFERENCE_SIZES)
def test_every_kind_of_size_equals_the_reference(
    settings: dict[str, Any], shape: tuple[int, int, int], first: list[int], inner: list[int], total: int
) -> None:
    for features in (
        LayoutLMv2ImageProcessorPil(apply_ocr=False)(colours(), **settings),
        LayoutLMv2ImageProcessorPil(apply_ocr=False, **settings)(colours()),
    ):
        pixels = pixels_of(features)
        assert pixels.shape == shape
        assert pixels[:, 0, 0].tolist() == first
        assert pixels[:, shape[1] // 2, shape[2] // 3].tolist() == inner
        assert int(pixels.sum(dtype=np.int64)) == total
    by_torch = pixels_of(LayoutLMv2ImageProcessor(apply_ocr=False, **settings)(colours()))
    assert by_torch.shape == shape
    assert np.abs(by_torch.astype(int) - pixels.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("size", "image", "expected"),
    [
        ({"shortest_edge": 100}, (333, 1000), (100, 300)),
        ({"shortest_edge": 100, "longest_edge": 250}, (333, 1000), (83, 250)),
        ({"shortest_edge": 800, "longest_edge": 1333}, (2200, 1700), (1035, 800)),
        ({"shortest_edge": 800, "longest_edge": 1000}, (1700, 2200), (773, 1000)),
        ({"max_height": 50, "max_width": 50}, (100, 200), (25, 50)),
        ({"max_height": 200, "max_width": 500}, (100, 200), (200, 400)),
        ({"height": 3, "width": 5}, (100, 200), (3, 5)),
    ],
)
def test_the_size_follows_from_the_image(
    size: dict[str, int], image: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert target_size(size, *image) == expected


@BOTH
def test_images_of_a_batch_can_get_different_sizes(processor_class: type[LayoutLMv2ImageProcessor]) -> None:
    processor = processor_class(apply_ocr=False, size={"shortest_edge": 10})
    images = processor([colours(90, 60), colours(40, 80)])["pixel_values"]
    assert [tuple(image.shape) for image in images] == [(3, 15, 10), (3, 10, 20)]


@BOTH
def test_the_constructor_can_choose_the_tensor_type_and_the_layout(
    processor_class: type[LayoutLMv2ImageProcessor],
) -> None:
    processor = processor_class(
        apply_ocr=False, do_resize=False, return_tensors="np", input_data_format="channels_last"
    )
    assert isinstance(processor(colours())["pixel_values"], np.ndarray)
    assert processor(colours(3, 10))["pixel_values"].shape == (1, 3, 3, 10)
    assert isinstance(processor(colours(), return_tensors="pt")["pixel_values"], torch.Tensor)


def test_the_torch_class_replaces_lanczos_by_bicubic_with_a_warning() -> None:
    processor = LayoutLMv2ImageProcessor(apply_ocr=False)
    with pytest.warns(UserWarning, match="bicubic is used"):
        replaced = pixels_of(processor(colours(), size=50, resample=Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(replaced, pixels_of(processor(colours(), size=50, resample=3)))


def test_the_pillow_class_has_lanczos() -> None:
    processor = LayoutLMv2ImageProcessorPil(apply_ocr=False, size=40)
    by_pillow = Image.fromarray(colours()).resize((40, 40), resample=Image.Resampling.LANCZOS)
    actual = pixels_of(processor(colours(), resample=Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(actual[::-1].transpose(1, 2, 0), np.asarray(by_pillow))


def test_enumerations_of_other_libraries_are_accepted() -> None:
    class Interpolation(Enum):
        BICUBIC = "bicubic"

    class Layout(str, Enum):
        LAST = "channels_last"
        TENSORS = "np"

    processor = LayoutLMv2ImageProcessor(apply_ocr=False, resample=Interpolation.BICUBIC)  # type: ignore[arg-type]
    assert processor.resample == 3
    pixels = processor(colours(3, 10), return_tensors=Layout.TENSORS, input_data_format=Layout.LAST, do_resize=False)
    assert isinstance(pixels["pixel_values"], np.ndarray)
    assert pixels["pixel_values"].shape == (1, 3, 3, 10)


def test_the_torch_class_works_on_the_device() -> None:
    processor = LayoutLMv2ImageProcessor(apply_ocr=False, device=torch.device("meta"))
    assert processor.device == "meta"
    assert processor(colours(), return_tensors="pt")["pixel_values"].device.type == "meta"
    assert processor(colours(), return_tensors="pt", device="cpu")["pixel_values"].device.type == "cpu"


def test_the_device_is_without_effect_in_the_pillow_class() -> None:
    pixels = LayoutLMv2ImageProcessorPil(apply_ocr=False, device="cuda:0")(colours(), return_tensors="pt")
    assert pixels["pixel_values"].device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_explained() -> None:
    with pytest.raises(ValueError, match="finds no CUDA GPU on this machine; use device='cpu'"):
        LayoutLMv2ImageProcessor(apply_ocr=False)(colours(), device="cuda")


@BOTH
def test_ocr_settings_of_a_call_reach_tesseract(
    processor_class: type[LayoutLMv2ImageProcessor], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, Any]] = []

    def fake_call(image: Any, lang: Any, config: Any, output_type: Any) -> dict[str, list[Any]]:
        seen.append((lang, config))
        return {name: [] for name in ("text", "left", "top", "width", "height")}

    monkeypatch.setattr(pytesseract, "image_to_data", fake_call)
    processor = processor_class(ocr_lang="deu", tesseract_config="--psm 6")
    assert processor(colours())["words"] == [[]]
    processor(colours(), ocr_lang="eng", tesseract_config="--psm 11")
    processor(colours(), apply_ocr=False)
    assert seen == [("deu", "--psm 6"), ("eng", "--psm 11")]


# -- Settings without effect -------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("settings", WITHOUT_EFFECT)
def test_settings_that_the_reference_ignores_change_no_pixel(
    processor_class: type[LayoutLMv2ImageProcessor], settings: dict[str, Any]
) -> None:
    assert set(settings) <= set(SettingsWithoutEffect.__annotations__)
    plain = processor_class(apply_ocr=False)
    expected = plain(colours(), return_tensors="pt")["pixel_values"]
    assert torch.equal(plain(colours(), return_tensors="pt", **settings)["pixel_values"], expected)
    kept = processor_class(apply_ocr=False, **settings)
    assert torch.equal(kept(colours(), return_tensors="pt")["pixel_values"], expected)
    assert set(settings) <= set(kept.to_dict())


# -- Errors ------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_rescale": True}, "do_rescale=True needs rescale_factor: pass it too"),
        ({"do_normalize": True}, "do_normalize=True needs image_mean and image_std"),
        ({"do_normalize": True, "image_mean": 0.5}, "do_normalize=True needs image_std"),
        ({"do_center_crop": True}, "do_center_crop=True needs crop_size"),
        ({"size": {"longest_edge": 70}}, "pass height and width, max_height and max_width, or shortest_edge"),
        ({"size": {"max_height": 1, "max_width": 1}}, "leaves nothing of an image of 90 x 60 pixels"),
    ],
)
def test_settings_that_do_not_suffice_are_rejected_by_the_call(
    processor_class: type[LayoutLMv2ImageProcessor], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        processor_class(apply_ocr=False)(colours(), **settings)
    made = processor_class(apply_ocr=False, **settings)
    with pytest.raises(ValueError, match=message):
        made(colours())


@BOTH
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"size": {"height": 30}}, ValueError, "size={'height': 30}: it must have exactly the keys of one of these"),
        ({"size": {"height": 3, "width": 2, "shortest_edge": 1}}, ValueError, "exactly the keys of one of these"),
        ({"size": {"shortest_edge": 0}}, ValueError, "size: 0 pixels is empty; each must be 1 or more"),
        ({"size": [20]}, ValueError, "pass one number"),
        ({"size": "224"}, TypeError, "'224' is not a whole number"),
        ({"size": 22.5}, TypeError, "22.5 is not a whole number"),
        ({"size": {"height": "3", "width": 4}}, TypeError, "'3' is not a whole number"),
        ({"crop_size": {"edge": 4}}, ValueError, "crop_size={'edge': 4}: it must have exactly the keys"),
        ({"pad_size": {"edge": 4}}, ValueError, "pad_size={'edge': 4}: it must have exactly the keys"),
        ({"resample": 9}, ValueError, "resample=9 is not a filter; pass one of 0 nearest, 1 lanczos, 2 bilinear"),
        ({"resample": "smooth"}, ValueError, "resample='smooth' is not a filter"),
        ({"device": "gpu"}, ValueError, "device='gpu' is not a device; pass a name such as 'cpu'"),
        ({"device": 3.5}, TypeError, "device=3.5: pass a name such as 'cpu'"),
        ({"return_tensors": "tf"}, ValueError, "use 'pt', 'np' or None"),
        ({"do_resize": "yes"}, TypeError, "do_resize='yes': pass True or False"),
        ({"apply_ocr": "no"}, TypeError, "apply_ocr='no': pass True or False"),
        ({"default_to_square": "x"}, TypeError, "default_to_square='x'"),
        ({"ocr_lang": ["eng"]}, TypeError, "pass a string"),
        ({"tesseract_config": 6}, TypeError, "tesseract_config=6: pass a string"),
        ({"rescale_factor": "x"}, TypeError, "rescale_factor='x': pass a number"),
        ({"image_mean": "x"}, TypeError, "image_mean='x': pass a number"),
        ({"image_std": [0.5, "x"]}, TypeError, "image_std='x': pass a number"),
        ({"image_seq_length": "x"}, TypeError, "image_seq_length: 'x' is not a whole number"),
        ({"data_format": 3}, TypeError, "data_format=3: pass a string"),
    ],
)
def test_invalid_settings_are_rejected_with_a_remedy(
    processor_class: type[LayoutLMv2ImageProcessor], settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        processor_class(**settings)
    with pytest.raises(error, match=message):
        processor_class(apply_ocr=False)(colours(), **settings)

"""The image processor's settings: their names and defaults, their checks, and the size to which an image is resized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias, TypedDict

import numpy as np
import torch
from PIL import Image

from model.preprocessing.encoding import TENSOR_TYPES

Size: TypeAlias = "int | Sequence[int] | Mapping[str, int]"
"""A number, (height, width), or a mapping with the keys of one of `SIZE_KEYS`; in pixels, from 1."""

SIZE_KEYS = (
    ("height", "width"),
    ("shortest_edge",),
    ("shortest_edge", "longest_edge"),
    ("longest_edge",),
    ("max_height", "max_width"),
)

SETTING_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "do_resize": True,
        "size": MappingProxyType({"height": 224, "width": 224}),
        "default_to_square": True,
        "resample": int(Image.Resampling.BILINEAR),
        "do_convert_rgb": None,
        "input_data_format": None,
        "device": None,
        "return_tensors": None,
        "apply_ocr": True,
        "ocr_lang": None,
        "tesseract_config": "",
        "do_rescale": None,
        "rescale_factor": None,
        "do_normalize": None,
        "image_mean": None,
        "image_std": None,
        "do_center_crop": None,
        "crop_size": None,
        "do_pad": None,
        "pad_size": None,
        "data_format": None,
        "disable_grouping": None,
        "image_seq_length": None,
    }
)


_NUMBERS = (int, float, np.integer, np.floating)


class SettingsWithoutEffect(TypedDict, total=False):
    """Settings that are checked, kept and saved but change no result, because LayoutLMv2 does not use them.

    The reference implementation treats them the same way. `do_rescale` still needs `rescale_factor`, `do_normalize`
    needs `image_mean` and `image_std`, and `do_center_crop` needs `crop_size`.
    """

    do_rescale: bool | None
    rescale_factor: float | None
    do_normalize: bool | None
    image_mean: float | Sequence[float] | None
    image_std: float | Sequence[float] | None
    do_center_crop: bool | None
    crop_size: Size | None
    do_pad: bool | None
    pad_size: Size | None
    data_format: str | None
    disable_grouping: bool | None
    image_seq_length: int | None


def reject_unknown(owner: str, names: Iterable[str]) -> None:
    """Raise TypeError for a name that is not one of `SettingsWithoutEffect`."""
    known = SettingsWithoutEffect.__annotations__
    if unknown := sorted(set(names) - set(known)):
        raise TypeError(
            f"{owner} has no setting {', '.join(map(repr, unknown))}; the settings are {', '.join(SETTING_DEFAULTS)}"
        )


def checked_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in their canonical form: sizes as mappings, filters as Pillow's numbers, enumerations as text.

    Args:
        settings: values by the names of `SETTING_DEFAULTS`; None stays None.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range or unknown.
    """
    square = settings.get("default_to_square") in (None, True)
    checked: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Enum) and isinstance(value.value, str):
            value = value.value
        if name == "size" and value is not None:
            checked[name] = as_size(name, value, square)
        else:
            checked[name] = None if value is None else _CHECKS[name](name, value)
    return checked


def check_requirements(settings: Mapping[str, Any]) -> None:
    """Raise ValueError if a step is requested without the setting that it needs."""
    for step, needed in (
        ("do_rescale", ("rescale_factor",)),
        ("do_normalize", ("image_mean", "image_std")),
        ("do_center_crop", ("crop_size",)),
        ("do_resize", ("size", "resample")),
    ):
        missing = [name for name in needed if settings[name] is None]
        if settings[step] and missing:
            raise ValueError(f"{step}=True needs {' and '.join(missing)}: pass it too, or leave {step} out")


def as_size(name: str, size: Size, default_to_square: bool = True) -> dict[str, int]:
    """A size as a mapping with the keys of one of `SIZE_KEYS`.

    Args:
        name: the setting's name, for errors.
        size: one number is a square, or the shortest edge without `default_to_square`; a pair is (height, width).

    Raises:
        TypeError: a value is not a whole number.
        ValueError: the keys are others, a sequence is not a pair, or a value is less than 1.
    """
    if isinstance(size, Mapping):
        edges = dict(size)
    elif isinstance(size, (Sequence, np.ndarray)) and not isinstance(size, str):
        if len(size) != 2:
            raise ValueError(f"{name}={size!r}: pass one number, (height, width) or a mapping with height and width")
        edges = dict(zip(("height", "width"), size, strict=True))
    else:
        edges = {"height": size, "width": size} if default_to_square else {"shortest_edge": size}
    if not any(set(edges) == set(keys) for keys in SIZE_KEYS):
        choices = "; ".join(" and ".join(keys) for keys in SIZE_KEYS)
        raise ValueError(f"{name}={edges}: it must have exactly the keys of one of these: {choices} (in pixels)")
    pixels = {key: _whole_number(name, value) for key, value in edges.items()}
    if min(pixels.values()) < 1:
        raise ValueError(f"{name}: {' x '.join(map(str, pixels.values()))} pixels is empty; each must be 1 or more")
    return pixels


def target_size(size: Mapping[str, int], height: int, width: int) -> tuple[int, int]:
    """The height and width to which an image is resized, in pixels; fractions are dropped.

    Args:
        size: see `as_size`. Height and width are used as they are; all others keep the image's proportions:
            `shortest_edge` sets the shorter edge, unless the longer would exceed `longest_edge`; with `max_height` and
            `max_width` the image becomes as large as fits.
        height, width: of the image.

    Raises:
        ValueError: `size` has `longest_edge` only, or the result is empty.
    """
    if "height" in size:
        return size["height"], size["width"]
    if not height or not width:
        raise ValueError(f"an image of {height} x {width} pixels is empty")
    if "max_height" in size:
        scale = min(size["max_height"] / height, size["max_width"] / width)
        target = int(height * scale), int(width * scale)
    elif "shortest_edge" in size:
        shorter, longer = sorted((height, width))
        new_shorter: int = size["shortest_edge"]
        exact: float = new_shorter
        if "longest_edge" in size and longer / shorter * exact > size["longest_edge"]:
            exact = size["longest_edge"] * shorter / longer
            new_shorter = round(exact)
        new_longer = longer if new_shorter == shorter else int(exact * longer / shorter)
        target = (new_shorter, new_longer) if height <= width else (new_longer, new_shorter)
    else:
        raise ValueError(
            f"size={dict(size)} does not determine a size: pass height and width, max_height and max_width, or "
            "shortest_edge with or without longest_edge"
        )
    if min(target) < 1:
        raise ValueError(
            f"size={dict(size)} leaves nothing of an image of {height} x {width} pixels; choose a larger one"
        )
    return target


def _whole_number(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, _NUMBERS) or value % 1 != 0:
        raise TypeError(f"{name}: {value!r} is not a whole number")
    return int(value)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_, int)) or value not in (0, 1):
        raise TypeError(f"{name}={value!r}: pass True or False")
    return bool(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}: pass a string")
    return value


def _number(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise TypeError(f"{name}={value!r}: pass a number")
    return value.item() if isinstance(value, np.generic) else value


def _numbers(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(_number(name, item) for item in value)
    return _number(name, value)


def _filter(name: str, value: Any) -> int:
    # Torchvision's InterpolationMode has these values; its "nearest" is not Pillow's.
    try:
        return int(Image.Resampling(_FILTER_NAMES.get(value, value)))
    except (TypeError, ValueError):
        choices = ", ".join(f"{item.value} {item.name.lower()}" for item in sorted(Image.Resampling))
        raise ValueError(f"{name}={value!r} is not a filter; pass one of {choices}") from None


def _tensor_type(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in TENSOR_TYPES:
        raise ValueError(f"{name}={value!r} is unknown: use 'pt', 'np' or None")
    return value


def _device(name: str, value: Any) -> str:
    if not isinstance(value, (str, int, torch.device)):
        raise TypeError(f"{name}={value!r}: pass a name such as 'cpu' or 'cuda:0', a GPU's number or a torch.device")
    try:
        return str(torch.device("cuda", value) if isinstance(value, int) else torch.device(value))
    except RuntimeError:
        raise ValueError(f"{name}={value!r} is not a device; pass a name such as 'cpu' or 'cuda:0'") from None


_FILTER_NAMES: dict[Any, int] = {"nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "do_resize": _switch,
    "default_to_square": _switch,
    "resample": _filter,
    "do_convert_rgb": _switch,
    "input_data_format": _text,
    "device": _device,
    "return_tensors": _tensor_type,
    "apply_ocr": _switch,
    "ocr_lang": _text,
    "tesseract_config": _text,
    "do_rescale": _switch,
    "rescale_factor": _number,
    "do_normalize": _switch,
    "image_mean": _numbers,
    "image_std": _numbers,
    "do_center_crop": _switch,
    "crop_size": as_size,
    "do_pad": _switch,
    "pad_size": as_size,
    "data_format": _text,
    "disable_grouping": _switch,
    "image_seq_length": _whole_number,
}

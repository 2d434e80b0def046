"""Converts page images to the 224x224 BGR images of the visual backbone, and optionally reads them with Tesseract.

The two classes differ in how they resize: `LayoutLMv2ImageProcessor` with torch (antialiased, also on a GPU),
`LayoutLMv2ImageProcessorPil` with Pillow. Results differ by rounding only. Arguments, defaults and file format are
those of the reference implementation.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytesseract
import torch
from PIL import Image

from model.checkpoint_source import resolve_checkpoint, split_source_options
from model.hub import Publishable
from model.ocr.openmp import one_openmp_thread
from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.image_settings import (
    SETTING_DEFAULTS,
    SettingsWithoutEffect,
    Size,
    check_requirements,
    checked_settings,
    reject_unknown,
    target_size,
)
from model.preprocessing.images import list_images, resize_pillow, resize_tensor, to_pillow, to_rgb

if TYPE_CHECKING:
    from typing_extensions import Unpack

CONFIG_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"
_IGNORED_OPTIONS = ("use_fast", "trust_remote_code", "backend")


class LayoutLMv2ImageProcessor(Publishable):
    """Resizes with torch. Every setting is an attribute, which can be changed.

    Args:
        do_resize: whether to resize at all.
        size: in pixels: {"height": h, "width": w}, (h, w), or one number for a square; default 224. With
            {"shortest_edge": n}, also with "longest_edge", or {"max_height": h, "max_width": w} images keep their
            proportions, see `target_size`.
        resample: Pillow's number of the filter: 0 nearest, 1 Lanczos (here bicubic, with a warning), 2 bilinear
            (default), 3 bicubic.
        do_convert_rgb: whether to convert greyscale, palette, CMYK and transparent images to RGB. None means yes; with
            False such images are rejected, since the model needs three channels.
        apply_ocr: whether to read words and boxes with Tesseract.
        ocr_lang: Tesseract's language or languages ("eng", "eng+deu"); None is Tesseract's default.
        tesseract_config: further options of the tesseract command, such as "--psm 6".
        other_settings: further entries of preprocessor_config.json; kept, without effect.
        default_to_square: False makes a `size` of one number the shortest edge.
        input_data_format, return_tensors: defaults of `preprocess`.
        device: where images are resized and returned ("cpu", "cuda:0"); None leaves tensors where they are. OCR takes
            place on the CPU.
        without_effect: see `SettingsWithoutEffect`; the reference implementation does not use them either.

    Raises:
        TypeError: a setting is unknown, or has the wrong type.
        ValueError: a setting is invalid.
    """

    model_input_names: ClassVar[list[str]] = ["pixel_values"]
    backend: ClassVar[str] = "torchvision"
    """As in the reference implementation; torchvision itself is not used."""
    is_fast: ClassVar[bool] = True
    _reads_upright: ClassVar[bool] = False

    do_resize: bool
    size: dict[str, int]
    default_to_square: bool
    resample: int
    do_convert_rgb: bool | None
    input_data_format: str | None
    device: str | None
    return_tensors: str | None
    apply_ocr: bool
    ocr_lang: str | None
    tesseract_config: str
    do_rescale: bool | None
    rescale_factor: float | None
    do_normalize: bool | None
    image_mean: float | tuple[float, ...] | None
    image_std: float | tuple[float, ...] | None
    do_center_crop: bool | None
    crop_size: dict[str, int] | None
    do_pad: bool | None
    pad_size: dict[str, int] | None
    data_format: str | None
    disable_grouping: bool | None
    image_seq_length: int | None

    def __init__(
        self,
        do_resize: bool = True,
        size: Size | None = None,
        resample: int = int(Image.Resampling.BILINEAR),
        do_convert_rgb: bool | None = None,
        apply_ocr: bool = True,
        ocr_lang: str | None = None,
        tesseract_config: str | None = "",
        other_settings: Mapping[str, Any] | None = None,
        *,
        default_to_square: bool | None = None,
        input_data_format: str | None = None,
        device: str | torch.device | None = None,
        return_tensors: str | None = None,
        **without_effect: Unpack[SettingsWithoutEffect],
    ) -> None:
        reject_unknown(type(self).__name__, without_effect)
        given = {
            "do_resize": do_resize,
            "size": size,
            "resample": resample,
            "do_convert_rgb": do_convert_rgb,
            "apply_ocr": apply_ocr,
            "ocr_lang": ocr_lang,
            "tesseract_config": tesseract_config,
            "default_to_square": default_to_square,
            "input_data_format": input_data_format,
            "device": device,
            "return_tensors": return_tensors,
            **without_effect,
        }
        for name, value in _merged(SETTING_DEFAULTS, given).items():
            setattr(self, name, value)
        self.other_settings = dict(other_settings or {})

    def __call__(self, images: Any, return_tensors: str | None = None, **settings: Any) -> BatchEncoding:
        """See `preprocess`."""
        return self.preprocess(images, return_tensors=return_tensors, **settings)

    def preprocess(
        self,
        images: Any,
        return_tensors: str | None = None,
        do_resize: bool | None = None,
        size: Size | None = None,
        resample: int | None = None,
        do_convert_rgb: bool | None = None,
        apply_ocr: bool | None = None,
        ocr_lang: str | None = None,
        tesseract_config: str | None = None,
        input_data_format: str | None = None,
        *,
        default_to_square: bool | None = None,
        device: str | torch.device | None = None,
        **without_effect: Unpack[SettingsWithoutEffect],
    ) -> BatchEncoding:
        """Prepare one image or a batch.

        Args:
            images: a Pillow image, an array or tensor (height, width), (height, width, channels) or (channels, height,
                width), a file's path, or a batch of them; colours are RGB.
            return_tensors: "pt" or "np" for one batch, None for a list.
            input_data_format: "channels_first" or "channels_last", for ambiguous shapes.

        The other arguments replace the processor's own settings for this call; None leaves a setting as it is.

        Returns:
            `pixel_values` (batch, 3, height, width), BGR, uint8 with values 0-255 (floats stay floats, unscaled); with
            OCR also `words` (list[list[str]]) and `boxes` (list[list[[x0, y0, x1, y1]]], 0-1000).

        Raises:
            TypeError: an input is not an image, or a setting is unknown or has the wrong type.
            ValueError: a shape, value or option is invalid, or images have unequal sizes with "pt" or "np".
        """
        reject_unknown(type(self).__name__, without_effect)
        given = {
            "return_tensors": return_tensors,
            "do_resize": do_resize,
            "size": size,
            "resample": resample,
            "do_convert_rgb": do_convert_rgb,
            "apply_ocr": apply_ocr,
            "ocr_lang": ocr_lang,
            "tesseract_config": tesseract_config,
            "input_data_format": input_data_format,
            "default_to_square": default_to_square,
            "device": device,
            **without_effect,
        }
        settings = _merged({name: getattr(self, name) for name in SETTING_DEFAULTS}, given)
        check_requirements(settings)
        sources = list_images(images, self._reads_upright)
        if settings["do_convert_rgb"] is False:
            for source in sources:
                if isinstance(source, Image.Image) and source.mode != "RGB":
                    raise ValueError(f"an image has mode {source.mode}; the model needs RGB, but do_convert_rgb=False")
        pages = [to_rgb(source, settings["input_data_format"]) for source in sources]

        texts = None
        if settings["apply_ocr"]:
            texts = [apply_tesseract(page, settings["ocr_lang"], settings["tesseract_config"]) for page in pages]
        pages = self._move(pages, settings["device"])
        if settings["do_resize"]:
            sizes = [target_size(settings["size"], *page.shape[-2:]) for page in pages]
            pages = [self._resize(page, *size, settings["resample"]) for page, size in zip(pages, sizes, strict=True)]

        pages = [page.flip(0) for page in pages]
        features = BatchEncoding({"pixel_values": self._collect(pages, settings["return_tensors"])})
        if texts is not None:
            features["words"] = [words for words, _ in texts]
            features["boxes"] = [boxes for _, boxes in texts]
        return features

    def _move(self, pages: list[torch.Tensor], device: str | None) -> list[torch.Tensor]:
        if device is None:
            return pages
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}: PyTorch finds no CUDA GPU on this machine; use device='cpu'")
        return [page.to(device) for page in pages]

    def _resize(self, page: torch.Tensor, height: int, width: int, resample: int) -> torch.Tensor:
        return resize_tensor(page, height, width, resample)

    def _collect(self, pages: list[torch.Tensor], return_tensors: str | None) -> Any:
        if return_tensors is None:
            return pages
        if len({page.shape for page in pages}) > 1:
            raise ValueError(f"images of unequal size cannot be batched: {[tuple(page.shape) for page in pages]}")
        batch = torch.stack(pages)
        return batch if return_tensors == "pt" else batch.cpu().numpy()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **settings: Any
    ) -> LayoutLMv2ImageProcessor:
        """Load the settings in a checkpoint: in processor_config.json, or else in preprocessor_config.json.

        Args:
            pretrained_model_name_or_path: folder, name of a bundled model, hub id or `s3://bucket/prefix`; or a JSON
                file with the settings.
            settings: constructor arguments that override the file; and the options of `resolve_checkpoint`, such as
                `revision`, `cache_dir` and `local_files_only`. `use_fast`, `trust_remote_code` and `backend` are
                without effect.

        Raises:
            FileNotFoundError: neither file exists.
            CheckpointError: `pretrained_model_name_or_path` does not exist, access is denied, or it is unreachable.
            TypeError, ValueError: a setting is unknown or invalid.
        """
        options, settings = split_source_options(settings)
        if str(pretrained_model_name_or_path).endswith(".json") and os.path.isfile(pretrained_model_name_or_path):
            return cls.from_dict(
                json.loads(Path(pretrained_model_name_or_path).read_text(encoding="utf-8")), **settings
            )
        folder = resolve_checkpoint(pretrained_model_name_or_path, weights=False, **options)
        nested = _read_json(folder / PROCESSOR_FILE)
        content = _read_json(folder / CONFIG_FILE)
        if nested is None and content is None:
            raise FileNotFoundError(
                f"no image processor in {folder}: it has neither {CONFIG_FILE} nor {PROCESSOR_FILE}"
            )
        return cls.from_dict((nested or {}).get("image_processor", content or {}), **settings)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], **settings: Any) -> LayoutLMv2ImageProcessor:
        """The image processor with the settings of a file's content.

        Args:
            content: as from `to_dict`. Entries that are not settings are kept as `other_settings`.
            settings: constructor arguments that override `content`; `use_fast` and the like as in `from_pretrained`.

        Raises:
            TypeError, ValueError: a setting is unknown or invalid.
        """
        arguments = {name: content[name] for name in SETTING_DEFAULTS if content.get(name) is not None}
        others = {name: value for name, value in content.items() if name not in SETTING_DEFAULTS}
        settings = {name: value for name, value in settings.items() if name not in _IGNORED_OPTIONS}
        return cls(**{**arguments, "other_settings": others, **settings})

    def to_dict(self) -> dict[str, Any]:
        """The settings that are not None, `other_settings`, and `image_processor_type`, the same for both classes."""
        own = checked_settings({name: getattr(self, name) for name in SETTING_DEFAULTS})
        if own["default_to_square"]:
            del own["default_to_square"]
        kept = {name: value for name, value in own.items() if value is not None}
        return copy.deepcopy({**self.other_settings, **kept, "image_processor_type": "LayoutLMv2ImageProcessor"})

    def to_json_string(self) -> str:
        """`to_dict` as JSON, sorted by name."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def to_json_file(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json_string` to a file."""
        Path(path).write_text(self.to_json_string(), encoding="utf-8")

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write preprocessor_config.json and return its path.

        Settings in a processor_config.json that is there already are replaced too, because they take precedence.
        """
        path = Path(save_directory) / CONFIG_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        self.to_json_file(path)
        nested = _read_json(path.parent / PROCESSOR_FILE)
        if nested and "image_processor" in nested:
            text = json.dumps({**nested, "image_processor": self.to_dict()}, indent=2, ensure_ascii=False)
            (path.parent / PROCESSOR_FILE).write_text(text + "\n", encoding="utf-8")
        return (str(path),)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


class LayoutLMv2ImageProcessorPil(LayoutLMv2ImageProcessor):
    """Resizes with Pillow, with any of its filters; lists contain numpy arrays.

    `device` is without effect, and files are turned as their EXIF orientation says, unlike in the other class.
    """

    backend: ClassVar[str] = "pil"
    is_fast: ClassVar[bool] = False
    _reads_upright: ClassVar[bool] = True

    def _move(self, pages: list[torch.Tensor], device: str | None) -> list[torch.Tensor]:
        return pages

    def _resize(self, page: torch.Tensor, height: int, width: int, resample: int) -> torch.Tensor:
        return resize_pillow(page, height, width, resample)

    def _collect(self, pages: list[torch.Tensor], return_tensors: str | None) -> Any:
        if return_tensors is None:
            return [page.cpu().numpy() for page in pages]
        return super()._collect(pages, return_tensors)


def apply_tesseract(
    image: Image.Image | np.ndarray | torch.Tensor,
    lang: str | None = None,
    tesseract_config: str | None = None,
    input_data_format: str | None = None,
) -> tuple[list[str], list[list[int]]]:
    """Read an image with a plain call of pytesseract, on one thread.

    Args:
        image: see `to_rgb`. Its metadata (such as dpi) is removed, because it changes what Tesseract reads.
        lang: Tesseract's language or languages; None is its default.
        tesseract_config: further options of the tesseract command.
        input_data_format: see `to_rgb`.

    Returns:
        The words that are not blank, in Tesseract's order, and their boxes [x0, y0, x1, y1] in 0-1000 of the image's
        width and height, rounded down.

    Raises:
        pytesseract.TesseractNotFoundError: tesseract is not installed.
        pytesseract.TesseractError: tesseract fails, for example because a language is not installed.
    """
    page, _ = to_pillow(to_rgb(image, input_data_format))
    with one_openmp_thread():
        data = pytesseract.image_to_data(page, lang=lang, config=tesseract_config or "", output_type="dict")
    words, boxes = [], []
    rows = zip(data["text"], data["left"], data["top"], data["width"], data["height"], strict=True)
    for word, left, top, width, height in rows:
        if word.strip():
            words.append(word)
            edges = (left / page.width, top / page.height, (left + width) / page.width, (top + height) / page.height)
            boxes.append([int(1000 * edge) for edge in edges])
    return words, boxes


def _merged(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return checked_settings({**settings, **{name: value for name, value in given.items() if value is not None}})


def _read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

"""Converts page images to the 224x224 BGR images of the visual backbone, and optionally reads them with Tesseract.

The two classes differ in how they resize: `LayoutLMv2ImageProcessor` with torch (antialiased, also on a GPU),
`LayoutLMv2ImageProcessorPil` with Pillow. Results differ by rounding only. Arguments, defaults and file format are
those of the reference implementation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytesseract
import torch
from PIL import Image

from model.checkpoint_source import resolve_checkpoint
from model.ocr.openmp import one_openmp_thread
from model.preprocessing.encoding import TENSOR_TYPES, BatchEncoding
from model.preprocessing.images import list_images, resize_pillow, resize_tensor, to_pillow, to_rgb

CONFIG_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"
_SETTING_NAMES = ("do_resize", "size", "resample", "do_convert_rgb", "apply_ocr", "ocr_lang", "tesseract_config")


class LayoutLMv2ImageProcessor:
    """Resizes with torch.

    Args:
        do_resize: whether to resize at all.
        size: {"height": h, "width": w} in pixels, or one number for a square; default 224.
        resample: Pillow's number of the filter: 0 nearest, 2 bilinear (default), 3 bicubic.
        do_convert_rgb: whether to convert greyscale, palette, CMYK and transparent images to RGB. None means yes; with
            False such images are rejected, since the model needs three channels.
        apply_ocr: whether to read words and boxes with Tesseract.
        ocr_lang: Tesseract's language or languages ("eng", "eng+deu"); None is Tesseract's default.
        tesseract_config: further options of the tesseract command, such as "--psm 6".
        other_settings: further entries of preprocessor_config.json; kept, without effect.

    Raises:
        ValueError: `size` does not have height and width.
    """

    model_input_names = ("pixel_values",)

    def __init__(
        self,
        do_resize: bool = True,
        size: int | Sequence[int] | Mapping[str, int] | None = None,
        resample: int = int(Image.Resampling.BILINEAR),
        do_convert_rgb: bool | None = None,
        apply_ocr: bool = True,
        ocr_lang: str | None = None,
        tesseract_config: str | None = "",
        other_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.do_resize = do_resize
        self.size = _as_size(224 if size is None else size)
        self.resample = int(resample)
        self.do_convert_rgb = do_convert_rgb
        self.apply_ocr = apply_ocr
        self.ocr_lang = ocr_lang
        self.tesseract_config = tesseract_config or ""
        self.other_settings = dict(other_settings or {})

    def __call__(self, images: Any, return_tensors: str | None = None, **settings: Any) -> BatchEncoding:
        """See `preprocess`."""
        return self.preprocess(images, return_tensors=return_tensors, **settings)

    def preprocess(
        self,
        images: Any,
        return_tensors: str | None = None,
        do_resize: bool | None = None,
        size: int | Sequence[int] | Mapping[str, int] | None = None,
        resample: int | None = None,
        do_convert_rgb: bool | None = None,
        apply_ocr: bool | None = None,
        ocr_lang: str | None = None,
        tesseract_config: str | None = None,
        input_data_format: str | None = None,
    ) -> BatchEncoding:
        """Prepare one image or a batch.

        Args:
            images: a Pillow image, an array or tensor (height, width), (height, width, channels) or (channels, height,
                width), or a batch of them; colours are RGB.
            return_tensors: "pt" or "np" for one batch, None for a list.
            input_data_format: "channels_first" or "channels_last", for ambiguous shapes.

        The other arguments replace the processor's own settings for this call.

        Returns:
            `pixel_values` (batch, 3, height, width), BGR, uint8 with values 0-255 (floats stay floats, unscaled); with
            OCR also `words` (list[list[str]]) and `boxes` (list[list[[x0, y0, x1, y1]]], 0-1000).

        Raises:
            TypeError: an input is not an image.
            ValueError: a shape, value or option is invalid, or images have unequal sizes with "pt" or "np".
        """
        if return_tensors is not None and return_tensors not in TENSOR_TYPES:
            raise ValueError(f"return_tensors={return_tensors!r} is unknown: use 'pt', 'np' or None")
        sources = list_images(images)
        if (self.do_convert_rgb if do_convert_rgb is None else do_convert_rgb) is False:
            for source in sources:
                if isinstance(source, Image.Image) and source.mode != "RGB":
                    raise ValueError(f"an image has mode {source.mode}; the model needs RGB, but do_convert_rgb=False")
        pages = [to_rgb(source, input_data_format) for source in sources]

        texts = None
        if self.apply_ocr if apply_ocr is None else apply_ocr:
            lang = self.ocr_lang if ocr_lang is None else ocr_lang
            config = self.tesseract_config if tesseract_config is None else tesseract_config
            texts = [apply_tesseract(page, lang, config) for page in pages]
        if self.do_resize if do_resize is None else do_resize:
            target = self.size if size is None else _as_size(size)
            chosen = self.resample if resample is None else int(resample)
            pages = [self._resize(page, target["height"], target["width"], chosen) for page in pages]

        features = BatchEncoding({"pixel_values": self._collect([page.flip(0) for page in pages], return_tensors)})
        if texts is not None:
            features["words"] = [words for words, _ in texts]
            features["boxes"] = [boxes for _, boxes in texts]
        return features

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
    def from_pretrained(cls, source: str | os.PathLike[str], **settings: Any) -> LayoutLMv2ImageProcessor:
        """Load preprocessor_config.json (or its part of processor_config.json) from a folder, hub id or `s3://...`.

        Args:
            source: folder, hub id or `s3://bucket/prefix`.
            settings: constructor arguments that override the file.

        Raises:
            FileNotFoundError: neither file exists.
            CheckpointError: `source` does not exist, access is denied, or it is unreachable.
        """
        folder = resolve_checkpoint(source, weights=False)
        if (folder / CONFIG_FILE).is_file():
            config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        elif (folder / PROCESSOR_FILE).is_file():
            config = json.loads((folder / PROCESSOR_FILE).read_text(encoding="utf-8")).get("image_processor", {})
        else:
            raise FileNotFoundError(
                f"no image processor in {folder}: it has neither {CONFIG_FILE} nor {PROCESSOR_FILE}"
            )
        arguments = {name: config[name] for name in _SETTING_NAMES if config.get(name) is not None}
        others = {name: value for name, value in config.items() if name not in _SETTING_NAMES}
        return cls(**{**arguments, "other_settings": others, **settings})

    def save_pretrained(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write preprocessor_config.json and return its path."""
        config = {name: getattr(self, name) for name in _SETTING_NAMES if getattr(self, name) is not None}
        config = {**self.other_settings, **config, "image_processor_type": "LayoutLMv2ImageProcessor"}
        path = Path(folder) / CONFIG_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        return (str(path),)


class LayoutLMv2ImageProcessorPil(LayoutLMv2ImageProcessor):
    """Resizes with Pillow, with any of its filters; lists contain numpy arrays."""

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


def _as_size(size: int | Sequence[int] | Mapping[str, int]) -> dict[str, int]:
    if isinstance(size, int):
        size = (size, size)
    if isinstance(size, Mapping):
        if set(size) != {"height", "width"}:
            raise ValueError(f"size={dict(size)}: it must have exactly height and width, in pixels")
        height, width = size["height"], size["width"]
    elif len(size) == 2:
        height, width = size
    else:
        raise ValueError(f"size={size!r}: pass one number, (height, width) or a mapping with height and width")
    if height < 1 or width < 1:
        raise ValueError(f"size: {height} x {width} pixels is empty; both must be 1 or more")
    return {"height": int(height), "width": int(width)}

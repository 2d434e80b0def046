"""Conversion of page images - Pillow images, arrays, tensors, files - to RGB, and resizing."""

from __future__ import annotations

import base64
import binascii
import os
import re
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

# Pillow's filter numbers and torch's names, for the filters that torch has.
_TORCH_FILTERS = {
    int(Image.Resampling.NEAREST): "nearest-exact",
    int(Image.Resampling.BILINEAR): "bilinear",
    int(Image.Resampling.BICUBIC): "bicubic",
}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def list_images(images: Any, upright: bool = False) -> list[Any]:
    """Flatten one image, a batch (list, tuple, array or tensor of four dimensions) or a list of batches to a list.

    Strings and paths are read, see `read_image`; all other images stay as they are.

    Args:
        upright: for files, see `read_image`.

    Raises:
        TypeError: an item is not an image.
        ValueError: there are no images, an array does not have two to four dimensions, or a file is not an image.
    """
    if isinstance(images, (list, tuple)):
        flat = [image for item in images for image in list_images(item, upright)]
        if not flat:
            raise ValueError("there are no images")
        return flat
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, (str, Path)):
        return [read_image(images, upright)]
    if isinstance(images, (np.ndarray, torch.Tensor)):
        if images.ndim == 4:
            return list(images)
        if images.ndim in (2, 3):
            return [images]
        raise ValueError(f"an image has two or three dimensions and a batch four, not {tuple(images.shape)}")
    raise TypeError(
        f"{type(images).__name__} is not an image: pass a Pillow image (PIL.Image.open reads one), an array, a tensor "
        "or a file's path"
    )


def read_image(source: str | Path, upright: bool = False) -> Image.Image:
    """Read an image file, or an image in base64 (with or without "data:image/...;base64,"). Transparency is dropped.

    Args:
        upright: whether to turn the image as its EXIF orientation says.

    Returns:
        An RGB image, or an image of mode I, I;16 or F, of which `to_rgb` keeps the levels.

    Raises:
        TypeError: a string is neither a file nor an image in base64, or there is no file.
        ValueError: it is a URL, or Pillow cannot read the file.
    """
    content: str | Path | BytesIO = source
    if isinstance(source, Path) or os.path.isfile(source):
        if not os.path.isfile(source):
            raise TypeError(f"{source} is not an image: there is no such file")
    elif _URL.match(source):
        raise ValueError(f"{source} is a URL: download the image first, then pass its path")
    else:
        try:
            content = BytesIO(base64.b64decode(source.partition(",")[2] if source.startswith("data:") else source))
        except (binascii.Error, ValueError):
            content = BytesIO()
    try:
        with Image.open(content) as file:
            image = ImageOps.exif_transpose(file) if upright else file
            return image.copy() if image.mode.startswith(("I", "F")) else image.convert("RGB")
    except OSError as error:
        if isinstance(content, BytesIO):
            raise TypeError(f"{str(source)[:100]!r} is not an image: neither a file nor an image in base64") from None
        raise ValueError(f"{source} cannot be read as an image ({error})") from error


def to_rgb(image: Any, input_data_format: str | None = None) -> torch.Tensor:
    """Convert an image to RGB channels. Transparency is composited over white; 16-bit grey becomes 8-bit.

    Args:
        image: a Pillow image of any mode, or an array or tensor (height, width), (height, width, channels) or
            (channels, height, width) with 1, 3 (RGB) or 4 (RGBA) channels.
        input_data_format: "channels_first" or "channels_last" for arrays with ambiguous shapes; the default is channels
            first.

    Returns:
        (3, height, width), on the tensor's device: uint8, or float with unchanged values. Its memory layout can be
        pixel by pixel, like Pillow's, which saves copying a whole page twice.

    Raises:
        ValueError: the shape is invalid, or integers are outside 0-255.
    """
    if isinstance(image, Image.Image):
        return torch.from_numpy(np.array(_pillow_to_rgb(image))).permute(2, 0, 1)
    pixels = torch.from_numpy(np.require(image, requirements=("C", "W"))) if isinstance(image, np.ndarray) else image
    if pixels.ndim == 2:
        pixels = pixels[None]
    elif _channels_last(tuple(pixels.shape), input_data_format):
        pixels = pixels.permute(2, 0, 1)
    if pixels.dtype == torch.bool:
        pixels = pixels.to(torch.uint8) * 255
    elif not pixels.is_floating_point() and pixels.dtype != torch.uint8:
        values = pixels.to(torch.int64)
        if values.numel() and (values.min() < 0 or values.max() > 255):
            raise ValueError(
                f"pixels are {pixels.dtype} from {values.min()} to {values.max()}: scale them to 0-255 first"
            )
        pixels = values.to(torch.uint8)
    if pixels.shape[0] == 1:
        pixels = pixels.expand(3, -1, -1)
    elif pixels.shape[0] == 4:
        white = 1.0 if pixels.is_floating_point() else 255.0
        alpha = pixels[3:].to(torch.float64) / white
        blended = alpha * pixels[:3] + (1 - alpha) * white
        pixels = (blended if pixels.is_floating_point() else blended.round()).to(pixels.dtype)
    return pixels


def to_pillow(pixels: torch.Tensor) -> tuple[Image.Image, bool]:
    """Convert (3, height, width) to an 8-bit Pillow image without metadata; also return whether values were in 0-1.

    Raises:
        ValueError: floats are neither whole numbers in 0-255 nor all in 0-1.
    """
    array = pixels.cpu().numpy().transpose(1, 2, 0)
    scaled = False
    if array.dtype != np.uint8:
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        whole = low >= 0 and high <= 255 and np.allclose(array, np.trunc(array))
        if not whole and not (low >= 0 and high <= 1):
            raise ValueError(
                f"pixels are {array.dtype} from {low} to {high}: floats must be in 0-1, or whole numbers in 0-255"
            )
        scaled = not whole
        array = (array * 255 if scaled else array).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array)), scaled


def resize_tensor(pixels: torch.Tensor, height: int, width: int, resample: int) -> torch.Tensor:
    """Resize (channels, height, width) with torch and antialiasing, like torchvision.

    Args:
        resample: 0 nearest, 2 bilinear or 3 bicubic (Pillow's numbers); for 1, Lanczos, bicubic is used, with a
            warning.

    Raises:
        ValueError: the filter is another one of Pillow's.
    """
    if resample == Image.Resampling.LANCZOS:
        warnings.warn(
            "torch has no Lanczos filter (resample=1), so bicubic is used; LayoutLMv2ImageProcessorPil has it",
            stacklevel=2,
        )
        resample = int(Image.Resampling.BICUBIC)
    if resample not in _TORCH_FILTERS:
        raise ValueError(
            f"resample={resample} is not one of torch's filters (0 nearest, 2 bilinear, 3 bicubic); "
            "LayoutLMv2ImageProcessorPil supports all"
        )
    if pixels.shape[-2:] == (height, width):
        return pixels
    mode = _TORCH_FILTERS[resample]
    if mode == "nearest-exact":
        return torch.nn.functional.interpolate(pixels[None], size=(height, width), mode=mode)[0]
    # torch resizes uint8 directly only on a CPU; elsewhere the result is rounded afterwards.
    direct = pixels.is_floating_point() or pixels.device.type == "cpu"
    resized = torch.nn.functional.interpolate(
        (pixels if direct else pixels.float())[None],
        size=(height, width),
        mode=mode,
        align_corners=False,
        antialias=True,
    )[0]
    return resized if direct else resized.clamp(0, 255).round().to(pixels.dtype)


def resize_pillow(pixels: torch.Tensor, height: int, width: int, resample: int) -> torch.Tensor:
    """Resize (3, height, width) with Pillow; floats in 0-1 are returned as float32 in 0-1.

    Raises:
        ValueError: as for `to_pillow`, or the filter is unknown.
    """
    image, scaled = to_pillow(pixels)
    array = np.array(image.resize((width, height), resample=resample)).transpose(2, 0, 1)
    if scaled:
        array = (array.astype(np.float64) / 255).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(array))


def _pillow_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        grey = np.asarray(image).astype(np.float64)
        highest = grey.max() if grey.size else 0
        # Floats can be in 0-1; integers above 255 are 16-bit scans.
        factor = 255 if image.mode == "F" and highest <= 1 else 1 if highest <= 255 else 1 / 256
        return Image.fromarray(np.clip(grey * factor, 0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or image.info.get("transparency") is not None:
        page = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _channels_last(shape: Sequence[int], input_data_format: str | None) -> bool:
    if input_data_format is not None:
        if input_data_format not in ("channels_first", "channels_last"):
            raise ValueError(f"input_data_format={input_data_format!r}: use 'channels_first' or 'channels_last'")
        last = input_data_format == "channels_last"
        if shape[2 if last else 0] not in (1, 3, 4):
            raise ValueError(
                f"an image of shape {tuple(shape)} does not have 1, 3 or 4 channels in {input_data_format} order"
            )
        return last
    if shape[0] in (1, 3, 4):
        return False
    if shape[2] in (1, 3, 4):
        return True
    raise ValueError(f"an image of shape {tuple(shape)} has 1, 3 or 4 channels neither first nor last")

"""The model's image of a page as a PNG file, which is how it is kept: the same pixels in a fifth of the bytes."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipelines.schema import MODEL_IMAGE_SHAPE

PNG_COMPRESS_LEVEL = 3
"""Of zlib: the least that the pages of samples/ take, 29 kB; the usual level 6 takes 34, and twice the time."""


def encode_picture(model_image: bytes | npt.NDArray[np.uint8]) -> bytes:
    """A PNG file, in the order red, green, blue, of a model image: uint8 3 x 224 x 224, blue, green, red."""
    planes = np.frombuffer(model_image, dtype=np.uint8).reshape(MODEL_IMAGE_SHAPE)
    pixels = np.ascontiguousarray(planes[::-1].transpose(1, 2, 0))
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", compress_level=PNG_COMPRESS_LEVEL)
    return content.getvalue()


def picture_array(content: bytes) -> npt.NDArray[np.uint8]:
    """The inverse of `encode_picture`: uint8 3 x 224 x 224, blue, green, red.

    Raises:
        ValueError: the content is no PNG file, or not one of this size; a larger one is not decoded.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != MODEL_IMAGE_SHAPE[:0:-1]:
                width, height = image.size
                raise ValueError(f"it has {width} x {height} pixels, and the model's image 224 x 224")
            pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"the picture of a page cannot be read: {error}") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[::-1])

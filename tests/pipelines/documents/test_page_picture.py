"""A model image survives as a PNG to the pixel, in the colours that people see."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.documents.page_picture import encode_picture, picture_array
from pipelines.schema import MODEL_IMAGE_SHAPE


def test_a_picture_is_kept_to_the_pixel() -> None:
    model_image = np.random.default_rng(0).integers(0, 256, MODEL_IMAGE_SHAPE, dtype=np.uint8)
    again = picture_array(encode_picture(model_image))
    assert again.dtype == np.uint8 and again.flags.c_contiguous
    assert np.array_equal(again, model_image)
    assert encode_picture(model_image.tobytes()) == encode_picture(model_image)


def test_the_file_is_red_green_blue() -> None:
    blue_first = np.zeros(MODEL_IMAGE_SHAPE, dtype=np.uint8)
    blue_first[0] = 200
    with Image.open(io.BytesIO(encode_picture(blue_first))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (224, 224))
        assert image.getpixel((5, 5)) == (0, 0, 200)


def test_what_is_no_picture_of_a_page_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        picture_array(b"no image")
    content = encode_picture(np.zeros(MODEL_IMAGE_SHAPE, dtype=np.uint8))
    with pytest.raises(ValueError, match="cannot be read"):
        picture_array(content[: len(content) // 2])
    small, other_format = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (20, 10)).save(small, "PNG")
    with pytest.raises(ValueError, match="20 x 10 pixels"):
        picture_array(small.getvalue())
    Image.new("RGB", (224, 224)).save(other_format, "BMP")
    with pytest.raises(ValueError, match="cannot be read"):
        picture_array(other_format.getvalue())


@pytest.mark.parametrize(("side", "message"), [(9_000, "9000 x 9000 pixels"), (20_000, "decompression bomb")])
def test_a_picture_that_claims_to_be_huge_is_refused_before_it_takes_memory(side: int, message: str) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = encode_picture(np.zeros(MODEL_IMAGE_SHAPE, dtype=np.uint8))
    huge = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        picture_array(huge)

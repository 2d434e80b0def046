"""WebP, BMP, GIF, JPEG 2000 and HEIC: pages like those of other images, with the same limits and errors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipelines.documents.document import Document
from pipelines.documents.image_files import open_image
from pipelines.documents.media_type import BMP, GIF, HEIC, JPEG2000, WEBP
from pipelines.documents.rendering import RenderOptions, page_size, render_grey, render_model_image
from pipelines.errors import ProcessingError

FORMATS = {
    "webp": (WEBP, "WEBP", {"lossless": True}),
    "webp-lossy": (WEBP, "WEBP", {"quality": 90}),
    "bmp": (BMP, "BMP", {}),
    "gif": (GIF, "GIF", {}),
    "jp2": (JPEG2000, "JPEG2000", {}),
    "j2k": (JPEG2000, "JPEG2000", {"no_jp2": True}),
    "heic": (HEIC, "HEIF", {"quality": 90}),
}


def drawn(text: str = "", mode: str = "RGB", size: tuple[int, int] = (320, 200)) -> Image.Image:
    """A white page with a black rectangle at its upper left, and a text."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, size[0] // 4, size[1] // 4), fill="black")
    draw.text((size[0] // 2, size[1] // 2), text, fill="black")
    return image.convert(mode)


def encode(name: str, *images: Image.Image) -> bytes:
    """A file of one of `FORMATS`; several images are its frames."""
    _, file_format, options = FORMATS[name]
    if name == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    more: dict[str, Any] = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
    stored = io.BytesIO()
    images[0].save(stored, file_format, **options, **more)
    return stored.getvalue()


def stored_at(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "document"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_image_is_a_page(name: str, mode: str, tmp_path: Path) -> None:
    content = encode(name, drawn(mode=mode))
    for source in (content, stored_at(tmp_path, content)):
        with Document(source) as document:
            assert (document.media_type, document.page_count) == (FORMATS[name][0], 1)
            assert document.frame_size(0) == (320, 200)
            grey = np.asarray(render_grey(document, 0, RenderOptions()))
            assert grey[25, 40] < 40 and grey[150, 40] > 215
            assert render_model_image(document, 0, RenderOptions()).shape == (3, 224, 224)


@pytest.mark.parametrize("name", ["gif", "webp", "heic"])
def test_all_frames_are_pages_in_any_order(name: str) -> None:
    pages = [drawn(size=(320, 200 if name != "heic" else 200 + 20 * index)) for index in range(4)]
    for index, page in enumerate(pages):
        ImageDraw.Draw(page).rectangle((200, 40 * index, 240, 40 * index + 30), fill="black")
    with Document(encode(name, *pages)) as document:
        assert document.page_count == 4
        for index in (0, 3, 1, 2, 2, 0):
            size = page_size(document, index, RenderOptions())
            grey = render_grey(document, index, RenderOptions())
            assert grey.size == (size.width, size.height) == pages[index].size
            assert np.abs(np.asarray(grey).astype(int) - np.asarray(pages[index].convert("L"))).mean() < 4
        with pytest.raises(IndexError):
            document.frame(4)


@pytest.mark.parametrize("name", ["webp", "gif", "jp2"])
def test_what_is_transparent_is_white(name: str) -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((8, 8, 24, 24), fill=(0, 0, 0, 255))
    with Document(encode(name, image)) as document:
        grey = np.asarray(render_grey(document, 0, RenderOptions()))
    assert grey[16, 16] == 0 and grey[40, 50] == 255


@pytest.mark.parametrize("name", ["webp", "heic"])
def test_an_image_is_upright(name: str) -> None:
    image = drawn(size=(320, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right by a viewer
    _, file_format, options = FORMATS[name]
    encode(name, image)
    stored = io.BytesIO()
    image.save(stored, file_format, exif=exif.tobytes(), **options)
    with Document(stored.getvalue()) as document:
        assert document.frame_size(0) == (200, 320)
        grey = np.asarray(render_grey(document, 0, RenderOptions()))
    assert grey.shape == (320, 200) and grey[40, 170] < 40


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_over_the_limit_is_too_large_before_it_is_decoded(name: str) -> None:
    content = encode(name, drawn())
    with pytest.raises(ProcessingError) as caught, Document(content, max_image_pixels=320 * 200 - 1) as document:
        document.frame(0)
    assert caught.value.kind == "too_large"
    with Document(content, max_image_pixels=320 * 200) as document:
        document.frame(0)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_a_truncated_image_is_unreadable(name: str, share: float) -> None:
    content = encode(name, Image.effect_noise((320, 200), 80).convert("RGB"))
    with pytest.raises(ProcessingError) as caught, Document(content[: max(30, int(share * len(content)))]) as document:
        document.frame(0)
    assert caught.value.kind == "unreadable"


def huge_webp(kind: bytes) -> bytes:
    canvas = (16_000 - 1).to_bytes(3, "little")
    bits = ((16_383) | (16_383 << 14)).to_bytes(4, "little")
    body = {
        b"VP8X": bytes(4) + canvas + canvas,
        b"VP8L": b"\x2f" + bits + bytes(8),
        b"VP8 ": b"\x00\x00\x00\x9d\x01\x2a" + (16_383).to_bytes(2, "little") * 2 + bytes(8),
    }[kind]
    chunk = kind + len(body).to_bytes(4, "little") + body
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


def huge_bmp() -> bytes:
    header = (40).to_bytes(4, "little") + (30_000).to_bytes(4, "little") * 2 + b"\x01\x00\x18\x00" + bytes(24)
    return b"BM" + bytes(8) + (54).to_bytes(4, "little") + header


def huge_gif() -> bytes:
    side = (65_535).to_bytes(2, "little")
    return b"GIF89a" + side * 2 + bytes(3) + b"," + bytes(4) + side * 2 + b"\x00\x02\x02\x4c\x01\x00;"


def huge_codestream() -> bytes:
    side = (60_000).to_bytes(4, "big")
    size = bytes(2) + side * 2 + bytes(8) + side * 2 + bytes(8) + b"\x00\x01\x07\x01\x01"
    return b"\xff\x4f\xff\x51" + (len(size) + 2).to_bytes(2, "big") + size


@pytest.mark.parametrize(
    "content",
    [huge_webp(b"VP8X"), huge_webp(b"VP8L"), huge_webp(b"VP8 "), huge_bmp(), huge_gif(), huge_codestream()],
    ids=["VP8X", "VP8L", "VP8", "bmp", "gif", "j2k"],
)
def test_a_small_file_that_claims_to_be_huge_is_too_large(content: bytes) -> None:
    with pytest.raises(ProcessingError) as caught, Document(content) as document:
        document.frame(0)
    assert caught.value.kind == "too_large"


def test_a_frame_outside_of_the_screen_of_a_gif_is_too_large() -> None:
    side = (60_000).to_bytes(2, "little")
    first = b"," + bytes(4) + b"\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00"
    content = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(6) + first + b"," + bytes(4) + side * 2 + b"\x00\x02\x00;"
    with Document(content) as document:
        assert document.page_count == 2
        document.frame(0)
        with pytest.raises(ProcessingError) as caught:
            document.frame(1)
        assert caught.value.kind == "too_large"
        assert document.frame(0).size == (1, 1)


def test_a_header_that_disagrees_with_the_image_is_an_error() -> None:
    content = encode("jp2", drawn(size=(64, 64)))
    small = content.replace((64).to_bytes(4, "big") * 2, (2).to_bytes(4, "big") * 2, 1)
    with pytest.raises(ProcessingError) as caught, Document(small) as document:
        document.frame(0)
    assert caught.value.kind in ("unreadable", "too_large")


def test_a_damaged_frame_of_a_gif_leaves_those_before_it() -> None:
    content = encode("gif", *[Image.effect_noise((120, 80), 20 + 40 * index) for index in range(3)])
    with Document(content[: int(0.9 * len(content))]) as document:
        assert document.page_count == 3
        for _ in range(2):
            with pytest.raises(ProcessingError) as caught:
                document.frame(2)
            assert caught.value.kind == "unreadable"
        assert document.frame(1).size == (120, 80)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_of_another_format_are_not_opened_by_guess(name: str) -> None:
    png = io.BytesIO()
    drawn().save(png, "PNG")
    with pytest.raises(ProcessingError) as caught:
        open_image(png.getvalue(), FORMATS[name][0], 10**9)
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_are_no_surprise(name: str) -> None:
    content = encode(name, drawn("words"))
    random = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(content)
        for position in random.integers(0, min(len(damaged), 400), 3):
            damaged[position] = random.integers(0, 256)
        try:
            with Document(bytes(damaged), max_image_pixels=4_000_000) as document:
                render_grey(document, 0, RenderOptions())
        except ProcessingError as error:
            assert error.kind in ("unreadable", "too_large", "unsupported", "empty")

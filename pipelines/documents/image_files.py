"""Image files by their media type: each is opened by the one plugin that reads it, and its frames are counted.

Nothing is decoded here, and no plugin is asked to guess. TIFF is left to `tiff.py`.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from pipelines.documents.media_type import BMP, GIF, HEIC, JPEG, JPEG2000, PNG, WEBP
from pipelines.documents.png import strip_text_chunks
from pipelines.errors import ProcessingError

_PLUGINS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    PNG: PngImagePlugin.PngImageFile,
    JPEG: JpegImagePlugin.JpegImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
    BMP: BmpImagePlugin.BmpImageFile,
    GIF: GifImagePlugin.GifImageFile,
    JPEG2000: Jpeg2KImagePlugin.Jpeg2KImageFile,
}


def open_image(source: bytes | Path, media_type: str, max_pixels: int) -> Image.Image:
    """An image file at its first frame, whose pixels are not decoded yet.

    Raises:
        ProcessingError: `too_large`, the header says that it has more than `max_pixels`; `unreadable`, it is damaged;
            `unsupported`, the package that reads HEIC is not installed.
    """
    file: BinaryIO | None = None
    try:
        with warnings.catch_warnings():
            # Pillow warns about large images and odd metadata; sizes are checked here and by `Document`.
            warnings.simplefilter("ignore")
            file = strip_text_chunks(source) if media_type == PNG else _opened(source)
            if media_type == WEBP:  # opening one allocates its canvas
                check_pixels(_webp_size(file), max_pixels)
            image = _plugin(media_type)(file)
    except (MemoryError, ProcessingError):
        _close(file)
        raise
    except Image.DecompressionBombError as error:
        _close(file)
        raise too_large(str(error)) from error
    except Exception as error:  # decoders raise many types
        _close(file)
        raise ProcessingError("unreadable", f"The image is damaged or truncated: {reason(error)}") from error
    return image


def count_frames(image: Image.Image, media_type: str) -> int:
    """The frames of an opened image that are pages: all of a GIF, a WebP and a HEIC; 1 of other types."""
    if media_type == GIF:
        return _count_gif_frames(image)
    if media_type in (WEBP, HEIC):
        return max(1, int(getattr(image, "n_frames", 1)))
    return 1


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Reject an image of too many pixels.

    Raises:
        ProcessingError: `too_large`.
    """
    width, height = size
    if width * height > max_pixels:
        raise too_large(f"{width} x {height} pixels; the limit is {max_pixels:,}")


def too_large(what: str) -> ProcessingError:
    """The error of an image with too many pixels."""
    return ProcessingError("too_large", f"The image has too many pixels ({what}); scale it down.")


def reason(error: BaseException) -> str:
    """What an exception says, or else its type."""
    return str(error) or type(error).__name__


def _plugin(media_type: str) -> Callable[[BinaryIO], Image.Image]:
    if media_type != HEIC:
        return _PLUGINS[media_type]
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        message = "A HEIC image needs the package pillow-heif; install it, or convert the image to PNG or JPEG first."
        raise ProcessingError("unsupported", message) from error
    return HeifImageFile


def _opened(source: bytes | Path) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _close(file: BinaryIO | None) -> None:
    if file is not None:
        file.close()


def _webp_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height of the canvas (RFC 9649, section 2)."""
    head = file.read(30)
    file.seek(0)
    kind = head[12:16]
    if len(head) < 30:
        raise ValueError("the header of the WebP is truncated")
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _count_gif_frames(image: Image.Image) -> int:
    """Frames by the blocks of the file (GIF89a, section 20), without decoding them; a truncated last one counts."""
    assert isinstance(image, GifImagePlugin.GifImageFile) and image.fp is not None
    file = image.fp
    position = file.tell()
    try:
        file.seek(0)
        head = file.read(13)
        _skip_colors(file, head[10])
        count = 0
        while (kind := file.read(1)) not in (b"", b";"):
            if kind == b"!":
                file.read(1)
                _skip_data(file)
            elif kind == b",":
                count += 1
                descriptor = file.read(9)
                if len(descriptor) < 9:
                    break
                _skip_colors(file, descriptor[8])
                file.read(1)
                _skip_data(file)
        return max(1, count)
    finally:
        file.seek(position)


def _skip_colors(file: IO[bytes], flags: int) -> None:
    """Skip a colour table, if the flags say that there is one."""
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), io.SEEK_CUR)


def _skip_data(file: IO[bytes]) -> None:
    """Skip blocks of data until the empty one that ends them."""
    while (size := file.read(1)) not in (b"", b"\x00"):
        file.seek(size[0], io.SEEK_CUR)

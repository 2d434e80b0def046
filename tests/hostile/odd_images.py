"""Image files of every kind there is: sound but unusual ones, damaged ones, and those that lie."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.hostile.hostile_file import ENDED_OR_UNREADABLE, UNREADABLE, UNSUPPORTED, HostileFile, Kinds
from tests.hostile.raw_images import (
    GREY,
    PALETTE,
    PNG_SIGNATURE,
    grey_rows,
    png_chunk,
    png_file,
    png_header,
)
from tests.hostile.raw_jpeg import claim_jpeg_size, claim_precision, encode_jpeg, frame_header, segments

_SIDE = (120, 80)


def _encoded(mode: str, file_format: str, **options: object) -> bytes:
    picture = Image.linear_gradient("L").resize(_SIDE)
    stored = io.BytesIO()
    picture.convert(mode).save(stored, file_format, **options)
    return stored.getvalue()


def _noise(file_format: str) -> bytes:
    stored = io.BytesIO()
    Image.frombytes("L", (200, 200), random.Random(5).randbytes(40_000)).save(stored, file_format)
    return stored.getvalue()


def _several(file_format: str, count: int = 3) -> bytes:
    pictures = [Image.new("RGB", _SIDE, (80 * index, 30, 30)) for index in range(count)]
    stored = io.BytesIO()
    pictures[0].save(stored, file_format, save_all=True, append_images=pictures[1:])
    return stored.getvalue()


def _sixteen_bits() -> bytes:
    rows = b"".join(b"\x00" + b"".join(struct.pack(">H", 500 * column) for column in range(120)) for _ in range(80))
    return png_file(png_header(120, 80, 16, GREY), zlib.compress(rows))


def _palette(colours: int, transparency: bytes = b"") -> bytes:
    """A PNG of palette indices 0 to 255, with so many colours in its palette."""
    rows = b"".join(b"\x00" + bytes((row * 120 + column) % 256 for column in range(120)) for row in range(80))
    extra = [png_chunk(b"PLTE", bytes(range(256))[:1] * 3 * colours)] if colours else []
    extra += [png_chunk(b"tRNS", transparency)] if transparency else []
    return png_file(png_header(120, 80, 8, PALETTE), zlib.compress(rows), *extra)


def _turned_with_noise() -> bytes:
    """EXIF data that begins as such and goes on as noise."""
    return segments(encode_jpeg(120, 80), 0xE1, b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + bytes(range(256)), 1)


def _sound(name: str, why: str, make: Callable[[], bytes]) -> HostileFile:
    return HostileFile(name, make, why, pages=1)


def _damaged(name: str, why: str, make: Callable[[], bytes], kinds: Kinds = UNREADABLE) -> HostileFile:
    """What cannot be decoded; the file may be refused as a whole, or its one page fail: it is lost either way."""
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, page_errors={0: kinds})


def _repairable(name: str, why: str, make: Callable[[], bytes], kinds: Kinds = UNREADABLE) -> HostileFile:
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, may_fail={0: kinds})


def odd_image_files() -> list[HostileFile]:
    """PNG and JPEG files."""
    jpeg, png, grey = encode_jpeg(120, 80), _noise("PNG"), png_header(120, 80)
    rows = grey_rows(120, 80)
    huge = png_header(0x7FFFFFFF, 0x7FFFFFFF)
    text_bomb = b"Comment\x00\x00" + zlib.compress(b"draw" * (1 << 19))
    return [
        _sound("cmyk.jpg", "four colours, inverted as Photoshop does", lambda: _encoded("CMYK", "JPEG")),
        _sound("progressive.jpg", "a picture in scans", lambda: encode_jpeg(120, 80, progressive=True)),
        _sound(
            "many-comments.jpg",
            "200 comments of 64 kB before the picture",
            lambda: segments(encode_jpeg(120, 80), 0xFE, b"c" * 65_000, 200),
        ),
        _sound("exif-noise.jpg", "EXIF data of noise: the picture is sound", _turned_with_noise),
        _sound(
            "icc-noise.jpg",
            "a colour profile of noise",
            lambda: segments(encode_jpeg(120, 80), 0xE2, b"ICC_PROFILE\x00\x01\x01" + bytes(range(256)), 1),
        ),
        _sound(
            "several-pictures.mpo.jpg",
            "a telephone's picture with previews behind it: one page",
            lambda: _several("MPO"),
        ),
        _sound(
            "bytes-behind-end.jpg",
            "a picture with a megabyte behind its end",
            lambda: encode_jpeg(120, 80) + bytes(1 << 20),
        ),
        _sound("one-pixel.png", "a picture of one pixel", lambda: png_file(png_header(1, 1), grey_rows(1, 1))),
        _sound(
            "sliver.png",
            "a picture of 100,000 by one pixels",
            lambda: png_file(png_header(100_000, 1), grey_rows(100_000, 1)),
        ),
        _sound("sixteen-bits.png", "65,536 grey levels", _sixteen_bits),
        _sound("two-levels.png", "one bit a pixel", lambda: _encoded("1", "PNG")),
        _sound("alpha.png", "colours with transparency", lambda: _encoded("RGBA", "PNG")),
        _sound("grey-alpha.png", "grey with transparency", lambda: _encoded("LA", "PNG")),
        _sound("palette.png", "a palette", lambda: _encoded("P", "PNG")),
        _sound(
            "palette-transparent.png",
            "a palette with transparency for each colour",
            lambda: _palette(256, bytes(range(256))),
        ),
        _repairable("palette-short.png", "256 indices into a palette of two colours", lambda: _palette(2)),
        _repairable("palette-missing.png", "indices into a palette that is not there", lambda: _palette(0)),
        _sound("animated.png", "three pictures in turn: one page", lambda: _several("PNG")),
        _sound(
            "resolution-zero.png",
            "a resolution of no dots an inch",
            lambda: png_file(grey, rows, png_chunk(b"pHYs", struct.pack(">IIB", 0, 0, 1))),
        ),
        _sound(
            "drawing-in-comment.png",
            "2 MB of a drawing's source in a packed comment, as draw.io leaves them",
            lambda: png_file(grey, rows, png_chunk(b"zTXt", text_bomb)),
        ),
        _repairable(
            "animation-lies.png",
            "says that it has 4,294,967,295 pictures",
            lambda: png_file(grey, rows, png_chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))),
        ),
        _damaged("cut.png", "half of a PNG", lambda: png[: len(png) // 2]),
        _damaged("header-only.png", "a PNG's first eight bytes", lambda: PNG_SIGNATURE),
        _damaged("no-pixels.png", "a PNG without picture data", lambda: PNG_SIGNATURE + grey + png_chunk(b"IEND", b"")),
        _repairable(
            "too-few-rows.png", "a tenth of the rows that the header says", lambda: png_file(grey, grey_rows(120, 8))
        ),
        _repairable(
            "no-end.png",
            "all of the picture and no chunk to end it",
            lambda: PNG_SIGNATURE + grey + png_chunk(b"IDAT", rows),
        ),
        _repairable(
            "checksum-wrong.png",
            "a wrong checksum over picture data that is right",
            lambda: PNG_SIGNATURE + grey + png_chunk(b"IDAT", rows, checksum=1) + png_chunk(b"IEND", b""),
        ),
        _repairable(
            "chunk-of-gigabytes.png",
            "a comment of 2 GB of which nothing is there",
            lambda: PNG_SIGNATURE + grey + struct.pack(">I", 0x7FFFFFFF) + b"tEXt" + b"a",
        ),
        _damaged("no-width.png", "a picture of no width", lambda: png_file(png_header(0, 80), rows)),
        _damaged(
            "depth-unknown.png",
            "33 bits of a colour type that does not exist",
            lambda: png_file(png_header(120, 80, 33, 9), rows),
            UNSUPPORTED,
        ),
        HostileFile(
            "two-thousand-million.png",
            lambda: png_file(huge, rows),
            "2,147,483,647 by 2,147,483,647 pixels, in 100 bytes",
            pages=1,
            document_may_fail=frozenset({"too_large"}),
            page_errors={0: frozenset({"too_large"})},
        ),
        _damaged("cut.jpg", "half of a JPEG", lambda: jpeg[: len(jpeg) // 2]),
        _damaged("header-only.jpg", "a JPEG's first four bytes", lambda: jpeg[:4]),
        _repairable("no-end.jpg", "all of the picture and no marker to end it", lambda: jpeg[:-2]),
        _damaged("no-height.jpg", "a picture of no height", lambda: claim_jpeg_size(jpeg, 120, 0)),
        _damaged(
            "twelve-bits.jpg",
            "twelve bits a sample, which few libraries read",
            lambda: claim_precision(jpeg, 12),
            UNSUPPORTED,
        ),
        _damaged(
            "tables-missing.jpg",
            "a picture without its quantization tables",
            lambda: jpeg[:20] + jpeg[frame_header(jpeg) :],
        ),
        _repairable(
            "overwritten.jpg",
            "a picture with 50 bytes of noise in its data",
            lambda: jpeg[:-200] + bytes(range(50)) + jpeg[-150:],
        ),
        HostileFile(
            "claims-65500.jpg",
            lambda: claim_jpeg_size(jpeg, 65500, 65500),
            "65,500 by 65,500 pixels, in a kilobyte",
            pages=1,
            document_may_fail=frozenset({"too_large"}),
            page_errors={0: frozenset({"too_large"})},
        ),
        HostileFile(
            "claims-more-rows.jpg",
            lambda: claim_jpeg_size(jpeg, 13000, 13000),
            "says 13,000 by 13,000 pixels, under any limit, and has 120 by 80: decoders fill it up with grey",
            pages=1,
            document_may_fail=UNREADABLE,
            may_fail={0: ENDED_OR_UNREADABLE},
            needs_limits=True,
        ),
    ]

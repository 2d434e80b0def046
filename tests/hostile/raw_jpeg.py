"""JPEG files whose headers say something else than their data."""

from __future__ import annotations

import io
import struct

from PIL import Image

_FRAME_HEADERS = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")


def encode_jpeg(width: int, height: int, mode: str = "L", **options: object) -> bytes:
    """A sound picture, dark on the left and light on the right."""
    picture = Image.linear_gradient("L").rotate(90).resize((width, height)).convert(mode)
    stored = io.BytesIO()
    picture.save(stored, "JPEG", **options)
    return stored.getvalue()


def frame_header(data: bytes) -> int:
    """Where the frame header's marker stands."""
    position = 2
    while data[position : position + 2] not in _FRAME_HEADERS:
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return position


def claim_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """The file with another size in its header."""
    changed = bytearray(data)
    struct.pack_into(">HH", changed, frame_header(data) + 5, height, width)
    return bytes(changed)


def claim_precision(data: bytes, bits: int) -> bytes:
    """The file with another number of bits a sample in its header."""
    changed = bytearray(data)
    changed[frame_header(data) + 4] = bits
    return bytes(changed)


def endless_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive picture that repeats its last scan: the decoder goes through all of the picture for each."""
    data = encode_jpeg(width, height, quality=5, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def segments(data: bytes, marker: int, content: bytes, count: int) -> bytes:
    """The file with so many more segments behind its first two bytes."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return data[:2] + segment * count + data[2:]

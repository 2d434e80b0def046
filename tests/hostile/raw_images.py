"""PNG and TIFF files part by part, with every freedom to be wrong."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SHORT, LONG, RATIONAL = 3, 4, 5
_FORMATS = {SHORT: "H", LONG: "I", RATIONAL: "I"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
SAMPLES, ROWS, COUNTS, ACROSS, DOWN, PREDICTOR = 277, 278, 279, 282, 283, 317

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def png_chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """One chunk of a PNG; `checksum` is what it claims, by default the truth."""
    claimed = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", claimed)


def png_header(width: int, height: int, bits: int = 8, colours: int = GREY, interlaced: bool = False) -> bytes:
    """The chunk IHDR."""
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))


def png_file(header: bytes, pixels: bytes, *extra: bytes) -> bytes:
    """A PNG with these packed pixels in one chunk, and `extra` chunks before them."""
    return PNG_SIGNATURE + header + b"".join(extra) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def grey_rows(width: int, height: int, level: int = 200) -> bytes:
    """Packed rows of 8-bit grey for a PNG."""
    return zlib.compress((b"\x00" + bytes([level]) * width) * height)


@dataclass(frozen=True)
class Frame:
    """A frame of a TIFF: grey, in one strip. `tags` (tag: type and values) come on top, and None takes a tag away."""

    width: int
    height: int
    data: bytes
    bits: int = 8
    compression: int = 1
    photometric: int = 1
    tags: Mapping[int, tuple[int, Sequence[int]] | None] = field(default_factory=dict)

    def entries(self, data_offset: int) -> dict[int, tuple[int, Sequence[int]]]:
        """All tags in their order, with their types and values."""
        all_tags: dict[int, tuple[int, Sequence[int]] | None] = {
            WIDTH: (LONG, [self.width]),
            HEIGHT: (LONG, [self.height]),
            BITS: (SHORT, [self.bits]),
            COMPRESSION: (SHORT, [self.compression]),
            PHOTOMETRIC: (SHORT, [self.photometric]),
            OFFSETS: (LONG, [data_offset]),
            SAMPLES: (SHORT, [1]),
            ROWS: (LONG, [self.height]),
            COUNTS: (LONG, [len(self.data)]),
            **self.tags,
        }
        return {tag: entry for tag, entry in sorted(all_tags.items()) if entry is not None}


def grey_frame(width: int = 40, height: int = 30, level: int = 200, **changes: object) -> Frame:
    """A sound frame of one level, or one with `changes`."""
    return Frame(width, height, bytes([level]) * (width * height), **changes)  # type: ignore[arg-type]


def tiff_file(frames: Sequence[Frame], *, last_leads_to: int | None = None) -> bytes:
    """A TIFF of these frames; the last one's pointer to a next leads to the frame `last_leads_to`, or nowhere.

    Frames with the same data share one copy of it.
    """
    data = bytearray(b"II*\x00\x00\x00\x00\x00")
    places: dict[bytes, int] = {}
    for frame in frames:
        if frame.data not in places:
            places[frame.data] = len(data)
            data += frame.data + bytes(len(frame.data) % 2)
    pointer, directories = 4, []
    for frame in frames:
        start = len(data)
        directories.append(start)
        struct.pack_into("<I", data, pointer, start)
        entries = frame.entries(places[frame.data])
        beyond = start + 2 + 12 * len(entries) + 4
        data += struct.pack("<H", len(entries))
        longer = b""
        for tag, (kind, values) in entries.items():
            packed = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
            if len(packed) > 4:
                longer, packed = longer + packed, struct.pack("<I", beyond + len(longer))
            count = len(values) // 2 if kind == RATIONAL else len(values)
            data += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\x00")
        pointer = len(data)
        data += bytes(4) + longer
    if last_leads_to is not None:
        struct.pack_into("<I", data, pointer, directories[last_leads_to])
    return bytes(data)

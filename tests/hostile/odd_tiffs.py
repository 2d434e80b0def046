"""TIFF files: many frames, frames in a circle, frames that lie, and unusual pixels."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

from PIL import Image

from tests.hostile.hostile_file import ENDED, UNREADABLE, UNSUPPORTED, HostileFile, Kinds
from tests.hostile.raw_images import (
    ACROSS,
    BITS,
    COMPRESSION,
    COUNTS,
    DOWN,
    HEIGHT,
    LONG,
    OFFSETS,
    ORIENTATION,
    PHOTOMETRIC,
    RATIONAL,
    ROWS,
    SAMPLES,
    SHORT,
    WIDTH,
    Frame,
    grey_frame,
    tiff_file,
)

_LZW, _OLD_JPEG, _DEFLATE, _UNKNOWN = 5, 6, 8, 65_000


def _encoded(mode: str, **options: object) -> bytes:
    stored = io.BytesIO()
    Image.linear_gradient("L").resize((120, 80)).convert(mode).save(stored, "TIFF", **options)
    return stored.getvalue()


def _frames(count: int, *, last_leads_to: int | None = None) -> bytes:
    return tiff_file([grey_frame()] * count, last_leads_to=last_leads_to)


def _bare_frames(count: int) -> bytes:
    """As many frames as there is room for, each with the fewest tags."""
    small = {SAMPLES: None, ROWS: None, COMPRESSION: None}
    return tiff_file([grey_frame(8, 8, tags=small)] * count)


def _first_leads_nowhere() -> bytes:
    """Three frames, the first one's pointer leading beyond the file."""
    data = bytearray(_frames(3))
    start = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[start : start + 2], "little")
    data[start + 2 + 12 * entries : start + 6 + 12 * entries] = (0x7FFFFFF0).to_bytes(4, "little")
    return bytes(data)


def _sound(name: str, why: str, make: Callable[[], bytes], pages: int = 1) -> HostileFile:
    return HostileFile(name, make, why, pages=pages)


def _second_frame(name: str, why: str, frame: Frame, kinds: Kinds = UNREADABLE, *, must: bool = True) -> HostileFile:
    """The middle one of three frames is odd; the others come out."""
    frames = [grey_frame(), frame, grey_frame()]
    failing = {1: kinds}
    return HostileFile(
        name,
        lambda: tiff_file(frames),
        why,
        pages=3,
        page_errors=failing if must else {},
        may_fail={} if must else failing,
    )


def _only_frame(name: str, why: str, make: Callable[[], bytes], kinds: Kinds = UNREADABLE) -> HostileFile:
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, page_errors={0: kinds})


def odd_tiff_files() -> list[HostileFile]:
    """TIFF files."""
    too_large: Kinds = frozenset({"too_large"})
    no_resolution = {ACROSS: (RATIONAL, [0, 0]), DOWN: (RATIONAL, [5, 0])}
    uneven = {ACROSS: (RATIONAL, [4_000_000_000, 1]), DOWN: (RATIONAL, [1, 4_000_000_000])}
    fifty = _frames(50)
    return [
        _sound("five-hundred-frames.tiff", "500 pages in one file", lambda: _frames(500), 500),
        HostileFile(
            "hundred-thousand-frames.tiff",
            lambda: _bare_frames(100_000),
            "100,000 pages in 8 MB: counted in a time that grows by the square",
            pages=100_000,
            document_may_fail=frozenset({"too_large", "timeout"}),
            words={},
            needs_limits=True,
        ),
        HostileFile(
            "frame-leads-to-itself.tiff",
            lambda: _frames(1, last_leads_to=0),
            "one frame that is its own successor",
            pages=1,
            document_may_fail=UNREADABLE,
        ),
        HostileFile(
            "frames-in-circle.tiff",
            lambda: _frames(3, last_leads_to=0),
            "three frames, of which the last leads to the first",
            pages=3,
            document_may_fail=UNREADABLE,
        ),
        HostileFile(
            "frames-end-in-circle.tiff",
            lambda: _frames(5, last_leads_to=3),
            "five frames, of which the last leads to the fourth",
            pages=5,
            document_may_fail=UNREADABLE,
        ),
        HostileFile(
            "frame-leads-beyond.tiff",
            _first_leads_nowhere,
            "the first frame's successor lies beyond the end: the rest is lost",
            document_may_fail=UNREADABLE,
            may_fail={1: UNREADABLE},
        ),
        HostileFile(
            "cut-between-frames.tiff",
            lambda: fifty[: len(fifty) // 2],
            "half of a file of 50 frames, cut in the twentieth: taken for one of 20, the others are silently lost",
            pages=20,
            page_errors={19: UNREADABLE},
        ),
        _only_frame("cut.tiff", "half of a frame", lambda: _encoded("RGB")[:14_000]),
        _only_frame("header-only.tiff", "a TIFF's first eight bytes", lambda: b"II*\x00\x08\x00\x00\x00"),
        _only_frame(
            "no-tags.tiff",
            "a frame without a tag",
            lambda: tiff_file(
                [
                    Frame(
                        1,
                        1,
                        b"",
                        tags=dict.fromkeys(
                            [WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, SAMPLES, ROWS, COUNTS]
                        ),
                    )
                ]
            ),
        ),
        _sound("cmyk.tiff", "four colours", lambda: _encoded("CMYK")),
        _sound("floating-point.tiff", "grey levels as floating-point numbers", lambda: _encoded("F")),
        _sound("thirty-two-bits.tiff", "grey levels as 32-bit integers", lambda: _encoded("I")),
        _sound(
            "sixteen-bits.tiff",
            "65,536 grey levels",
            lambda: tiff_file([Frame(40, 30, bytes(range(240)) * 10, bits=16)]),
        ),
        _sound("lab.tiff", "colours by lightness and two opponents", lambda: _encoded("LAB")),
        _sound("alpha.tiff", "colours with transparency", lambda: _encoded("RGBA")),
        _sound("palette.tiff", "a palette", lambda: _encoded("P")),
        _sound("fax.tiff", "CCITT group 4", lambda: _encoded("1", compression="group4")),
        _sound("jpeg-inside.tiff", "a frame packed as JPEG", lambda: _encoded("RGB", compression="jpeg")),
        _sound("big-tiff.tiff", "64-bit offsets", lambda: _encoded("L", big_tiff=True)),
        _second_frame(
            "frame-claims-60000.tiff",
            "a frame that says it is 60,000 by 60,000 pixels",
            grey_frame(tags={WIDTH: (LONG, [60000]), HEIGHT: (LONG, [60000])}),
            too_large,
        ),
        _second_frame(
            "frame-claims-billions.tiff",
            "a frame of 4,294,967,295 by 4,294,967,295 pixels",
            grey_frame(tags={WIDTH: (LONG, [0xFFFFFFFF]), HEIGHT: (LONG, [0xFFFFFFFF])}),
            too_large | UNREADABLE,
        ),
        _second_frame(
            "frame-claims-more-rows.tiff",
            "a frame of 10,000 by 10,000 pixels with data for 40 by 30",
            grey_frame(tags={WIDTH: (LONG, [10000]), HEIGHT: (LONG, [10000])}),
        ),
        HostileFile(
            "first-frame-unknown-packing.tiff",
            lambda: tiff_file([grey_frame(compression=_UNKNOWN), grey_frame(), grey_frame()]),
            "the first frame is packed by a method that nobody knows, and the others are sound",
            pages=3,
            page_errors={0: UNSUPPORTED},
        ),
        _second_frame("frame-no-width.tiff", "a frame of no width", grey_frame(tags={WIDTH: (LONG, [0])})),
        _second_frame(
            "frame-no-data.tiff",
            "a frame that does not say where its data is",
            grey_frame(tags={OFFSETS: None, COUNTS: None}),
        ),
        _second_frame(
            "frame-no-size.tiff",
            "a frame that does not say how large it is",
            grey_frame(tags={WIDTH: None, HEIGHT: None}),
        ),
        _second_frame(
            "frame-data-beyond.tiff",
            "a frame whose data lies beyond the end",
            grey_frame(tags={OFFSETS: (LONG, [0x7FFFFFF0])}),
        ),
        _second_frame(
            "frame-data-of-gigabytes.tiff",
            "a frame with 4 GB of data, of which 1 kB is there",
            grey_frame(compression=_DEFLATE, tags={COUNTS: (LONG, [0xFFFFFFF0])}),
        ),
        _second_frame(
            "frame-deflate-noise.tiff",
            "a frame whose packed data is none",
            Frame(40, 30, bytes(range(256)), compression=_DEFLATE),
        ),
        _second_frame(
            "frame-lzw-noise.tiff",
            "a frame whose packed data is none",
            Frame(40, 30, bytes(range(256)), compression=_LZW),
        ),
        _second_frame(
            "frame-fax-noise.tiff",
            "a frame whose fax data is noise: what can be seen is noise",
            Frame(40, 30, bytes(range(256)), bits=1, compression=4),
            must=False,
        ),
        _second_frame(
            "frame-unknown-packing.tiff",
            "a frame packed by a method that nobody knows",
            grey_frame(compression=_UNKNOWN),
            UNSUPPORTED,
        ),
        _second_frame(
            "frame-old-jpeg.tiff",
            "a frame in the JPEG of 1992, without its tables",
            grey_frame(compression=_OLD_JPEG),
            UNSUPPORTED,
        ),
        _second_frame(
            "frame-unknown-colours.tiff",
            "a frame in colours that nobody knows",
            grey_frame(photometric=77),
            UNSUPPORTED,
        ),
        _second_frame("frame-77-bits.tiff", "77 bits a sample", grey_frame(bits=77), UNSUPPORTED),
        _second_frame(
            "frame-65535-samples.tiff",
            "65,535 samples a pixel",
            grey_frame(tags={SAMPLES: (SHORT, [65535])}),
            UNSUPPORTED | too_large,
        ),
        _second_frame(
            "frame-orientation-99.tiff",
            "turned in a way that does not exist",
            grey_frame(tags={ORIENTATION: (SHORT, [99])}),
            frozenset(),
            must=False,
        ),
        _second_frame(
            "frame-no-resolution.tiff",
            "a resolution of nothing by nothing",
            grey_frame(tags=no_resolution),
            frozenset(),
            must=False,
        ),
        _second_frame(
            "frame-uneven-resolution.tiff",
            "pixels that are thousands of millions of times as high as wide",
            grey_frame(tags=uneven),
            frozenset(),
            must=False,
        ),
        _second_frame(
            "frame-many-strips.tiff",
            "a frame in 300,000 strips, for 30 rows",
            grey_frame(tags={ROWS: (LONG, [1]), OFFSETS: (LONG, [8] * 300_000), COUNTS: (LONG, [40] * 300_000)}),
            UNREADABLE | ENDED,
            must=False,
        ),
        _second_frame(
            "frame-checksum-wrong.tiff",
            "a frame whose packed data ends in a wrong checksum",
            Frame(40, 30, zlib.compress(bytes(1200))[:-4] + b"\x00" * 4, compression=_DEFLATE),
            must=False,
        ),
    ]

"""Image files that are small and become large: beyond the limit of pixels, and just below it."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.hostile_file import ENDED, ENDED_OR_UNREADABLE, UNREADABLE, HostileFile, Kinds
from tests.hostile.long_runs import deflate_run, lzw_run, white_fax
from tests.hostile.raw_images import RGBA, Frame, grey_frame, grey_rows, png_chunk, png_file, png_header, tiff_file
from tests.hostile.raw_jpeg import endless_scans

_FAX, _LZW, _DEFLATE = 4, 5, 8
GIB = 1 << 30

OVER, UNDER = 60_000, 13_000
"""Sides of a picture that no limit lets through, and of one (169 million pixels) that the default limit does."""


def _refused(name: str, why: str, make: Callable[[], bytes]) -> HostileFile:
    """More pixels than may be: known from the header alone."""
    kinds: Kinds = frozenset({"too_large"})
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, page_errors={0: kinds})


def _large(name: str, why: str, make: Callable[[], bytes], kinds: Kinds = ENDED) -> HostileFile:
    """Under the limit of pixels: it comes out where there is memory and time enough."""
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, may_fail={0: kinds}, needs_limits=True)


def _beside(name: str, why: str, make: Callable[[], bytes]) -> HostileFile:
    """A bomb beside a small and sound picture: the picture comes out, or the file is refused."""
    kinds = ENDED_OR_UNREADABLE
    return HostileFile(name, make, why, pages=1, document_may_fail=kinds, may_fail={0: kinds})


def _second_frame(
    name: str, why: str, make: Callable[[], Frame], kinds: Kinds, *, must: bool = False, limits: bool = False
) -> HostileFile:
    """The middle one of three frames must fail, or may; the others come out."""
    return HostileFile(
        name,
        lambda: tiff_file([grey_frame(), make(), grey_frame()]),
        why,
        pages=3,
        page_errors={1: kinds} if must else {},
        may_fail={} if must else {1: kinds},
        needs_limits=limits,
    )


def _packed_rows(width: int, height: int, bits: int, colours: int, samples: int) -> bytes:
    row = 1 + (width * bits * samples + 7) // 8
    return png_file(png_header(width, height, bits, colours), deflate_run(0, row * height))


def _with_bomb(kind: bytes, prefix: bytes, size: int) -> bytes:
    bomb = png_chunk(kind, prefix + deflate_run(0x20, size))
    return png_file(png_header(120, 80), grey_rows(120, 80), bomb)


def image_bomb_files() -> list[HostileFile]:
    """PNG, JPEG and TIFF bombs."""
    too_large: Kinds = frozenset({"too_large"})
    return [
        _refused("bomb-60000.png", "3,600 million pixels in 450 kB", lambda: _packed_rows(OVER, OVER, 1, 0, 1)),
        _large(
            "bomb-13000.png",
            "169 million pixels of 8 bytes in a megabyte: 1.3 GB to unpack, and more to convert",
            lambda: _packed_rows(UNDER, UNDER, 16, RGBA, 4),
        ),
        HostileFile(
            "more-rows-than-said.png",
            lambda: png_file(png_header(120, 80), deflate_run(0, 2 * GIB)),
            "9,680 bytes of picture and 2 GiB behind them in the same stream: nobody needs to unpack these",
            pages=1,
            may_fail={0: UNREADABLE},
            document_may_fail=UNREADABLE,
        ),
        _beside(
            "bomb-in-comment.png",
            "a comment of 1 GiB in a megabyte",
            lambda: _with_bomb(b"zTXt", b"Comment\x00\x00", GIB),
        ),
        _beside(
            "bomb-in-profile.png",
            "a colour profile of 1 GiB in a megabyte",
            lambda: _with_bomb(b"iCCP", b"Profile\x00\x00", GIB),
        ),
        _beside(
            "bomb-in-translation.png",
            "a comment of 1 GiB in Unicode",
            lambda: _with_bomb(b"iTXt", b"Comment\x00\x01\x00en\x00\x00", GIB),
        ),
        _beside(
            "many-comments.png",
            "500,000 small comments",
            lambda: png_file(png_header(120, 80), grey_rows(120, 80), *[png_chunk(b"tEXt", b"Key\x00value")] * 500_000),
        ),
        _large(
            "endless-scans.jpg",
            "a progressive picture of 64 million pixels in 2,000 scans",
            lambda: endless_scans(8000, 8000, 2000),
            ENDED_OR_UNREADABLE,
        ),
        _second_frame(
            "bomb-deflate.tiff",
            "a frame of 3,600 million pixels, really there, in 450 kB",
            lambda: Frame(OVER, OVER, deflate_run(0, OVER * OVER // 8), bits=1, compression=_DEFLATE),
            too_large,
            must=True,
        ),
        _second_frame(
            "bomb-deflate-13000.tiff",
            "a frame of 169 million pixels of 16 bits",
            lambda: Frame(UNDER, UNDER, deflate_run(0, UNDER * UNDER * 2), bits=16, compression=_DEFLATE),
            ENDED,
            limits=True,
        ),
        _second_frame(
            "bomb-lzw.tiff",
            "a frame of 3,600 million pixels in LZW",
            lambda: Frame(OVER, OVER, lzw_run(0, OVER * OVER // 8), bits=1, compression=_LZW),
            too_large,
            must=True,
        ),
        _second_frame(
            "bomb-lzw-13000.tiff",
            "a frame of 169 million pixels in LZW",
            lambda: Frame(UNDER, UNDER, lzw_run(0, UNDER * UNDER), compression=_LZW),
            ENDED,
            limits=True,
        ),
        _second_frame(
            "bomb-fax.tiff",
            "a frame of 3,600 million pixels in fax, 7 kB",
            lambda: Frame(OVER, OVER, white_fax(OVER), bits=1, compression=_FAX, photometric=0),
            too_large,
            must=True,
        ),
        _second_frame(
            "bomb-fax-13000.tiff",
            "a frame of 169 million pixels in fax, 2 kB",
            lambda: Frame(UNDER, UNDER, white_fax(UNDER), bits=1, compression=_FAX, photometric=0),
            ENDED,
            limits=True,
        ),
        _second_frame(
            "more-data-than-said.tiff",
            "1,200 bytes of frame, and 1 GiB behind them in the same stream",
            lambda: Frame(40, 30, deflate_run(0, GIB), compression=_DEFLATE),
            ENDED_OR_UNREADABLE,
        ),
        HostileFile(
            "many-large-frames.tiff",
            lambda: tiff_file([Frame(UNDER, UNDER, white_fax(UNDER), bits=1, compression=_FAX, photometric=0)] * 20),
            "20 frames of 169 million pixels in 6 kB: memory that grows with the frames",
            pages=20,
            may_fail=dict.fromkeys(range(20), ENDED),
            needs_limits=True,
        ),
    ]

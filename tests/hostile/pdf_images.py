"""PDF pages with pictures in them that are broken, odd, or larger than any memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import Image

from tests.hostile.hostile_file import ENDED_OR_UNREADABLE, HostileFile, Kinds
from tests.hostile.long_runs import deflate_again, deflate_run, white_fax
from tests.hostile.raw_jpeg import claim_jpeg_size, encode_jpeg
from tests.hostile.raw_pdf import between_good_pages, page_objects, stream, text

WORD = "Picture"


def _picture(
    width: object, height: object, data: bytes, entries: str, *, more: dict[int, bytes] | None = None
) -> dict[int, bytes]:
    """A page with a word and an image over all of it; the image is object 10."""
    described = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} {entries}"
    return page_objects(
        b"q 400 0 0 300 0 0 cm /Im1 Do Q " + text(WORD),
        resources="/XObject << /Im1 10 0 R >>",
        objects={10: stream(data, described)} | (more or {}),
    )


_GREY = "/ColorSpace /DeviceGray /BitsPerComponent 8"
_BILEVEL = "/ColorSpace /DeviceGray /BitsPerComponent 1"


def _jbig2(width: int, height: int, coded: bytes, *, fax: bool) -> bytes:
    """A page of JBIG2 with one generic region over all of it (ITU-T T.88, 7.2, 7.4.6, 7.4.8)."""

    def segment(number: int, kind: int, content: bytes) -> bytes:
        return struct.pack(">IBBBI", number, kind, 0, 1, len(content)) + content

    page = struct.pack(">IIIIBH", width, height, 0, 0, 0, 0)
    flags = b"\x01" if fax else b"\x06\x02\xff"  # arithmetic coding by template 3 has one adaptive pixel
    region = struct.pack(">IIIIB", width, height, 0, 0, 0) + flags + coded
    return segment(0, 48, page) + segment(1, 38, region)


def _jpeg2000(width: int, height: int, tile: int | None = None) -> bytes:
    """A code stream of 16 x 16 pixels that says it is larger, in tiles of `tile` (ISO 15444-1, A.5.1)."""
    stored = io.BytesIO()
    Image.new("L", (16, 16), 128).save(stored, "JPEG2000", no_jp2=True)
    data = bytearray(stored.getvalue())
    place = data.index(b"\xff\x51") + 6
    tile_width, tile_height = (tile, tile) if tile else (width, height)
    struct.pack_into(">IIIIIIII", data, place, width, height, 0, 0, tile_width, tile_height, 0, 0)
    return bytes(data)


def _soft_mask_of_itself() -> dict[int, bytes]:
    return _picture(16, 16, bytes(256), f"{_GREY} /SMask 10 0 R")


def _drawn_often(count: int, side: int) -> dict[int, bytes]:
    """One image of side x side pixels, drawn again and again at a different place."""
    draws = b"".join(b"q 400 0 0 300 %d %d cm /Im1 Do Q\n" % (index % 7, index % 11) for index in range(count))
    described = (
        f"/Type /XObject /Subtype /Image /Width {side} /Height {side} {_GREY} /Filter /FlateDecode /Interpolate true"
    )
    return page_objects(
        content_object=stream(deflate_again(text(WORD) + draws), "/Filter /FlateDecode"),
        resources="/XObject << /Im1 10 0 R >>",
        objects={10: stream(deflate_run(90, side * side), described)},
    )


def _inline(data: bytes) -> Callable[[], dict[int, bytes]]:
    return lambda: page_objects(text(WORD) + data)


def _damaged(name: str, why: str, make: Callable[[], dict[int, bytes]]) -> HostileFile:
    """The picture cannot be seen, which alone is no reason to lose the page's text: it comes out."""
    return between_good_pages(name, why, make, word=WORD)


def _large(
    name: str,
    why: str,
    make: Callable[[], dict[int, bytes]],
    kinds: Kinds = ENDED_OR_UNREADABLE,
    limits: bool = False,
) -> HostileFile:
    return between_good_pages(name, why, make, may_fail=kinds, word=WORD, needs_limits=limits)


def pdf_image_files() -> list[HostileFile]:
    """Pictures inside of PDFs."""
    jpeg = encode_jpeg(200, 100)
    dct = f"{_GREY} /Filter /DCTDecode"
    fax = "/Filter /CCITTFaxDecode /DecodeParms <<"
    return [
        _large(
            "image-60000-pixels-a-side.pdf",
            "3,600 million grey levels of which four are there",
            lambda: _picture(60000, 60000, b"\x01\x02\x03\x04", _GREY),
        ),
        _large(
            "image-60000-pixels-packed.pdf",
            "900 million grey levels, really there, in a megabyte",
            lambda: _picture(30000, 30000, deflate_run(90, 900_000_000), f"{_GREY} /Filter /FlateDecode"),
            limits=True,
        ),
        _large(
            "image-of-billions.pdf",
            "a picture of 2,147,483,647 by 2,147,483,647: a size that overflows",
            lambda: _picture(2147483647, 2147483647, b"\x01", _GREY),
        ),
        _damaged("image-negative.pdf", "a picture of less than nothing", lambda: _picture(-200, 0, bytes(100), _GREY)),
        _damaged(
            "image-size-no-number.pdf",
            "a picture whose width is a name",
            lambda: _picture("/Wide", "null", bytes(100), _GREY),
        ),
        _damaged(
            "image-short.pdf", "a picture with a tenth of its data", lambda: _picture(100, 100, bytes(1000), _GREY)
        ),
        _damaged(
            "image-colours-missing.pdf",
            "a picture in a colour space that is not there",
            lambda: _picture(100, 100, bytes(10000), "/ColorSpace 99 0 R /BitsPerComponent 8"),
        ),
        _damaged(
            "image-depth-77.pdf",
            "77 bits a component",
            lambda: _picture(100, 100, bytes(10000), "/ColorSpace /DeviceRGB /BitsPerComponent 77"),
        ),
        _damaged(
            "image-palette-short.pdf",
            "a palette of 256 colours of which one is there",
            lambda: _picture(
                10, 10, bytes(range(100)), "/ColorSpace [/Indexed /DeviceRGB 255 <ff0000>] /BitsPerComponent 8"
            ),
        ),
        _damaged("image-masks-itself.pdf", "a picture that is its own soft mask", _soft_mask_of_itself),
        _damaged(
            "image-jpeg-cut.pdf",
            "a JPEG with half of its data",
            lambda: _picture(200, 100, jpeg[: len(jpeg) // 2], dct),
        ),
        _damaged(
            "image-jpeg-noise.pdf",
            "a JPEG whose data is overwritten",
            lambda: _picture(200, 100, jpeg[: len(jpeg) // 2] + bytes(range(256)), dct),
        ),
        _damaged("image-jpeg-none.pdf", "text where a JPEG should be", lambda: _picture(200, 100, b"not a JPEG", dct)),
        _damaged(
            "image-jpeg-other-size.pdf",
            "a JPEG of another size than its dictionary says",
            lambda: _picture(9000, 7, jpeg, dct),
        ),
        _large(
            "image-jpeg-65500.pdf",
            "a JPEG that says it is 65,500 by 65,500 pixels",
            lambda: _picture(65500, 65500, claim_jpeg_size(jpeg, 65500, 65500), dct),
        ),
        _large(
            "jbig2-bomb.pdf",
            "2,100 million pixels of JBIG2 in 100 bytes: a minute of arithmetic",
            lambda: _picture(
                46000, 46000, _jbig2(46000, 46000, bytes(100), fax=False), f"{_BILEVEL} /Filter /JBIG2Decode"
            ),
        ),
        _large(
            "jbig2-bomb-by-fax.pdf",
            "the same by rows of one bit",
            lambda: _picture(
                46000, 46000, _jbig2(46000, 46000, white_fax(46000), fax=True), f"{_BILEVEL} /Filter /JBIG2Decode"
            ),
        ),
        _damaged(
            "jbig2-page-of-billions.pdf",
            "a page of JBIG2 of 4,294,967,295 by 4,294,967,295",
            lambda: _picture(
                100, 100, _jbig2(0xFFFFFFFF, 0xFFFFFFFF, bytes(100), fax=False), f"{_BILEVEL} /Filter /JBIG2Decode"
            ),
        ),
        _damaged(
            "jbig2-noise.pdf",
            "noise where JBIG2 should be",
            lambda: _picture(
                100, 100, bytes(range(256)), f"{_BILEVEL} /Filter /JBIG2Decode /DecodeParms << /JBIG2Globals 10 0 R >>"
            ),
        ),
        _large(
            "fax-bomb.pdf",
            "60,000 by 60,000 pixels of fax in 7 kB",
            lambda: _picture(60000, 60000, white_fax(60000), f"{_BILEVEL} {fax} /K -1 /Columns 60000 /Rows 60000 >>"),
        ),
        _damaged(
            "fax-columns-of-billions.pdf",
            "fax rows of 2,147,483,647 columns",
            lambda: _picture(
                100, 100, white_fax(100), f"{_BILEVEL} {fax} /K -1 /Columns 2147483647 /Rows 2147483647 >>"
            ),
        ),
        _damaged(
            "fax-columns-negative.pdf",
            "fax rows of less than nothing",
            lambda: _picture(
                100, 100, white_fax(100), f"{_BILEVEL} {fax} /K 5 /Columns -8 /Rows -1 /EncodedByteAlign true >>"
            ),
        ),
        _large(
            "jpeg2000-60000.pdf",
            "JPEG 2000 that says it is 60,000 by 60,000 pixels",
            lambda: _picture(60000, 60000, _jpeg2000(60000, 60000), "/Filter /JPXDecode"),
        ),
        _large(
            "jpeg2000-tiles.pdf",
            "JPEG 2000 in 16 million tiles",
            lambda: _picture(4096, 4096, _jpeg2000(4096, 4096, 1), "/Filter /JPXDecode"),
        ),
        _damaged(
            "jpeg2000-cut.pdf",
            "JPEG 2000 that breaks off in its header",
            lambda: _picture(16, 16, _jpeg2000(16, 16)[:60], "/Filter /JPXDecode"),
        ),
        _damaged(
            "inline-image-lies.pdf",
            "a picture among the operators that is longer than the page's content",
            _inline(b"q 100 0 0 100 0 0 cm BI /W 60000 /H 60000 /CS /G /BPC 8 ID \x00\x01\x02 EI Q\n"),
        ),
        _damaged(
            "inline-image-unended.pdf",
            "a picture among the operators that never ends",
            _inline(b"BI /W 10 /H 10 /CS /G /BPC 8 /F /Fl ID \x00\x01\x02"),
        ),
        _damaged(
            "image-external.pdf",
            "a picture whose data is to be read from /etc/passwd",
            lambda: _picture(10, 10, b"", f"{_GREY} /F (/etc/passwd)"),
        ),
        _large(
            "image-drawn-often.pdf",
            "a picture of 25 million pixels, drawn 2,000 times",
            lambda: _drawn_often(2000, 5000),
            limits=True,
        ),
    ]

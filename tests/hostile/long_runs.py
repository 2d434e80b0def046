"""Runs of one byte, a thousand million long, as each compression writes them; made in a moment."""

from __future__ import annotations

import zlib

_CHUNK = 1 << 24
_ADLER = 65521


def deflate_run(value: int, count: int, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A zlib stream of `before`, `count` times the byte `value`, and `after`; a thousandth of its content long.

    After a full flush the compressor remembers nothing, so equal chunks are packed to equal bytes.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes([value]) * _CHUNK
    start = compressor.compress(before) + compressor.flush(zlib.Z_FULL_FLUSH)
    packed = compressor.compress(chunk) + compressor.flush(zlib.Z_FULL_FLUSH) if count >= _CHUNK else b""
    rest = bytes([value]) * (count % _CHUNK) + after
    end = compressor.compress(rest) + compressor.flush()
    low, high = _sums_of_run(zlib.adler32(before), value, count - count % _CHUNK)
    checksum = zlib.adler32(rest, high << 16 | low)
    return b"\x78\xda" + start + packed * (count // _CHUNK) + end + checksum.to_bytes(4, "big")


def _sums_of_run(checksum: int, value: int, count: int) -> tuple[int, int]:
    """Adler-32's two sums after a run, from those before it, by the formula of a series (RFC 1950, section 8.2)."""
    low, high = checksum & 0xFFFF, checksum >> 16
    high += count * low + value * (count * (count + 1) // 2)
    return (low + count * value) % _ADLER, high % _ADLER


def deflate_again(packed: bytes, times: int = 1) -> bytes:
    """What is packed, packed so many times more."""
    for _ in range(times):
        packed = zlib.compress(packed, 9)
    return packed


def lzw_run(value: int, count: int) -> bytes:
    """At least `count` times the byte `value` in LZW as TIFF and PDF have it (code widths change one early).

    In a run each code is the one that was entered last, one byte longer than the code before it.
    """
    codes = []
    done, width = 0, 9
    while done < count:
        codes += [f"{256:0{width}b}", f"{value:09b}"]
        done, length, code = done + 1, 2, 258
        while code < 4094 and done < count:
            width = 9 + (code >= 511) + (code >= 1023) + (code >= 2047)
            codes.append(f"{code:0{width}b}")
            done, length, code = done + length, length + 1, code + 1
    codes.append(f"{257:0{width}b}")
    packed = "".join(codes)
    packed += "0" * (-len(packed) % 8)
    return int(packed, 2).to_bytes(len(packed) // 8, "big")


def run_length_run(value: int, count: int) -> bytes:
    """`count` times the byte `value`, rounded up to 128, as PDF's RunLengthDecode has it."""
    return bytes([129, value]) * -(-count // 128) + b"\x80"


def white_fax(rows: int) -> bytes:
    """White rows in CCITT group 4, one bit each: like the row above, to the end."""
    return b"\xff" * -(-rows // 8) + b"\x00\x10\x01\x00\x10\x01"

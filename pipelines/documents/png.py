"""A PNG without its text chunks: Pillow rejects images with large ones, which some drawing programs write.

Two of them can contain the orientation and are kept: EXIF and XMP, as cameras and editors write them.
"""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import BinaryIO

SIGNATURE_BYTES = 8
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
ORIENTATION_KEYWORDS = (b"Raw profile type exif", b"XML:com.adobe.xmp")
MAX_KEPT_BYTES = 1 << 18
"""Maximum size of such a chunk, compressed and decompressed; Pillow accepts four times as much."""


def strip_text_chunks(source: bytes | Path) -> BinaryIO:
    """The content of a PNG without its text chunks (PNG specification, section 11.3.3), for Pillow to open.

    A file without text chunks is returned unchanged. Truncated or damaged content stays as it is.
    """
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        parts = _kept_ranges(file)
        file.seek(0)
        if len(parts) == 1:
            return file
        kept = io.BytesIO()
        for start, end in parts:
            file.seek(start)
            kept.write(file.read(end - start))
        kept.seek(0)
    except BaseException:
        file.close()
        raise
    file.close()
    return kept


def _kept_ranges(file: BinaryIO) -> list[tuple[int, int]]:
    """Start and end of each byte range that is kept."""
    size = file.seek(0, os.SEEK_END)
    orientations: set[bytes] = set()
    ranges, start, position = [], 0, SIGNATURE_BYTES
    while position < size:
        file.seek(position)
        head = file.read(8)
        end = position + 12 + int.from_bytes(head[:4], "big")
        if head[4:] in TEXT_CHUNKS and end <= size:
            keyword = _orientation_keyword(head[4:], file.read(min(end - position - 12, MAX_KEPT_BYTES + 1)))
            if keyword is None or keyword in orientations:
                if position > start:
                    ranges.append((start, position))
                start = end
            else:
                orientations.add(keyword)
        position = end
    if start < size:
        ranges.append((start, size))
    return ranges


def _orientation_keyword(kind: bytes, content: bytes) -> bytes | None:
    """The keyword of a chunk that can contain the orientation and has a plausible size; None for other chunks."""
    keyword, _, text = content.partition(b"\x00")
    if keyword not in ORIENTATION_KEYWORDS or len(content) > MAX_KEPT_BYTES:
        return None
    compressed = b""
    if kind == b"zTXt":
        compressed = text[1:]
    elif kind == b"iTXt" and text[:1] == b"\x01":
        compressed = text[2:].split(b"\x00", 2)[-1]
    if compressed:
        decompressor = zlib.decompressobj()
        try:
            decompressor.decompress(compressed, MAX_KEPT_BYTES)
        except zlib.error:
            return None
        if decompressor.unconsumed_tail:
            return None
    return keyword

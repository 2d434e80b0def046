"""A PNG without its comments: Pillow refuses a picture whose comments are large, as drawing programs leave them.

Two of them may say which way up the picture is, and stay: EXIF and XMP, as cameras' and editors' files have them.
"""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import BinaryIO

SIGNATURE_BYTES = 8
COMMENTS = (b"tEXt", b"zTXt", b"iTXt")
ORIENTATION_KEYWORDS = (b"Raw profile type exif", b"XML:com.adobe.xmp")
MAX_KEPT_BYTES = 1 << 18
"""Of such a comment, packed and unpacked; Pillow takes four times as much."""


def strip_text_chunks(source: bytes | Path) -> BinaryIO:
    """The content of a PNG, less its comments (PNG specification, section 11.3.3), for Pillow to open.

    A file that has none is given as it is. What is cut or damaged stays so.
    """
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        parts = _parts(file)
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


def _parts(file: BinaryIO) -> list[tuple[int, int]]:
    """From where to where what is kept lies."""
    size = file.seek(0, os.SEEK_END)
    orientations: set[bytes] = set()
    parts, start, place = [], 0, SIGNATURE_BYTES
    while place < size:
        file.seek(place)
        head = file.read(8)
        end = place + 12 + int.from_bytes(head[:4], "big")
        if head[4:] in COMMENTS and end <= size:
            keyword = _orientation_keyword(head[4:], file.read(min(end - place - 12, MAX_KEPT_BYTES + 1)))
            if keyword is None or keyword in orientations:
                if place > start:
                    parts.append((start, place))
                start = end
            else:
                orientations.add(keyword)
        place = end
    if start < size:
        parts.append((start, size))
    return parts


def _orientation_keyword(kind: bytes, content: bytes) -> bytes | None:
    """The keyword of a comment that may tell the orientation, and is of a size that a comment of that kind has."""
    keyword, _, text = content.partition(b"\x00")
    if keyword not in ORIENTATION_KEYWORDS or len(content) > MAX_KEPT_BYTES:
        return None
    packed = b""
    if kind == b"zTXt":
        packed = text[1:]
    elif kind == b"iTXt" and text[:1] == b"\x01":
        packed = text[2:].split(b"\x00", 2)[-1]
    if packed:
        unpacking = zlib.decompressobj()
        try:
            unpacking.decompress(packed, MAX_KEPT_BYTES)
        except zlib.error:
            return None
        if unpacking.unconsumed_tail:
            return None
    return keyword

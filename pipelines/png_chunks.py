"""A PNG without its comments: Pillow refuses a picture whose comments are large, as drawing programs leave them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

SIGNATURE_BYTES = 8
COMMENTS = (b"tEXt", b"zTXt", b"iTXt")


def without_comments(source: bytes | Path) -> BinaryIO:
    """The content of a PNG, less its comments (PNG specification, section 11.3.4), for Pillow to open.

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
    parts, start, place = [], 0, SIGNATURE_BYTES
    while place < size:
        file.seek(place)
        head = file.read(8)
        end = place + 12 + int.from_bytes(head[:4], "big")
        if head[4:] in COMMENTS and end <= size:
            if place > start:
                parts.append((start, place))
            start = end
        place = end
    if start < size:
        parts.append((start, size))
    return parts

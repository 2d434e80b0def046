"""The pages of a TIFF: finds the directory of each page, and opens each page as if it were the first.

A TIFF is a chain of directories (TIFF 6.0, section 2; BigTIFF has wider numbers). Pillow reads every directory on the
way, so that a damaged one makes all later pages unreadable; here only the offsets of the chain are followed.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import TiffImagePlugin


@dataclass(frozen=True)
class TiffDirectories:
    """The positions of the directories in a TIFF.

    Attributes:
        header: the first bytes of the file, up to the offset of the first directory.
        offset: the `struct` format of that offset.
        positions: of each directory, in bytes from the start of the file.
        is_truncated: the last directory lies at least partly beyond the end of the file; any further ones are lost.
    """

    header: bytes
    offset: str
    positions: tuple[int, ...]
    is_truncated: bool


def read_directories(source: bytes | Path) -> TiffDirectories:
    """Follow the chain until it ends, loops, or leads beyond the end of the file.

    Raises:
        ValueError: there is no directory.
    """
    with _opened(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(16)
        order = "<" if start.startswith(b"II") else ">"
        is_big = start[2:4] in (b"+\x00", b"\x00+")
        count, offset, entry_bytes, header_bytes = (
            (f"{order}Q", f"{order}Q", 20, 8) if is_big else (f"{order}H", f"{order}I", 12, 4)
        )
        position = _number(start[header_bytes:], offset)
        seen: dict[int, None] = {}
        is_truncated = False
        while position and position not in seen:
            seen[position] = None
            file.seek(min(size, position))
            entries = _number(file.read(struct.calcsize(count)), count)
            end = position + struct.calcsize(count) + entry_bytes * entries
            is_truncated = end + struct.calcsize(offset) > size
            file.seek(min(size, end))
            position = _number(file.read(struct.calcsize(offset)), offset)
    if not seen:
        raise ValueError("it has no pages")
    return TiffDirectories(start[:header_bytes], offset, tuple(seen), is_truncated)


def open_frame(
    source: bytes | Path, directories: TiffDirectories, index: int, *, in_memory: bool = False
) -> TiffImagePlugin.TiffImageFile:
    """Open one page, reading no directory but its own.

    libtiff, which decodes the more complicated compressions, reads the file itself and starts at its first directory;
    if that one is damaged, `in_memory` makes the page's own directory the first.

    Raises:
        Exception: any exception that Pillow raises for a damaged page.
    """
    if directories.is_truncated and index == len(directories.positions) - 1:
        raise ValueError("the file is truncated here, and any further pages are lost")
    header = directories.header + struct.pack(directories.offset, directories.positions[index])
    if in_memory and isinstance(source, Path):
        source = source.read_bytes()
    if isinstance(source, bytes):
        return TiffImagePlugin.TiffImageFile(io.BytesIO(header + source[len(header) :]))
    file = _WithHeader(source, header)
    try:
        return TiffImagePlugin.TiffImageFile(file)
    except BaseException:
        file.close()
        raise


class _WithHeader(io.FileIO):
    """A file whose first bytes are replaced by `header` when it is read."""

    def __init__(self, path: Path, header: bytes) -> None:
        super().__init__(path)
        self._header = header

    def read(self, size: int | None = -1, /) -> bytes:
        position = self.tell()
        data = super().read(-1 if size is None else size) or b""
        return self._header[position : position + len(data)] + data[max(0, len(self._header) - position) :]


def _opened(source: bytes | Path) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _number(data: bytes, number_format: str) -> int:
    size = struct.calcsize(number_format)
    return int(struct.unpack(number_format, data[:size])[0]) if len(data) >= size else 0

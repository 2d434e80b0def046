"""A TIFF's pages: where each one's directory lies, and each one opened as if it were the first.

A TIFF is a chain of directories (TIFF 6.0, section 2; BigTIFF has wider numbers). Pillow follows it by reading every
directory on the way, so one that is broken takes those behind it along; here the chain alone is followed.
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
    """Where the directories of a TIFF lie.

    Attributes:
        header: the first bytes of the file, up to the place of the first directory.
        offset: the format of that place, as `struct` has it.
        places: of each directory, from the start of the file.
        is_cut: the last directory lies, in part at least, beyond the end of the file; nobody knows what came behind.
    """

    header: bytes
    offset: str
    places: tuple[int, ...]
    is_cut: bool


def read_directories(source: bytes | Path) -> TiffDirectories:
    """Follow the chain until it ends, comes back to where it was, or leads beyond the end of the file.

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
        place = _number(start[header_bytes:], offset)
        seen: dict[int, None] = {}
        is_cut = False
        while place and place not in seen:
            seen[place] = None
            file.seek(min(size, place))
            entries = _number(file.read(struct.calcsize(count)), count)
            behind = place + struct.calcsize(count) + entry_bytes * entries
            is_cut = behind + struct.calcsize(offset) > size
            file.seek(min(size, behind))
            place = _number(file.read(struct.calcsize(offset)), offset)
    if not seen:
        raise ValueError("there is no page in it")
    return TiffDirectories(start[:header_bytes], offset, tuple(seen), is_cut)


def open_frame(
    source: bytes | Path, directories: TiffDirectories, index: int, *, in_memory: bool = False
) -> TiffImagePlugin.TiffImageFile:
    """One page, which reads no directory but its own.

    libtiff, which decodes the more complicated compressions, goes to a file by itself and begins at its first
    directory; where that one is broken, `in_memory` shows it the page's own first.

    Raises:
        Exception: what Pillow raises of a page that is damaged, of many types.
    """
    if directories.is_cut and index == len(directories.places) - 1:
        raise ValueError("the file is cut short here, and what may have come behind is lost")
    header = directories.header + struct.pack(directories.offset, directories.places[index])
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
    """A file that reads as if it began with other bytes."""

    def __init__(self, path: Path, header: bytes) -> None:
        super().__init__(path)
        self._header = header

    def read(self, size: int | None = -1, /) -> bytes:
        place = self.tell()
        data = super().read(-1 if size is None else size) or b""
        return self._header[place : place + len(data)] + data[max(0, len(self._header) - place) :]


def _opened(source: bytes | Path) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _number(data: bytes, number: str) -> int:
    size = struct.calcsize(number)
    return int(struct.unpack(number, data[:size])[0]) if len(data) >= size else 0

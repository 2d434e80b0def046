"""Images inside zip archives, addressed as `FILE.zip#MEMBER`; archives come from anywhere, so their sizes are limited.

An archive is never unpacked to disk: its directory is read for the names, and a member for its image alone, up to a
limit, whatever the archive says of its size. Of an archive in S3 only these parts are fetched.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage

MAX_IMAGE_BYTES = 100_000_000
"""The largest image that is read out of an archive, compressed or not: a scan of 8,000 by 10,000 pixels as a PNG."""

MAX_DIRECTORY_BYTES = 4_000_000
"""The longest directory of an archive that is read, in bytes: some 40,000 files."""

_SEPARATOR = ".zip#"

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""`zipfile` decompresses other methods without an upper bound."""


def is_zipped_image(uri: str) -> bool:
    """Whether an image is in a zip archive: `FILE.zip#MEMBER`."""
    return _SEPARATOR in uri


def archive_of(uri: str) -> str:
    """The archive that holds the image."""
    return uri.partition(_SEPARATOR)[0] + ".zip"


def zipped_files(storage: Storage, archive: str) -> list[str]:
    """The URIs of the files in an archive, in its order; folders and encrypted files are left out.

    Raises:
        ProcessingError: `unreadable` if it is no zip archive, `too_large` if its directory is; else as `Storage.open`.
    """
    with _opened(storage, archive, MAX_DIRECTORY_BYTES) as opened:
        return [
            f"{archive}#{member.filename}"
            for member in opened.infolist()
            if not member.is_dir() and not member.flag_bits & 1
        ]


def read_zipped_image(storage: Storage, uri: str) -> bytes:
    """The image file at `FILE.zip#MEMBER`.

    Raises:
        ProcessingError: `not_found` if the archive has no such file; `too_large` if the image has more than
            `MAX_IMAGE_BYTES`; `encrypted`, `unsupported`, `unreadable`; else as `Storage.open`.
    """
    archive, member = archive_of(uri), uri.partition(_SEPARATOR)[2]
    with _opened(storage, archive, MAX_DIRECTORY_BYTES + MAX_IMAGE_BYTES) as opened:
        try:
            found = opened.getinfo(member)
        except KeyError:
            raise ProcessingError("not_found", f"{uri}: the archive has no such file") from None
        if found.flag_bits & 1:
            raise ProcessingError("encrypted", f"{uri}: the archive is encrypted; unzip it beside its annotations")
        if found.compress_type not in _METHODS:
            raise ProcessingError("unsupported", f"{uri}: neither stored nor deflated; unzip it beside its annotations")
        with opened.open(found) as file:
            content = file.read(MAX_IMAGE_BYTES + 1)
    if len(content) > MAX_IMAGE_BYTES:
        raise ProcessingError("too_large", f"{uri}: the image has more than {MAX_IMAGE_BYTES // 1_000_000} MB")
    return content


class _BudgetedFile:
    """A file for `zipfile` of which only so many bytes may be read."""

    def __init__(self, file: pa.NativeFile, uri: str, budget: int) -> None:
        self._file, self._uri, self._left = file, uri, budget

    def read(self, count: int = -1) -> bytes:
        wanted = count if count >= 0 else self._file.size() - self._file.tell()
        self._left -= min(wanted, self._file.size())
        if self._left < 0:
            raise ProcessingError("too_large", f"{self._uri}: the archive's directory is too long; unzip it")
        return self._file.read(wanted)

    def seek(self, position: int, whence: int = 0) -> int:
        start = (0, self._file.tell(), self._file.size())[whence]
        if start + position < 0:
            raise OSError("before the start of the file")  # what zipfile expects of a file that is too short
        return self._file.seek(start + position)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


@contextmanager
def _opened(storage: Storage, archive: str, budget: int) -> Iterator[zipfile.ZipFile]:
    with storage.open(archive) as file:
        try:
            with zipfile.ZipFile(_BudgetedFile(file, archive, budget)) as opened:
                yield opened
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise ProcessingError("unreadable", f"{archive}: {error}") from error

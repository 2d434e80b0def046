"""Files in folders. Errors are `ProcessingError`s: `not_found`, `access_denied`, `unsupported`, else `unreadable`.
Those of a whole disk or mount are `InfrastructureError`s.

File names may hold bytes that are not UTF-8; a listed URI has them as %XX.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.errors import InfrastructureError, ProcessingError, infrastructure_error
from pipelines.storage.uris import StoredObject

_UNDECODED = re.compile("[\udc80-\udcff]")
_ESCAPED = re.compile("%([89A-F][0-9A-F])")
_TEMPORARY_SUFFIX = ".partial"
_OWN_SUFFIXES = (_TEMPORARY_SUFFIX, ".lock")
_FILE_OR_DISK = (errno.EIO, errno.ESTALE)
"""Errors of one damaged or replaced file, or of the whole disk or mount that it is on."""

READ_BYTES = 1 << 20

EMPTY_SECONDS = 600.0
"""A folder that has been empty for longer is taken for a mount point; its files were not just removed."""


def list_folder(folder: str) -> Iterator[StoredObject]:
    """The files under a folder, or the one of that name, lazily, in the order of their names.

    Links are followed, each folder is visited once, and temporary and lock files of this module are left out.
    """
    with translated_errors(folder):
        if not Path(folder).is_dir():
            Path(folder).stat()
            yield _stored_file(Path(folder))
            return
        os.scandir(folder).close()
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise_translated):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        for name in sorted(names):
            if not (name.startswith(".") and name.endswith(_OWN_SUFFIXES)):
                yield _stored_file(Path(parent, name))


def find_file(uri: str) -> StoredObject | None:
    """The file of that name; None if there is none, or it is not a file."""
    with translated_errors(uri):
        try:
            path = regular_file(uri)
        except ProcessingError:
            return None
        return _stored_file(path) if path.is_file() else None


def regular_file(uri: str) -> Path:
    """The path of a listed URI.

    Raises:
        ProcessingError: `unsupported`, it is a folder, pipe, socket or device.
    """
    path = Path(uri)
    if not path.exists() and _ESCAPED.search(uri):
        path = Path(_ESCAPED.sub(lambda escaped: chr(0xDC00 + int(escaped[1], 16)), uri))
    if path.exists() and not path.is_file():
        raise ProcessingError("unsupported", f"{uri}: not a regular file")
    return path


def openable_file(uri: str) -> Path | None:
    """The path of a file that other programs can open; None where its name is not UTF-8."""
    with translated_errors(uri):
        path = regular_file(uri)
        path.open("rb").close()
    return None if _UNDECODED.search(str(path)) else path


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is made if need be."""
    with written_file(path) as partial:
        partial.write_bytes(content)


@contextmanager
def written_file(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that the block writes, and that then takes its name.

    The content is on the disk before it has the name, so that after a power cut the file is whole or is not there.
    """
    with translated_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
        try:
            yield partial
            _synchronise(partial, os.O_RDWR)
            partial.replace(path)
            _synchronise(path.parent, os.O_RDONLY)
        finally:
            partial.unlink(missing_ok=True)


def remove_partial_files(folder: Path, name: str = "*", age_seconds: float = 3600.0) -> None:
    """Remove the temporary files of writers that were killed: those of a folder that are older than `age_seconds`.

    Args:
        name: a pattern for the names of the files that were written, with `.*` after them.
    """
    with translated_errors(str(folder)):
        for path in folder.glob(f".{name}{_TEMPORARY_SUFFIX}") if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > age_seconds:
                    path.unlink()


def write_file_if(path: Path, content: bytes, version: str | None) -> str | None:
    """Write a file if it is still the version that was read; returns its new version, or None if it is another now.

    Args:
        version: see `content_version`; None stands for a file that does not exist.
    """
    with translated_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (content_version(path.read_bytes()) if path.exists() else None) != version:
                return None
            write_file(path, content)
            return content_version(content)


def content_version(content: bytes) -> str:
    """A name for a file's content, equal for equal contents alone."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _synchronise(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated_errors(uri: str) -> Iterator[None]:
    """Raise `ProcessingError` for an `OSError` of the block; `InfrastructureError` where no single file is at fault."""
    try:
        yield
    except FileNotFoundError as error:
        raise ProcessingError("not_found", f"{uri}: no such file or folder") from error
    except PermissionError as error:
        raise ProcessingError("access_denied", f"{uri}: this user may not access it") from error
    except OSError as error:
        fault = infrastructure_error(error, uri)
        if fault is None and error.errno in _FILE_OR_DISK and not _answers(Path(uri).parent):
            message = f"{uri}: {error.strerror}, and its folder does not answer; see that its disk or mount works"
            fault = InfrastructureError("storage_unavailable", message)
        if fault is not None:
            raise fault from error
        raise ProcessingError("unreadable", f"{uri}: {error.strerror or error}") from error


class KnownMounts:
    """The file systems of files that were read, which tell a lost mount from a file that is gone by itself."""

    def __init__(self) -> None:
        self._folders: dict[int, Path] = {}

    def add(self, uri: str) -> None:
        """Note the file system of a file that is there."""
        folder = Path(uri).parent
        self._folders.setdefault(folder.stat().st_dev, folder)

    def check(self, uri: str) -> None:
        """Check a listed file that is not there.

        Raises:
            InfrastructureError: it was on a file system that is not mounted any more, as far as is known; or the
                innermost folder on its path that still exists has been empty for `EMPTY_SECONDS`, as mount points are.
        """
        with translated_errors(uri):
            for device, folder in self._folders.items():
                left = _innermost_folder(folder)
                if left.stat().st_dev != device and Path(uri).is_relative_to(left):
                    message = f"{uri}: the file system with {folder} is not mounted any more; mount it again"
                    raise InfrastructureError("storage_unavailable", message)
            left = _innermost_folder(Path(uri).parent)
            if time.time() - left.stat().st_mtime < EMPTY_SECONDS:
                return
            with os.scandir(left) as entries:
                if next(entries, None) is not None:
                    return
        raise InfrastructureError(
            "storage_unavailable",
            f"{uri}: it was listed, and now {left} is empty; mount it again, or remove that folder if its files were "
            "removed on purpose",
        )


def check_readable(path: Path, *, is_copy: bool) -> None:
    """Read a file that a parser could not read, which takes a disk that fails for damaged content.

    Args:
        is_copy: the file is a copy that this machine made: then whatever cannot be read of it is the machine's fault.

    Raises:
        InfrastructureError: the file cannot be read, and neither can the disk or mount that it is on.
    """
    try:
        with translated_errors(str(path)), path.open("rb") as file:
            while file.read(READ_BYTES):
                pass
    except InfrastructureError:
        raise
    except ProcessingError as error:
        if is_copy and isinstance(error.__cause__, OSError) and error.__cause__.errno in _FILE_OR_DISK:
            raise InfrastructureError("storage_unavailable", f"{error.message}; check this machine's disk") from error


def _innermost_folder(path: Path) -> Path:
    """The folder itself, or the innermost one on its path that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _answers(folder: Path) -> bool:
    """Whether the file system of a folder answers. `statvfs` asks a remote one, which caches hide otherwise."""
    try:
        os.statvfs(folder)
        os.scandir(folder).close()
    except OSError:
        return False
    return True


def _stored_file(path: Path) -> StoredObject:
    uri = _UNDECODED.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", str(path))
    try:
        status = path.stat()
    except OSError:  # a broken link, a loop of links, a file that vanished: listed, and reported when it is read
        return StoredObject(uri, 0, "")
    return StoredObject(uri, status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}")


def _raise_translated(error: OSError) -> None:
    with translated_errors(str(error.filename)):
        raise error

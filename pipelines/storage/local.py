"""Files in folders. Errors are `ProcessingError`s: `not_found`, `access_denied`, `unsupported`, else `unreadable`.

File names may hold bytes that are not UTF-8; a listed URI has them as %XX.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.errors import ProcessingError
from pipelines.storage.uris import StoredObject

_UNDECODED = re.compile("[\udc80-\udcff]")
_ESCAPED = re.compile("%([89A-F][0-9A-F])")
_TEMPORARY_SUFFIX = ".partial"
_OWN_SUFFIXES = (_TEMPORARY_SUFFIX, ".lock")


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


def remove_partial_files(folder: Path, age_seconds: float = 3600.0) -> None:
    """Remove the temporary files of writers that were killed: those of a folder that are older than `age_seconds`."""
    with translated_errors(str(folder)):
        for path in folder.glob(f".*{_TEMPORARY_SUFFIX}") if folder.is_dir() else ():
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
    """Raise `ProcessingError` for an `OSError` of the block."""
    try:
        yield
    except FileNotFoundError as error:
        raise ProcessingError("not_found", f"{uri}: no such file or folder") from error
    except PermissionError as error:
        raise ProcessingError("access_denied", f"{uri}: this user may not access it") from error
    except OSError as error:
        raise ProcessingError("unreadable", f"{uri}: {error.strerror or error}") from error


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

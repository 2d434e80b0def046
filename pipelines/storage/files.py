"""Files in a folder and objects in S3 behind one interface: list, read, write, delete.

A URI is a local path (absolute once it is listed; `file://` is removed) or `s3://bucket/key`. Everything that can go
wrong for a foreseeable reason is a `ProcessingError` with its kind: `not_found`, `access_denied`, else `unreadable`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import ProcessingError
from pipelines.storage.local import (
    content_version,
    find_file,
    list_folder,
    openable_file,
    regular_file,
    remove_partial_files,
    translated_errors,
    write_file,
    write_file_if,
    written_file,
)
from pipelines.storage.s3 import PATIENCE_SECONDS, S3Access, S3Options
from pipelines.storage.uris import StoredObject, is_s3, join_uri, normalise_uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Options", "Storage", "StoredObject", "is_s3", "join_uri", "normalise_uri"]


class Storage:
    """Access to folders and buckets. Cheap to make and to pickle: each process makes its S3 client on first use.

    Args:
        first_patience_seconds: how long the first request to S3 is repeated while it is out of reach, see `S3Access`.
        s3: how requests to S3 are made.
    """

    def __init__(
        self,
        first_patience_seconds: float = PATIENCE_SECONDS,
        s3: S3Options = S3Options(),  # noqa: B008
    ) -> None:
        self._s3 = S3Access(first_patience_seconds, s3)

    @property
    def client(self) -> S3Client:
        """The S3 client of this process."""
        return self._s3.client

    def list(self, uri: str) -> Iterator[StoredObject]:
        """The files under a folder or prefix (or the one file or object of that name), lazily: those of a folder
        in the order of names, those of a bucket in that of its server.

        `s3://bucket/forms` lists the object `forms` and those under `forms/`, never `forms-old/...`.

        Raises:
            ProcessingError: `not_found`, there is no such folder or bucket; `access_denied`, it may not be listed;
                `unreadable`, an S3 server lists a key twice or a part of its keys only.
        """
        return self._s3.list(uri) if is_s3(uri) else list_folder(uri)

    def find(self, uri: str) -> StoredObject | None:
        """The file or object of that very name, or None.

        Raises:
            ProcessingError: `access_denied`, or `unreadable` with the reason.
        """
        return self._s3.find(uri) if is_s3(uri) else find_file(uri)

    def list_existing(self, uri: str) -> Iterator[StoredObject]:
        """Like `list`, but a folder that does not exist is an empty one."""
        try:
            yield from self.list(uri)
        except ProcessingError as error:
            if error.kind != "not_found":
                raise

    def read(self, uri: str) -> bytes:
        """The whole content.

        Raises:
            ProcessingError: `not_found`, `access_denied`, or `unreadable` with the reason.
        """
        if is_s3(uri):
            return self._s3.read(uri)
        with translated_errors(uri):
            return regular_file(uri).read_bytes()

    def local_file(self, uri: str) -> Path | None:
        """The path of a file that other programs can open; None if it must be `download`ed first.

        Raises:
            ProcessingError: as `read`.
        """
        return None if is_s3(uri) else openable_file(uri)

    def download(self, uri: str, path: Path) -> None:
        """Write the content into a file on this machine, without holding it in memory.

        Raises:
            ProcessingError: as `read`.
        """
        if is_s3(uri):
            self._s3.download(uri, path)
            return
        with translated_errors(uri):
            shutil.copyfile(regular_file(uri), path)

    def open(self, uri: str) -> pa.NativeFile:
        """A seekable file for reading parts; of an object only the parts that are read are fetched.

        Raises:
            ProcessingError: as `read`.
        """
        if is_s3(uri):
            return pa.PythonFile(self._s3.open(uri), mode="r")
        with translated_errors(uri):
            return pa.OSFile(uri)

    def write(self, uri: str, content: bytes) -> None:
        """Write atomically: a reader sees the old content or the new, never a part."""
        if is_s3(uri):
            self._s3.write(uri, content)
        else:
            write_file(Path(uri), content)

    def read_versioned(self, uri: str) -> tuple[bytes, str] | None:
        """The whole content and its version, for `write_if`; None if there is no such file or object.

        Raises:
            ProcessingError: `access_denied`, or `unreadable` with the reason.
        """
        if is_s3(uri):
            return self._s3.read_versioned(uri)
        with translated_errors(uri):
            path = Path(uri)
            if not path.exists():
                return None
            content = path.read_bytes()
            return content, content_version(content)

    def write_if(self, uri: str, content: bytes, version: str | None) -> str | None:
        """Write atomically, if the content is still of the version that was read; None: if there is still none.

        Returns:
            The version of what was written; None if another writer was faster, and nothing was written.
        """
        if is_s3(uri):
            return self._s3.write_if(uri, content, version)
        return write_file_if(Path(uri), content, version)

    @contextmanager
    def written_file(self, uri: str) -> Iterator[Path]:
        """A local file that the block writes; then it is, atomically, the content of `uri`."""
        if is_s3(uri):
            with self._s3.uploaded_file(uri) as path:
                yield path
        else:
            with written_file(Path(uri)) as path:
                yield path

    def remove_partial_files(self, folder: str, name: str = "*") -> None:
        """Remove what killed writers left in a folder, of files with names of a pattern. A bucket has its own rule."""
        if not is_s3(folder):
            remove_partial_files(Path(folder), name)

    def move(self, uri: str, target: str) -> None:
        """Give a file or object another name, in the same folder tree or bucket; a file of that name is replaced."""
        if is_s3(uri):
            self._s3.move(uri, target)
            return
        with translated_errors(uri):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(uri).replace(target)

    def delete(self, uri: str) -> None:
        """Remove a file or object; a missing one is not an error."""
        if is_s3(uri):
            self._s3.delete(uri)
            return
        with translated_errors(uri):
            Path(uri).unlink(missing_ok=True)

    def delete_all(self, uris: Sequence[str]) -> None:
        """Remove files, or objects of one bucket, a thousand with a request; missing ones are no error."""
        on_s3 = [uri for uri in uris if is_s3(uri)]
        self._s3.delete_all(on_s3)
        for uri in uris:
            if not is_s3(uri):
                self.delete(uri)

    def exists(self, uri: str) -> bool:
        """Whether there is a file or object of that very name."""
        return self._s3.exists(uri) if is_s3(uri) else Path(uri).is_file()

"""Files in a folder and objects in S3 under one roof: list, read, write, delete.

A URI is a local path (absolute once it is listed; `file://` is taken off) or `s3://bucket/key`. S3 settings come
from the usual AWS environment variables and configuration files, `AWS_ENDPOINT_URL` included. Everything that can
go wrong for a foreseeable reason is a `ProcessingError` with its kind: `not_found`, `access_denied`, else `unreadable`.
"""

from __future__ import annotations

import io
import logging
import os
import random
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from pipelines.errors import ProcessingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

S3_ATTEMPTS = 3
"""Tries that boto3 makes of one S3 request by itself, in its `standard` mode."""

S3_PATIENCE_SECONDS = 180.0
"""How long a request is repeated while the server is out of reach, overloaded or answers with an error of its own."""

S3_LONGEST_PAUSE_SECONDS = 10.0

_DOWNLOAD_BYTES = 1 << 20

_ACCESS_DENIED_CODES = {
    "403",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AccountProblem",
}
_NOT_FOUND_CODES = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_PASSING_CODES = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded"}
_UNDECODED = re.compile("[\udc80-\udcff]")
_ESCAPED = re.compile("%([89A-F][0-9A-F])")
_TEMPORARY_SUFFIX = ".partial"


@dataclass(frozen=True)
class StoredObject:
    """A listed file or object. `etag` changes when the content does (for a file: from its size and change time)."""

    uri: str
    size_bytes: int
    etag: str


def is_s3(uri: str) -> bool:
    """Whether the URI names an S3 object or prefix."""
    return uri.startswith("s3://")


def normalise_uri(uri: str) -> str:
    """`s3://` URIs as they are; local paths absolute, without `file://`.

    Raises:
        ValueError: another scheme, or no bucket.
    """
    if is_s3(uri):
        if not uri[5:].split("/", 1)[0]:
            raise ValueError(f"{uri!r} names no bucket; write s3://bucket/prefix")
        return uri
    path = uri.removeprefix("file://")
    if "://" in path:
        raise ValueError(f"{uri!r}: only local paths and s3://bucket/prefix are read")
    return os.path.abspath(os.path.expanduser(path))


def join_uri(folder: str, *names: str) -> str:
    """The URI of something inside a folder or under a prefix."""
    return "/".join([folder.rstrip("/"), *names])


class Storage:
    """Access to folders and buckets. Cheap to make and to pickle: each process makes its S3 client on first use.

    Args:
        first_patience_seconds: how long the first request is repeated while S3 is out of reach: a wrong address is then
            told soon. Later ones, and all of copies in other processes, have `S3_PATIENCE_SECONDS`.
    """

    def __init__(self, first_patience_seconds: float = S3_PATIENCE_SECONDS) -> None:
        self._client: S3Client | None = None
        self._patience_seconds = first_patience_seconds

    def __getstate__(self) -> dict[str, Any]:
        return {"_client": None, "_patience_seconds": S3_PATIENCE_SECONDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def client(self) -> S3Client:
        """The S3 client of this process."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(
                retries={"max_attempts": S3_ATTEMPTS, "mode": "standard"}, connect_timeout=10, read_timeout=60
            )
            with _translated_s3_errors("s3://"):
                self._client = boto3.session.Session().client("s3", config=config)
        return self._client

    def patiently(self, uri: str, request: Callable[[], Result]) -> Result:
        """The answer of an S3 request, which is repeated while what stands in its way may pass.

        Raises:
            ProcessingError: `not_found`, `access_denied`, or `unreadable` with the reason.
        """
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                with _translated_s3_errors(uri):
                    answer = request()
            except ProcessingError as error:
                if not _may_pass(error.__cause__) or time.monotonic() - began + pause > self._patience_seconds:
                    raise
                logger.warning("%s; trying again", error.message)
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, S3_LONGEST_PAUSE_SECONDS)
            else:
                self._patience_seconds = S3_PATIENCE_SECONDS
                return answer

    def list(self, uri: str) -> Iterator[StoredObject]:
        """What lies under a folder or prefix (or the one file or object of that name), lazily, in the order of names.

        `s3://bucket/forms` takes the object `forms` and what is under `forms/`, never `forms-old/...`.

        Raises:
            ProcessingError: `not_found` where there is no such folder or bucket, `access_denied` where it may not be
                listed.
        """
        return self._list_s3(uri) if is_s3(uri) else self._list_folder(Path(uri))

    def read(self, uri: str) -> bytes:
        """The whole content.

        Raises:
            ProcessingError: `not_found`, `access_denied`, or `unreadable` with the reason.
        """
        if is_s3(uri):
            bucket, key = _split(uri)
            return self.patiently(uri, lambda: self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        with _translated_file_errors(uri):
            return _regular_file(uri).read_bytes()

    def local_file(self, uri: str) -> Path | None:
        """The file itself, where the URI names one that other programs can open; None: `download` it.

        Raises:
            ProcessingError: as `read`.
        """
        if is_s3(uri):
            return None
        with _translated_file_errors(uri):
            path = _regular_file(uri)
            path.open("rb").close()
        return None if _UNDECODED.search(str(path)) else path

    def download(self, uri: str, path: Path) -> None:
        """Write the content into a file on this machine, without holding it in memory.

        Raises:
            ProcessingError: as `read`.
        """

        def download() -> None:
            bucket, key = _split(uri)
            body = self.client.get_object(Bucket=bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(_DOWNLOAD_BYTES):
                    file.write(chunk)

        if is_s3(uri):
            self.patiently(uri, download)
            return
        with _translated_file_errors(uri):
            shutil.copyfile(_regular_file(uri), path)

    def open(self, uri: str) -> pa.NativeFile:
        """For reading parts: a seekable file; of an object only what is asked for is fetched.

        Raises:
            ProcessingError: as `read`.
        """
        if not is_s3(uri):
            with _translated_file_errors(uri):
                return pa.OSFile(uri)
        bucket, key = _split(uri)
        return pa.PythonFile(_ObjectReader(self, bucket, key), mode="r")

    def write(self, uri: str, content: bytes) -> None:
        """Write at once: a reader sees the old content or the new, never a part."""
        if is_s3(uri):
            bucket, key = _split(uri)
            self.patiently(uri, lambda: self.client.put_object(Bucket=bucket, Key=key, Body=content))
            return
        path = Path(uri)
        with _translated_file_errors(uri):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
            try:
                partial.write_bytes(content)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def delete(self, uri: str) -> None:
        """Remove a file or object; one that is already gone is no error."""
        if is_s3(uri):
            bucket, key = _split(uri)
            self.patiently(uri, lambda: self.client.delete_object(Bucket=bucket, Key=key))
        else:
            with _translated_file_errors(uri):
                Path(uri).unlink(missing_ok=True)

    def exists(self, uri: str) -> bool:
        """Whether there is a file or object of that very name."""
        if not is_s3(uri):
            return Path(uri).is_file()
        bucket, key = _split(uri)
        try:
            self.patiently(uri, lambda: self.client.head_object(Bucket=bucket, Key=key))
        except ProcessingError as error:
            if error.kind == "not_found":
                return False
            raise
        return True

    def list_existing(self, uri: str) -> Iterator[StoredObject]:
        """Like `list`, but a folder that does not exist is an empty one."""
        try:
            yield from self.list(uri)
        except ProcessingError as error:
            if error.kind != "not_found":
                raise

    def _list_s3(self, uri: str) -> Iterator[StoredObject]:
        bucket, prefix = _split(uri)
        folder = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        last = ""
        while True:
            after = last
            page = self.patiently(
                uri,
                lambda: self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after),  # noqa: B023
            )
            for entry in page.get("Contents", []):
                last = entry["Key"]
                if (last == prefix or last.startswith(folder)) and not last.endswith("/"):
                    yield StoredObject(f"s3://{bucket}/{last}", entry["Size"], entry["ETag"].strip('"'))
            if not page.get("IsTruncated") or last == after:
                return

    def _list_folder(self, path: Path) -> Iterator[StoredObject]:
        with _translated_file_errors(str(path)):
            if not path.is_dir():
                path.stat()
                yield _stored_file(path)
                return
            os.scandir(path).close()
        visited: set[str] = set()
        for folder, folders, names in os.walk(path, followlinks=True, onerror=_raise_translated):
            real = os.path.realpath(folder)
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            folders.sort()
            for name in sorted(names):
                if not (name.startswith(".") and name.endswith(_TEMPORARY_SUFFIX)):
                    yield _stored_file(Path(folder, name))


class _ObjectReader(io.RawIOBase):
    """An S3 object as a seekable file; each read is one ranged GET."""

    def __init__(self, storage: Storage, bucket: str, key: str) -> None:
        self._storage, self._bucket, self._key = storage, bucket, key
        head = storage.patiently(f"s3://{bucket}/{key}", lambda: storage.client.head_object(Bucket=bucket, Key=key))
        self._size = head["ContentLength"]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._position + size)
        if end <= self._position:
            return b""
        span = f"bytes={self._position}-{end - 1}"
        request = {"Bucket": self._bucket, "Key": self._key, "Range": span}
        content = self._storage.patiently(
            f"s3://{self._bucket}/{self._key}", lambda: self._storage.client.get_object(**request)["Body"].read()
        )
        self._position += len(content)
        return content


def _stored_file(path: Path) -> StoredObject:
    uri = _UNDECODED.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", str(path))
    try:
        status = path.stat()
    except OSError:  # a broken link, a loop of links, a file that vanished: listed, and its reason told when it is read
        return StoredObject(uri, 0, "")
    return StoredObject(uri, status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}")


def _local_path(uri: str) -> Path:
    """The file of a listed URI; bytes of its name that are no UTF-8 stand there as %XX."""
    path = Path(uri)
    if path.exists() or not _ESCAPED.search(uri):
        return path
    return Path(_ESCAPED.sub(lambda escaped: chr(0xDC00 + int(escaped[1], 16)), uri))


def _regular_file(uri: str) -> Path:
    path = _local_path(uri)
    if path.exists() and not path.is_file():
        raise ProcessingError("unsupported", f"{uri}: not a regular file")
    return path


def _raise_translated(error: OSError) -> None:
    with _translated_file_errors(str(error.filename)):
        raise error


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri[5:].partition("/")
    return bucket, key


@contextmanager
def _translated_file_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ProcessingError("not_found", f"{uri}: no such file or folder") from error
    except PermissionError as error:
        raise ProcessingError("access_denied", f"{uri}: this user may not access it") from error
    except OSError as error:
        raise ProcessingError("unreadable", f"{uri}: {error.strerror or error}") from error


def _may_pass(error: BaseException | None) -> bool:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response.get("Error", {}).get("Code") in _PASSING_CODES
    # HTTPClientError: no connection, a cut one, a time-out of it, and a stream that broke off.
    return isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError))


@contextmanager
def _translated_s3_errors(uri: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ProcessingError(
            "access_denied",
            f"{uri}: no AWS credentials found; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or a profile or an instance role",
        ) from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ACCESS_DENIED_CODES:
            raise ProcessingError(
                "access_denied", f"{uri}: S3 refused access ({code}); check the credentials and the bucket's policy"
            ) from error
        if code in _NOT_FOUND_CODES:
            raise ProcessingError("not_found", f"{uri}: no such object or bucket ({code})") from error
        raise ProcessingError("unreadable", f"{uri}: S3 answered {code}: {error}") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise ProcessingError("unreadable", f"{uri}: {error}") from error

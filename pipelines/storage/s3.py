"""S3: requests that are repeated while the server is out of reach, and objects as seekable files.

Settings come from the usual AWS environment variables and configuration files, `AWS_ENDPOINT_URL` included. Errors are
`ProcessingError`s: `not_found`, `access_denied`, else `unreadable`.
"""

from __future__ import annotations

import io
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.errors import ProcessingError
from pipelines.storage.uris import StoredObject, split_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 3
"""Tries of one request that boto3 makes by itself, in its `standard` mode."""

PATIENCE_SECONDS = 180.0
"""How long a request is repeated while the server is out of reach, overloaded or answers with an error of its own."""

MAX_PAUSE_SECONDS = 10.0
"""The longest pause between two tries."""

DOWNLOAD_BYTES = 1 << 20

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
_TRANSIENT_CODES = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded"}


class S3Access:
    """Access to buckets. Cheap to make and to pickle: each process makes its client on first use.

    Args:
        first_patience_seconds: how long the first request is repeated while S3 is out of reach, so that a wrong address
            is reported soon. Later requests, and all requests of copies in other processes, have `PATIENCE_SECONDS`.
    """

    def __init__(self, first_patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._client: S3Client | None = None
        self._patience_seconds = first_patience_seconds

    def __getstate__(self) -> dict[str, Any]:
        return {"_client": None, "_patience_seconds": PATIENCE_SECONDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def client(self) -> S3Client:
        """The S3 client of this process."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(retries={"max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=10, read_timeout=60)
            with _translated_errors("s3://"):
                self._client = boto3.session.Session().client("s3", config=config)
        return self._client

    def request(self, uri: str, send: Callable[[], Result]) -> Result:
        """The answer of a request, which is repeated while its error may be transient.

        Raises:
            ProcessingError: `not_found`, `access_denied`, or `unreadable` with the reason.
        """
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                with _translated_errors(uri):
                    answer = send()
            except ProcessingError as error:
                if not _is_transient(error.__cause__) or time.monotonic() - began + pause > self._patience_seconds:
                    raise
                logger.warning("%s; trying again", error.message)
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
            else:
                self._patience_seconds = PATIENCE_SECONDS
                return answer

    def list(self, uri: str) -> Iterator[StoredObject]:
        """The objects under a prefix, or the one of that name, lazily, in the order of their keys."""
        bucket, prefix = split_s3(uri)
        folder = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        last = ""
        while True:
            after = last
            page = self.request(
                uri,
                lambda: self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after),  # noqa: B023
            )
            for entry in page.get("Contents", []):
                last = entry["Key"]
                if (last == prefix or last.startswith(folder)) and not last.endswith("/"):
                    yield StoredObject(f"s3://{bucket}/{last}", entry["Size"], entry["ETag"].strip('"'))
            if not page.get("IsTruncated") or last == after:
                return

    def read(self, uri: str) -> bytes:
        """The whole content of an object."""
        bucket, key = split_s3(uri)
        return self.request(uri, lambda: self.client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def download(self, uri: str, path: Path) -> None:
        """Write the content of an object into a local file, in parts."""
        bucket, key = split_s3(uri)

        def download() -> None:
            body = self.client.get_object(Bucket=bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(DOWNLOAD_BYTES):
                    file.write(chunk)

        self.request(uri, download)

    def open(self, uri: str) -> ObjectReader:
        """An object as a seekable file."""
        return ObjectReader(self, uri)

    def write(self, uri: str, content: bytes) -> None:
        """Replace the content of an object."""
        bucket, key = split_s3(uri)
        self.request(uri, lambda: self.client.put_object(Bucket=bucket, Key=key, Body=content))

    def delete(self, uri: str) -> None:
        """Remove an object; a missing one is not an error."""
        bucket, key = split_s3(uri)
        self.request(uri, lambda: self.client.delete_object(Bucket=bucket, Key=key))

    def exists(self, uri: str) -> bool:
        """Whether there is an object of that very key."""
        bucket, key = split_s3(uri)
        try:
            self.request(uri, lambda: self.client.head_object(Bucket=bucket, Key=key))
        except ProcessingError as error:
            if error.kind == "not_found":
                return False
            raise
        return True


class ObjectReader(io.RawIOBase):
    """An S3 object as a seekable file; each read is one ranged GET."""

    def __init__(self, access: S3Access, uri: str) -> None:
        self._access, self._uri = access, uri
        self._bucket, self._key = split_s3(uri)
        head = access.request(uri, lambda: access.client.head_object(Bucket=self._bucket, Key=self._key))
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
        request = {"Bucket": self._bucket, "Key": self._key, "Range": f"bytes={self._position}-{end - 1}"}
        content = self._access.request(self._uri, lambda: self._access.client.get_object(**request)["Body"].read())
        self._position += len(content)
        return content


def _is_transient(error: BaseException | None) -> bool:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES
    # HTTPClientError: no connection, a cut one, a time-out, or a stream that broke off.
    return isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError))


@contextmanager
def _translated_errors(uri: str) -> Iterator[None]:
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
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
        raise ProcessingError("unreadable", f"{uri}: {error}") from error

"""S3: requests that are repeated while the server is out of reach, and objects as seekable files.

Settings come from the usual AWS environment variables and configuration files, `AWS_ENDPOINT_URL` included. Errors are
`ProcessingError`s: `not_found`, `access_denied`, else `unreadable`; those of the server and of the credentials are
`InfrastructureError`s.
"""

from __future__ import annotations

import io
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.storage.local import translated_errors as local_errors
from pipelines.storage.s3_errors import is_transient, is_unreachable, translated_errors
from pipelines.storage.s3_listing import list_entries
from pipelines.storage.uris import StoredObject, split_s3

if TYPE_CHECKING:
    from botocore.loaders import Loader
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

KEYS_A_DELETION = 1000

_NO_CREDENTIALS = (
    "no AWS credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or an instance role"
)


@dataclass(frozen=True)
class S3Options:
    """How requests to S3 are made.

    Attributes:
        sign_requests: with the credentials that are found; without any, and where this is False, requests are not
            signed, as public buckets allow.
        request_payer: requests are paid by this account, as requester-pays buckets demand.
    """

    sign_requests: bool = True
    request_payer: bool = False

    def __post_init__(self) -> None:
        if self.request_payer and not self.sign_requests:
            raise ValueError(
                "--request-payer says who pays, which only a signed request can: leave out --no-sign-request"
            )


class S3Access:
    """Access to buckets. Cheap to make and to pickle: each process makes its client on first use.

    Args:
        first_patience_seconds: how long the first request is repeated while S3 is out of reach, so that a wrong address
            is reported soon. Later requests, and all requests of copies in other processes, have `PATIENCE_SECONDS`.
        options: how requests are made.
    """

    def __init__(
        self,
        first_patience_seconds: float = PATIENCE_SECONDS,
        options: S3Options = S3Options(),
    ) -> None:
        self._client: S3Client | None = None
        self._has_credentials = True
        self._patience_seconds = first_patience_seconds
        self._options = options

    def __getstate__(self) -> dict[str, Any]:
        copied = {"_client": None, "_has_credentials": True, "_patience_seconds": PATIENCE_SECONDS}
        return {**self.__dict__, **copied}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def client(self) -> S3Client:
        """The S3 client of this process."""
        if self._client is None:
            import boto3
            import botocore.session
            from botocore import UNSIGNED
            from botocore.config import Config

            config = Config(retries={"max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=10, read_timeout=60)
            with translated_errors("s3://", lambda: _NO_CREDENTIALS):
                settings = botocore.session.get_session()
                settings.register_component("data_loader", _service_models())
                session = boto3.session.Session(botocore_session=settings)
                self._has_credentials = not self._options.sign_requests or session.get_credentials() is not None
                if not (self._options.sign_requests and self._has_credentials):
                    config = config.merge(Config(signature_version=UNSIGNED))
                self._client = session.client("s3", config=config)
        return self._client

    @property
    def reading(self) -> dict[str, Any]:
        """The parameters that all requests of a reader have in common."""
        return {"RequestPayer": "requester"} if self._options.request_payer else {}

    @property
    def _advice(self) -> str:
        """What to do after a refusal."""
        if not self._options.sign_requests:
            return "the request was not signed (--no-sign-request), and the bucket is not public"
        if not self._has_credentials:
            return f"{_NO_CREDENTIALS}; without them only public buckets are read"
        advice = "check the credentials and the bucket's policy"
        if self._options.request_payer:
            return advice
        return f"{advice}; a requester-pays bucket is read with --request-payer requester"

    def request(self, uri: str, send: Callable[[], Result]) -> Result:
        """The answer of a request, which is repeated while its error may be transient.

        Raises:
            ProcessingError: `not_found`, `access_denied`, or `unreadable` with the reason.
            InfrastructureError: the credentials are not valid, or the server is out of reach.
        """
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                with translated_errors(uri, lambda: self._advice):
                    answer = send()
            except ProcessingError as error:
                if not is_transient(error.__cause__):
                    raise
                if time.monotonic() - began + pause > self._patience_seconds:
                    if not is_unreachable(error.__cause__) and self._answers(uri):
                        raise
                    message = f"{error.message}; it is out of reach or overloaded, try again later"
                    raise InfrastructureError("storage_unavailable", message) from error.__cause__
                logger.warning("%s; trying again", error.message)
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
            else:
                self._patience_seconds = PATIENCE_SECONDS
                return answer

    def _answers(self, uri: str) -> bool:
        """Whether the server answers at all: then a request that fails for long is the fault of its object."""
        try:
            with translated_errors(uri, lambda: self._advice):
                self.client.head_bucket(Bucket=split_s3(uri)[0])
        except ProcessingError as error:
            return not (isinstance(error, InfrastructureError) or is_transient(error.__cause__))
        return True

    def list(self, uri: str) -> Iterator[StoredObject]:
        """The objects under a prefix, or the one of that name, lazily, in the order of the server.

        Raises:
            ProcessingError: also `unreadable`, the server lists a key twice or a part of the keys only.
        """
        bucket, prefix = split_s3(uri)
        folder = prefix if not prefix or prefix.endswith("/") else prefix + "/"

        def list_page(begin: dict[str, str]) -> Mapping[str, Any]:
            page = {"Bucket": bucket, "Prefix": prefix, **begin, **self.reading}
            return self.request(uri, lambda: self.client.list_objects_v2(**page))

        for entry in list_entries(uri, list_page):
            key = entry["Key"]
            if (key == prefix or key.startswith(folder)) and not key.endswith("/"):
                yield StoredObject(f"s3://{bucket}/{key}", entry["Size"], entry.get("ETag", "").strip('"'))

    def read(self, uri: str) -> bytes:
        """The whole content of an object."""
        bucket, key = split_s3(uri)
        return self.request(uri, lambda: read_body(self.client.get_object(Bucket=bucket, Key=key, **self.reading)))

    def download(self, uri: str, path: Path) -> None:
        """Write the content of an object into a local file, in parts."""
        bucket, key = split_s3(uri)

        def download() -> None:
            answer = self.client.get_object(Bucket=bucket, Key=key, **self.reading)
            with path.open("wb") as file:
                received = sum(file.write(chunk) for chunk in answer["Body"].iter_chunks(DOWNLOAD_BYTES))
            check_length(answer, received)

        self.request(uri, download)

    def open(self, uri: str) -> ObjectReader:
        """An object as a seekable file."""
        return ObjectReader(self, uri)

    def write(self, uri: str, content: bytes) -> None:
        """Replace the content of an object."""
        bucket, key = split_s3(uri)
        self.request(uri, lambda: self.client.put_object(Bucket=bucket, Key=key, Body=content))

    def read_versioned(self, uri: str) -> tuple[bytes, str] | None:
        """The content of an object and its etag; None if there is no such object."""
        bucket, key = split_s3(uri)

        def read() -> tuple[bytes, str]:
            answer = self.client.get_object(Bucket=bucket, Key=key, **self.reading)
            return read_body(answer), answer["ETag"]

        try:
            return self.request(uri, read)
        except ProcessingError as error:
            if error.kind == "not_found":
                return None
            raise

    def write_if(self, uri: str, content: bytes, etag: str | None) -> str | None:
        """Replace an object that still has this etag, or make one that does not exist; returns its new etag.

        Returns None if the object is another by now. A server that knows no conditional requests (it answers 501) is
        asked for the etag before each write.
        """
        from botocore.exceptions import ClientError

        bucket, key = split_s3(uri)
        condition: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}

        def write() -> str | None:
            try:
                return self.client.put_object(Bucket=bucket, Key=key, Body=content, **condition)["ETag"]
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 501:
                    return self._write_if_unchanged(uri, content, etag)
                if status not in (404, 409, 412):  # 404: the object that should have the etag is gone
                    raise
                # A first attempt whose answer was lost may have written it.
                present = self.read_versioned(uri)
                if present is not None and present[0] == content:
                    return present[1]
                if status == 409 and (None if present is None else present[1]) == etag:
                    raise  # another write is in progress, perhaps that attempt: it is transient
                return None

        return self.request(uri, write)

    def _write_if_unchanged(self, uri: str, content: bytes, etag: str | None) -> str | None:
        present = self.read_versioned(uri)
        if present is not None and present[0] == content:
            return present[1]
        if (None if present is None else present[1]) != etag:
            return None
        bucket, key = split_s3(uri)
        return self.client.put_object(Bucket=bucket, Key=key, Body=content)["ETag"]

    @contextmanager
    def uploaded_file(self, uri: str) -> Iterator[Path]:
        """A temporary file that the block writes, and that is then uploaded, in parts if it is large."""
        bucket, key = split_s3(uri)
        with tempfile.TemporaryDirectory(prefix="upload-") as folder:
            path = Path(folder, "object")
            with local_errors(str(path)):
                yield path

            def upload() -> None:
                from boto3.exceptions import S3UploadFailedError

                try:
                    self.client.upload_file(str(path), bucket, key)
                except S3UploadFailedError as error:  # it hides the kind of the error that it was raised for
                    raise error.__context__ or error from None

            self.request(uri, upload)

    def move(self, uri: str, target: str) -> None:
        """Copy an object within its bucket, and remove the one of the old name."""
        (bucket, key), (_, new_key) = split_s3(uri), split_s3(target)
        source: Any = {"Bucket": bucket, "Key": key}
        self.request(uri, lambda: self.client.copy(source, bucket, new_key))
        self.delete(uri)

    def delete(self, uri: str) -> None:
        """Remove an object; a missing one is not an error."""
        bucket, key = split_s3(uri)
        self.request(uri, lambda: self.client.delete_object(Bucket=bucket, Key=key))

    def delete_all(self, uris: Sequence[str]) -> None:
        """Remove objects of one bucket; missing ones are no error."""
        for start in range(0, len(uris), KEYS_A_DELETION):
            chosen = uris[start : start + KEYS_A_DELETION]
            bucket, _ = split_s3(chosen[0])
            request: Any = {"Objects": [{"Key": split_s3(uri)[1]} for uri in chosen], "Quiet": True}
            answer = self.request(chosen[0], lambda: self.client.delete_objects(Bucket=bucket, Delete=request))  # noqa: B023
            for error in answer.get("Errors", ()):
                if error.get("Code") not in ("NoSuchKey", "404"):
                    raise ProcessingError("unreadable", f"s3://{bucket}/{error.get('Key')}: {error.get('Message')}")

    def find(self, uri: str) -> StoredObject | None:
        """The object of that very key, or None."""
        bucket, key = split_s3(uri)
        try:
            head = self.request(uri, lambda: self.client.head_object(Bucket=bucket, Key=key, **self.reading))
        except ProcessingError as error:
            if error.kind == "not_found":
                return None
            raise
        return StoredObject(uri, head["ContentLength"], head.get("ETag", "").strip('"'))

    def exists(self, uri: str) -> bool:
        """Whether there is an object of that very key."""
        return self.find(uri) is not None


@cache
def _service_models() -> Loader:
    """What botocore knows of the services. Clients that share it are made in 15 ms each, else in 100 to 200."""
    import botocore.session

    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader


def read_body(answer: Mapping[str, Any]) -> bytes:
    """The whole content of an answer to GetObject. Raises IncompleteReadError like `check_length`."""
    content: bytes = answer["Body"].read()
    check_length(answer, len(content))
    return content


def check_length(answer: Mapping[str, Any], received: int) -> None:
    """Check that an answer to GetObject has arrived whole.

    A connection that breaks within the headers leaves an answer without its length, which would pass for an empty one.

    Raises:
        botocore.exceptions.IncompleteReadError: it has not; the request can be repeated.
    """
    from botocore.exceptions import IncompleteReadError

    expected = answer.get("ContentLength")
    ends_by_itself = "transfer-encoding" in answer["ResponseMetadata"]["HTTPHeaders"]
    if received != expected and not (expected is None and ends_by_itself):
        raise IncompleteReadError(actual_bytes=received, expected_bytes=-1 if expected is None else expected)


class ObjectReader(io.RawIOBase):
    """An S3 object as a seekable file; each read is one ranged GET."""

    def __init__(self, access: S3Access, uri: str) -> None:
        self._access, self._uri = access, uri
        bucket, key = split_s3(uri)
        self._object = {"Bucket": bucket, "Key": key, **access.reading}
        head = access.request(uri, lambda: access.client.head_object(**self._object))
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
        request = {**self._object, "Range": f"bytes={self._position}-{end - 1}"}
        content = self._access.request(self._uri, lambda: read_body(self._access.client.get_object(**request)))
        self._position += len(content)
        return content

"""Errors of boto3 as `ProcessingError`s: `not_found`, `access_denied`, else `unreadable`; which may be transient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.errors import ProcessingError

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


def is_transient(error: BaseException | None) -> bool:
    """Whether the same request may succeed later."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES
    # HTTPClientError: no connection, a cut one, a time-out, or a stream that broke off.
    return isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError))


@contextmanager
def translated_errors(uri: str, advice: Callable[[], str]) -> Iterator[None]:
    """Raise `ProcessingError` for an error of boto3 in the block; `advice` says what to do after a refusal."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ProcessingError("access_denied", f"{uri}: {error}; {advice()}") from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ACCESS_DENIED_CODES:
            raise ProcessingError("access_denied", f"{uri}: S3 refused access ({code}); {advice()}") from error
        if code in _NOT_FOUND_CODES:
            raise ProcessingError("not_found", f"{uri}: no such object or bucket ({code})") from error
        raise ProcessingError("unreadable", f"{uri}: S3 answered {code}: {error}") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
        raise ProcessingError("unreadable", f"{uri}: {error}") from error

"""Errors of boto3 as `ProcessingError`s: `not_found`, `access_denied`, else `unreadable`; which may be transient.

Credentials that are not valid, and settings without which no request can be made, are an `InfrastructureError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.errors import InfrastructureError, ProcessingError

_CREDENTIAL_CODES = {
    "ExpiredToken",
    "ExpiredTokenException",  # of STS, which exchanges a web identity
    "TokenRefreshRequired",
    "InvalidToken",
    "InvalidAccessKeyId",
    "InvalidIdentityToken",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "AccountProblem",
}
_ACCESS_DENIED_CODES = {"403", "AccessDenied"}
_NOT_FOUND_CODES = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_TRANSIENT_CODES = {
    "ConditionalRequestConflict",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}


def is_unreachable(error: BaseException | None) -> bool:
    """Whether an error says by itself that the server, and not an object, cannot be had."""
    from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError

    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES
    return isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError))


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
    from botocore import exceptions as boto

    no_credentials = (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.MetadataRetrievalError,
        boto.ProfileNotFound,
        boto.SSOError,
        boto.TokenRetrievalError,
    )
    try:
        yield
    except no_credentials as error:
        raise InfrastructureError("credentials", f"{uri}: {error}; {advice()}") from error
    except boto.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _CREDENTIAL_CODES:
            raise InfrastructureError("credentials", f"{uri}: S3 refused access ({code}); {advice()}") from error
        if code in _ACCESS_DENIED_CODES:
            raise ProcessingError("access_denied", f"{uri}: S3 refused access ({code}); {advice()}") from error
        if code in _NOT_FOUND_CODES:
            raise ProcessingError("not_found", f"{uri}: no such object or bucket ({code})") from error
        raise ProcessingError("unreadable", f"{uri}: S3 answered {code}: {error}") from error
    except (boto.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
        raise ProcessingError("unreadable", f"{uri}: {error}") from error

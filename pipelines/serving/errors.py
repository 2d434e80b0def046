"""What the endpoint refuses, and with which HTTP status."""

from __future__ import annotations

from typing import Any

from pipelines.errors import Fault, InfrastructureError

BAD_REQUEST = "invalid_request"
UNAUTHORISED = "unauthorized"
OVERLOADED = "overloaded"

STATUS_BY_KIND = {"too_large": 413, "unsupported": 415, "internal": 500}
"""Of a document that cannot be opened; for all other kinds `UNPROCESSABLE`."""

UNPROCESSABLE = 422


FAULT_RETRY_SECONDS = 30

_FAULTS: dict[Fault, str] = {
    "disk_full": "the server's disk for temporary files is full; try again later",
    "credentials": "the server's credentials are not valid; try again later",
    "storage_unavailable": "the server's storage is out of reach; try again later",
    "file_descriptors": "the server has too many files open; try again later",
}


class RequestError(Exception):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        kind: `error_kind` of the response: one of `pipelines.errors.ERROR_KINDS` or of this module.
        message: the reason in plain words, with a way out where there is one.
        retry_after: seconds after which the same request may succeed; None if it will not.
    """

    def __init__(self, status: int, kind: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The JSON of the response."""
        return {"error_kind": self.kind, "error": self.message}

    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status in (408, 413):  # the rest of the body is not awaited
            headers["Connection"] = "close"
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def bad_request(message: str) -> RequestError:
    """A request that makes no sense."""
    return RequestError(400, BAD_REQUEST, message)


def refused_document(kind: str, message: str) -> RequestError:
    """A document that cannot be opened."""
    return RequestError(STATUS_BY_KIND.get(kind, UNPROCESSABLE), kind, message)


def server_fault(fault: InfrastructureError) -> RequestError:
    """A fault of the server's machine, without its message, which may name paths."""
    return unavailable(_FAULTS[fault.fault], FAULT_RETRY_SECONDS)


def unavailable(message: str, retry_after: int = 1) -> RequestError:
    """A failure that a later request may not meet."""
    return RequestError(503, OVERLOADED, message, retry_after)

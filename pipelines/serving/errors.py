"""What the endpoint refuses, and under which HTTP status."""

from __future__ import annotations

from typing import Any

BAD_REQUEST = "invalid_request"
UNAUTHORISED = "unauthorized"
OVERLOADED = "overloaded"

STATUS_OF_KIND = {"too_large": 413, "unsupported": 415, "internal": 500}
"""Of a document that cannot be opened; all other kinds are the document's own fault."""

UNPROCESSABLE = 422


class RequestError(Exception):
    """A request that gets no answer.

    Attributes:
        status: of HTTP.
        kind: `error_kind` of the answer: one of `pipelines.schema.ERROR_KINDS`, or of this module.
        message: the reason in plain words, with the way out where there is one.
        retry_after: seconds after which the same request may do better; None where it will not.
    """

    def __init__(self, status: int, kind: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error_kind": self.kind, "error": self.message}

    def headers(self) -> dict[str, str]:
        """Beside it."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def bad_request(message: str) -> RequestError:
    """A request that makes no sense."""
    return RequestError(400, BAD_REQUEST, message)


def refused_document(kind: str, message: str) -> RequestError:
    """A document that cannot be opened."""
    return RequestError(STATUS_OF_KIND.get(kind, UNPROCESSABLE), kind, message)


def unavailable(message: str, retry_after: int = 1) -> RequestError:
    """Something that a later request may find mended."""
    return RequestError(503, OVERLOADED, message, retry_after)

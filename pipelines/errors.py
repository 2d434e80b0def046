"""What can go wrong with a document or a page, as data: an error kind and a message in plain words."""

from __future__ import annotations

import traceback
from typing import Literal, get_args

ErrorKind = Literal[
    "unreadable",
    "encrypted",
    "empty",
    "unsupported",
    "too_large",
    "timeout",
    "crashed",
    "out_of_memory",
    "not_found",
    "access_denied",
    "ocr_failed",
    "internal",
]


ERROR_KINDS: tuple[str, ...] = get_args(ErrorKind)


class JobError(Exception):
    """Ends a job, for a reason that its user can mend; the message says what to do."""


class ProcessingError(JobError):
    """A document or a page that cannot be processed, for a foreseeable reason.

    Attributes:
        kind: one of `ERROR_KINDS`.
        message: the reason in plain words, with the way out where there is one.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        if kind not in ERROR_KINDS:
            raise ValueError(f"unknown error kind {kind!r}; one of {', '.join(ERROR_KINDS)}")
        self.kind: ErrorKind = kind
        self.message = message

    def __reduce__(self) -> tuple[type[ProcessingError], tuple[ErrorKind, str]]:
        return ProcessingError, (self.kind, self.message)


def describe_error(error: BaseException) -> tuple[ErrorKind, str]:
    """The kind and the message under which an exception goes into a row.

    A `ProcessingError` has its own; anything else is `internal` (or `out_of_memory`) with the file and the line that
    raised it.
    """
    if isinstance(error, ProcessingError):
        return error.kind, _printable(error.message)
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # PyTorch's
    kind: ErrorKind = "out_of_memory" if out_of_memory else "internal"
    frames = traceback.extract_tb(error.__traceback__)
    position = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return kind, _printable(f"{type(error).__name__}: {error}{position}")


def _printable(text: str) -> str:
    """Text without surrogates, which file names that are not UTF-8 contain and UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()

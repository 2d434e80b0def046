"""What can go wrong with a document or a page, as data: an error kind and a message in plain words.

What goes wrong with the machine or the storage is an `InfrastructureError`, which never becomes a row.
"""

from __future__ import annotations

import errno
import traceback
from typing import Any, Literal, get_args

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

    @property
    def label(self) -> str:
        """What the error is called where it ends a job."""
        return self.kind

    def __reduce__(self) -> tuple[type[ProcessingError], tuple[Any, ...]]:
        return ProcessingError, (self.kind, self.message)


Fault = Literal["disk_full", "credentials", "storage_unavailable", "file_descriptors"]
FAULTS: tuple[str, ...] = get_args(Fault)

_FAULTS_BY_ERRNO: dict[int, Fault] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "storage_unavailable",
    errno.ENOTCONN: "storage_unavailable",  # a FUSE mount whose process is gone
    errno.ESHUTDOWN: "storage_unavailable",
    errno.ETIMEDOUT: "storage_unavailable",
    errno.EHOSTDOWN: "storage_unavailable",
    errno.EMFILE: "file_descriptors",
    errno.ENFILE: "file_descriptors",
}
"""Errors of the operating system that no single file can cause. EIO and ESTALE are not among them: both may come from
one damaged or replaced file as well as from a whole file system."""

_REMEDIES: dict[Fault, str] = {
    "disk_full": "free space on that disk of the machine that wrote it, or raise the quota",
    "credentials": "renew the credentials",
    "storage_unavailable": "see that the storage is mounted, writable and within reach",
    "file_descriptors": "raise the limit on open files (ulimit -n)",
}


class InfrastructureError(ProcessingError):
    """A fault of the machine or of the storage, and not of a document: it never becomes a row.

    What meets it is tried again; if it lasts, it ends the job, which keeps what is written.

    Attributes:
        fault: one of `FAULTS`.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; one of {', '.join(FAULTS)}")
        super().__init__("access_denied" if fault == "credentials" else "unreadable", message)
        self.fault: Fault = fault

    @property
    def label(self) -> str:
        return self.kind if self.fault == "credentials" else self.fault

    def __reduce__(self) -> tuple[type[InfrastructureError], tuple[Fault, str]]:
        return InfrastructureError, (self.fault, self.message)


def infrastructure_error(error: BaseException, where: str = "") -> InfrastructureError | None:
    """The fault of the machine or of the storage that an exception is, or is caused by; None if there is none.

    Args:
        where: named in the message if the exception names no file itself.
    """
    cause: object = error
    seen = set[int]()
    while isinstance(cause, BaseException) and id(cause) not in seen:  # a cause may name its consequence as its cause
        seen.add(id(cause))
        if isinstance(cause, InfrastructureError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _FAULTS_BY_ERRNO:
            fault = _FAULTS_BY_ERRNO[cause.errno]
            file = cause.filename2 or cause.filename or where
            place = f"{_printable(str(file))}: " if file else ""
            return InfrastructureError(fault, f"{place}{cause.strerror}; {_REMEDIES[fault]}")
        cause = cause.__cause__ or getattr(cause, "cause", None)  # Ray's errors have an attribute for it
    return None


def raise_infrastructure_error(error: BaseException) -> None:
    """Do nothing, unless the machine or the storage is at fault for an exception.

    Raises:
        InfrastructureError: it is.
    """
    fault = infrastructure_error(error)
    if fault is not None:
        raise fault from (None if fault is error else error)


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

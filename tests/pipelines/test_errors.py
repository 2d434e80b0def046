from __future__ import annotations

import errno
import os
import pickle

import pytest

from pipelines.errors import FAULTS, Fault, InfrastructureError, JobError, ProcessingError, infrastructure_error
from pipelines.schema import mark_failed


def os_error(number: int, *files: str) -> OSError:
    return OSError(number, os.strerror(number), *files)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_machine_can_be_pickled_and_ends_a_job(fault: Fault) -> None:
    error = pickle.loads(pickle.dumps(InfrastructureError(fault, "free some space")))
    assert isinstance(error, JobError)
    assert (error.fault, error.message, str(error)) == (fault, "free some space", "free some space")


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        InfrastructureError("gremlins", "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EROFS, "storage_unavailable"),
        (errno.ENOTCONN, "storage_unavailable"),
        (errno.ETIMEDOUT, "storage_unavailable"),
        (errno.EMFILE, "file_descriptors"),
        (errno.ENFILE, "file_descriptors"),
    ],
)
def test_no_row_is_made_of_a_fault_of_the_machine_nor_of_what_it_caused(number: int, fault: str) -> None:
    wrapped = ProcessingError("unreadable", "the image is damaged")
    wrapped.__cause__ = os_error(number, "/data/a.png")
    for error in (os_error(number, "/data/a.png"), wrapped):
        with pytest.raises(InfrastructureError, match=r"^/data/a.png: .*; \w+ ") as caught:
            mark_failed({"uri": "/data/a.png"}, error)
        assert caught.value.fault == fault


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOENT),
        os_error(errno.EACCES),
        os_error(errno.EIO),
        OSError("broken data stream when reading image file"),
        TimeoutError("OCR"),
        ProcessingError("access_denied", "s3://b/a.pdf"),
        MemoryError(),
        ZeroDivisionError(),
    ],
)
def test_a_fault_of_one_document_stays_a_row(error: Exception) -> None:
    assert infrastructure_error(error) is None
    assert mark_failed({"uri": "a"}, error)["status"] == "failed"


def test_the_file_that_a_copy_was_written_to_is_named() -> None:
    fault = infrastructure_error(os_error(errno.ENOSPC, "/in/a.pdf", None, "/tmp/a.pdf"))  # type: ignore[arg-type]
    assert fault is not None and fault.message.startswith("/tmp/a.pdf: No space left on device; free space")


def test_causes_that_go_in_a_circle_are_followed_once() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert infrastructure_error(first) is None

"""Faults of the machine that the process of a sandbox meets: their message, and whether the page itself caused them.

The process parses untrusted input, so a page that fills the disk or opens files without end fails by itself.
"""

from __future__ import annotations

import json
import os
import tempfile

from pipelines.errors import FAULTS, InfrastructureError, ProcessingError

_MARK = b"fault "
_MAX_CHARACTERS = 1000

PROBE_BYTES = 1 << 20
"""A disk on which this much can be written is not full."""


def encode_fault(error: InfrastructureError) -> bytes:
    """The message of the process about a fault."""
    return _MARK + json.dumps([error.fault, error.message]).encode()


def decode_fault(message: bytes) -> InfrastructureError | None:
    """The fault that a message of the process is about; None if it is another message, or a damaged one."""
    if not message.startswith(_MARK):
        return None
    try:
        fault, text = json.loads(message[len(_MARK) :])
        if fault in FAULTS and isinstance(text, str):
            return InfrastructureError(fault, text[:_MAX_CHARACTERS])
    except (ValueError, TypeError):
        pass
    return None


def attribute_fault(error: ProcessingError) -> ProcessingError:
    """The error that a row fails with, of a process that has ended: a fault that ended with it was the page's own."""
    if isinstance(error, InfrastructureError):
        if error.fault == "file_descriptors":  # the limit is that of one process, which was a fresh one
            return ProcessingError("crashed", "The process that read it ran out of file descriptors.")
        if error.fault == "disk_full" and not _is_full():
            folder = tempfile.gettempdir()
            return ProcessingError("too_large", f"Reading it takes more disk space than {folder} has for it.")
    return error


def _is_full() -> bool:
    try:
        with tempfile.TemporaryFile() as file:
            os.write(file.fileno(), bytes(PROBE_BYTES))
    except OSError:
        return True
    return False

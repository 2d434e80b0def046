"""What a user can do about failed pages: by error kind, in words, and as the command that tries them again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.errors import ErrorKind
from pipelines.stages.sandbox_protocol import PageLimits


@dataclass(frozen=True)
class Advice:
    """What to do, and the options with which a retry may succeed."""

    words: str
    options: tuple[str, ...] = ()


def advice(kind: ErrorKind, limits: PageLimits, max_document_bytes: int, *, of_documents: bool = False) -> Advice:
    """What to do about a kind of failure.

    Args:
        limits, max_document_bytes: those that the run had.
        of_documents: whole documents failed, not single pages.
    """
    if kind == "too_large" and of_documents:
        megabytes = f"{2 * max_document_bytes / 1_000_000:g}"
        words = "Raise the limit, or put a smaller copy in the file's place."
        return Advice(words, ("--max-document-megabytes", megabytes))
    return _ADVICE[kind](limits)


def retry_command(command: Sequence[str], options: Sequence[str] = ()) -> str:
    """A job's command line turned into one that retries its failed pages; `options` replace their earlier values."""
    replaced = {option for option in options if option.startswith("--")}
    kept: list[str] = []
    skips = False
    for word in command:
        if word.startswith("--"):
            skips = word.split("=", 1)[0] in replaced
        if not skips and word not in ("--overwrite", "--retry-failed"):
            kept.append(word)
    return shlex.join([*kept, "--retry-failed", *options])


def _same(words: str, *options: str) -> Callable[[PageLimits], Advice]:
    return lambda limits: Advice(words, options)


_ADVICE: dict[ErrorKind, Callable[[PageLimits], Advice]] = {
    "unreadable": _same("Put an intact copy in the file's place; if S3 was out of reach, just try again."),
    "encrypted": _same("Put a copy without a password in the file's place."),
    "empty": _same("Nothing to read; put the right file in its place."),
    "unsupported": _same("Convert it to PDF, PNG, JPEG or TIFF."),
    "too_large": _same("The picture has more pixels than are read: put one that is scaled down in its place."),
    "timeout": lambda limits: Advice(
        "Give such pages more time.", ("--page-time-limit-seconds", f"{4 * limits.seconds:g}")
    ),
    "out_of_memory": lambda limits: Advice(
        "Give such pages more memory.", ("--page-memory-limit-megabytes", str(2 * limits.megabytes))
    ),
    "crashed": _same("Another renderer may take what crashes this one.", "--rasterizer", "pdf2image"),
    "not_found": _same("The file went away after it was listed; put it back."),
    "access_denied": _same("Give this user, or these credentials, the right to read it."),
    "ocr_failed": _same("Tesseract's own program may read what the library does not.", "--ocr-engine", "pytesseract"),
    "internal": _same("This is a defect of this program: please report it with the message."),
}

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
        words = "Raise the limit, or replace the file with a smaller copy."
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
    "unreadable": _same("Replace the file with an intact copy; if its storage failed to read it, just try again."),
    "encrypted": _same(
        "Give its password in a file with --pdf-passwords, or replace the file with a copy without one."
    ),
    "empty": _same("There is nothing to read; replace it with the right file."),
    "unsupported": _same("Convert it to PDF or an image; the message says what it is."),
    "too_large": _same("The image has more pixels than the limit; replace it with one that is scaled down."),
    "timeout": lambda limits: Advice(
        "Give such pages more time.", ("--page-time-limit-seconds", f"{4 * limits.seconds:g}")
    ),
    "out_of_memory": lambda limits: Advice(
        "Give such pages more memory.", ("--page-memory-limit-megabytes", str(2 * limits.megabytes))
    ),
    "crashed": _same("Another renderer may read what crashes this one.", "--rasterizer", "pdf2image"),
    "not_found": _same("The file disappeared after it was listed; put it back."),
    "access_denied": _same("Give this user, or these credentials, permission to read it."),
    "ocr_failed": _same("Tesseract's own program may read what the library does not.", "--ocr-engine", "pytesseract"),
    "internal": _same("This is a bug in this program; please report it with the message."),
}

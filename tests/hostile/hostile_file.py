"""The record of one hostile file: what it is, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipelines.errors import ErrorKind

Kinds = frozenset[ErrorKind]

UNREADABLE: Final[Kinds] = frozenset({"unreadable"})
UNSUPPORTED: Final[Kinds] = frozenset({"unsupported", "unreadable"})
"""For what is well formed and yet beyond the libraries: a codec or a colour space that nobody knows."""
ENDED: Final[Kinds] = frozenset({"timeout", "out_of_memory", "crashed", "too_large"})
"""The ways in which a bomb may end: by a limit of time or memory, by the death of its process, or refused as it is."""
ENDED_OR_UNREADABLE: Final[Kinds] = ENDED | UNREADABLE

LAUNCH_MARK: Final = "/tmp/hostile-launch-ran"
"""What a launch action in one of the files would make, were it run."""


@dataclass(frozen=True)
class HostileFile:
    """A file that may crash, hang, explode or fool a parser.

    Attributes:
        name: the file's name, with the extension that a user's file would have; the files' names are all different.
        make: gives the bytes, the same ones each time.
        why: what the file is and what could go wrong, in one line.
        pages: how many pages it has when it opens; None where any number is right.
        document_error: the kind with which the document as a whole must fail, else None.
        document_may_fail: kinds with which the document as a whole may fail instead of opening.
        page_errors: pages that must fail, by index from 0, and the kinds that are right for them.
        may_fail: pages that may fail with one of these kinds, or come out. Pages in neither must come out.
        words: words that must be read on a page that comes out, by its text layer or by OCR.
        needs_limits: as things are it takes over 5 s or 800 MB, if it ends at all; the other files stay well below.
    """

    name: str
    make: Callable[[], bytes]
    why: str
    pages: int | None = None
    document_error: ErrorKind | None = None
    document_may_fail: Kinds = frozenset()
    page_errors: Mapping[int, Kinds] = field(default_factory=dict)
    may_fail: Mapping[int, Kinds] = field(default_factory=dict)
    words: Mapping[int, str] = field(default_factory=dict)
    needs_limits: bool = False

    def __str__(self) -> str:
        return self.name


def find_document_differences(file: HostileFile, error: str | None, page_count: int | None) -> list[str]:
    """What is wrong in how a file opened, in words: nothing where it is as it must be.

    Args:
        error: the kind with which the document failed, or None where it opened.
        page_count: how many pages it then was said to have.
    """
    if file.document_error is not None:
        return [] if error == file.document_error else [f"document: {error or 'opens'}, not {file.document_error}"]
    if error is not None:
        return [] if error in file.document_may_fail else [f"document: {error}, but it must open"]
    if file.pages is not None and page_count != file.pages:
        return [f"document: {page_count} pages, not {file.pages}"]
    lost = [index for index in file.page_errors if index >= (page_count or 0)]
    return [f"page {index}: silently lost, not failed" for index in lost]


def find_page_differences(file: HostileFile, page_index: int, error: str | None, words: list[str] | None) -> list[str]:
    """What is wrong in how one page ended, in words: nothing where it is as it must be.

    Args:
        error: the kind with which the page failed, or None where it came out.
        words: what was read on it; None where its picture is left to OCR, which was not done.
    """
    place = f"page {page_index}"
    must, may = file.page_errors.get(page_index), file.may_fail.get(page_index, frozenset())
    if must is not None:
        return [] if error in must else [f"{place}: {error or 'comes out'}, not {' or '.join(sorted(must))}"]
    if error is not None:
        return [] if error in may else [f"{place}: {error}, but it must come out"]
    word = file.words.get(page_index)
    if word is not None and words is not None and word not in words:
        return [f"{place}: the word {word!r} is lost; there are {len(words)} words"]
    return []

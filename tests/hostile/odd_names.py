"""A folder of documents under every name that a file may have, and of what is no document but stands there too."""

from __future__ import annotations

import os
import socket
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.raw_pdf import good_page, write_pdf

_ACCENTED = "caf\u00e9"

ODD_NAMES = (
    "plain.pdf",
    "two  spaces.pdf",
    " space before.pdf",
    "space behind.pdf ",
    "number#sign.pdf",
    "percent%20sign.pdf",
    "percent 100%.pdf",
    "percent%FFescape.pdf",
    "question?mark=1&more.pdf",
    "comma,and;semicolon.pdf",
    "colon:.pdf",
    "new\nline.pdf",
    "carriage\rreturn.pdf",
    "tab\tbetween.pdf",
    "bell\x07and\x1bescape.pdf",
    "'single'.pdf",
    '"double".pdf',
    "back`tick`.pdf",
    "back\\slash.pdf",
    "$HOME and ${PATH}.pdf",
    "star*and[set]and{a,b}.pdf",
    "<b>bold & bright</b>.pdf",
    "|pipe > file.pdf",
    "-rf.pdf",
    "--output=elsewhere.pdf",
    "~.pdf",
    ".hidden.pdf",
    "...pdf",
    "ends-with-dot.",
    "no-extension",
    "UPPER.PDF",
    "Rechnung f\u00fcr M\u00fcller.pdf",
    "\u0441\u0447\u0451\u0442.pdf",
    "\u767a\u6ce8\u66f8.pdf",
    "\u0641\u0627\u062a\u0648\u0631\u0629.pdf",
    "\u05d7\u05e9\u05d1\u05d5\u05e0\u05d9\u05ea.pdf",
    "\u0e43\u0e1a\u0e41\u0e08\u0e49\u0e07\u0e2b\u0e19\u0e35\u0e49.pdf",
    "\U0001f4c4 receipt \U0001f468\u200d\U0001f469\u200d\U0001f467.pdf",
    "right\u202eto-left.pdf",
    "zero\u200bwidth.pdf",
    "no\u00a0break.pdf",
    "line\u2028separator.pdf",
    "z\u0351\u036b\u0343a\u0300\u0301\u0302lgo.pdf",
    unicodedata.normalize("NFC", _ACCENTED) + ".pdf",
    unicodedata.normalize("NFD", _ACCENTED) + ".pdf",
    "case.pdf",
    "CASE.pdf",
    "s3:",
    "nul.pdf",
    "n" * 246 + ".pdf",
    "\u767a" * 82 + ".pdf",
    "a=1/date=2024-01-01/partition.pdf",
    "__init__.pdf",
    "folder.pdf/inside a folder that is named like a file.pdf",
)
"""Paths within the folder, each of a good document; none is a name that the tools of this project make themselves."""

UNDECODABLE = b"no\xff\xfeutf-8.pdf"
"""A name that is no UTF-8, as old machines left them."""

DEEP_FOLDERS = 12
"""Folders of 100 letters in each other: a path of more than 1,200 characters."""


@dataclass(frozen=True)
class OddFolder:
    """What lies in a folder of odd names.

    Attributes:
        words: the document's path, as bytes, and the one word on its page; each must be listed once, and read.
        failing: paths that must be listed and then fail, and the kinds that are right for them. A user with the
            rights of root reads what nobody may read: then that one comes out.
        never: what must not be listed, however it is reached.
    """

    words: dict[bytes, str]
    failing: dict[bytes, frozenset[str]]
    never: tuple[bytes, ...]


def make_odd_folder(folder: Path) -> OddFolder:
    """Fills an existing, empty folder.

    It then holds documents under odd names, links that lead round in a circle or nowhere, a pipe and a socket (to
    open either would wait for ever), a folder and a file that may not be read, and an empty folder. The caller gives
    back the right to read (`allow_all`) before the folder can be removed.
    """
    root = os.fsencode(folder)
    words: dict[bytes, str] = {}

    def add(path: bytes, mode: int | None = None) -> None:
        word = f"Word{len(words)}"
        place = os.path.join(root, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(write_pdf(good_page(word)))
        if mode is not None:
            os.chmod(place, mode)
        words[place] = word

    for name in ODD_NAMES:
        add(name.encode())
    add(UNDECODABLE)
    _add_deep_document(root, words)

    failing: dict[bytes, frozenset[str]] = {}
    add(b"unreadable.pdf", 0o000)
    unreadable = os.path.join(root, b"unreadable.pdf")
    del words[unreadable]
    failing[unreadable] = frozenset({"access_denied"})

    os.makedirs(os.path.join(root, b"empty folder"))
    os.makedirs(os.path.join(root, b"circle/inner"))
    add(b"circle/inner/once.pdf")
    os.symlink(b"..", os.path.join(root, b"circle/inner/up"))
    os.symlink(b".", os.path.join(root, b"circle/here"))
    os.symlink(b"plain.pdf", os.path.join(root, b"link.pdf"))
    words[os.path.join(root, b"link.pdf")] = words[os.path.join(root, b"plain.pdf")]
    for link, target in ((b"dangling.pdf", b"nowhere.pdf"), (b"itself.pdf", b"itself.pdf")):
        os.symlink(target, os.path.join(root, link))
        failing[os.path.join(root, link)] = frozenset({"not_found", "unreadable"})

    pipe = os.path.join(root, b"pipe.pdf")
    os.mkfifo(pipe)
    _bind_socket(root, b"socket.pdf")
    for special in (b"pipe.pdf", b"socket.pdf"):
        failing[os.path.join(root, special)] = frozenset({"unsupported", "unreadable"})

    never = (b"circle/inner/up/inner/once.pdf", b"circle/here/inner/once.pdf", b"circle/inner/up/here/inner/once.pdf")
    return OddFolder(words, failing, tuple(os.path.join(root, path) for path in never))


def allow_all(folder: Path) -> None:
    """Gives back the right to read what `make_odd_folder` made unreadable."""
    os.chmod(folder / "unreadable.pdf", 0o600)


def make_forbidden_folder(folder: Path) -> None:
    """A folder whose documents may not even be listed; the caller gives the right back before it is removed."""
    folder.mkdir()
    (folder / "unseen.pdf").write_bytes(write_pdf(good_page("Unseen")))
    folder.chmod(0o000)


def _add_deep_document(root: bytes, words: dict[bytes, str]) -> None:
    place = root
    for level in range(DEEP_FOLDERS):
        place = os.path.join(place, b"%02d-" % level + b"d" * 97)
    os.makedirs(place)
    path = os.path.join(place, b"deep.pdf")
    word = f"Word{len(words)}"
    with open(path, "wb") as file:
        file.write(write_pdf(good_page(word)))
    words[path] = word


def _bind_socket(root: bytes, name: bytes) -> None:
    """A socket's path is short by law (108 bytes), so it is bound by the folder's descriptor."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(b"/proc/self/fd/%d/" % descriptor + name)
    finally:
        os.close(descriptor)

"""Check boxes in values: marks such as ☒ and [ ], alone or before or after a word."""

from __future__ import annotations

import re

MAX_CHARACTERS = 60

_CHECKED = "☒☑✓✔✗✘🗹🗷⊠■"
_UNCHECKED = "☐□❏❑▢"
_MARKS = re.compile(rf"[{_CHECKED}{_UNCHECKED}]|\[ ?[xXvV✓✔]? ?\]|\((?: |[xX✓✔]| [xX✓✔]) ?\)")
_CHECKED_WORDS = frozenset(
    ("x", "yes", "y", "true", "on", "checked", "ja", "j", "oui", "si", "sì", "sí", "sim", "tak", "kyllä", "是", "はい")
)
_UNCHECKED_WORDS = frozenset(
    ("no", "n", "false", "off", "unchecked", "nein", "non", "não", "nao", "nie", "ei", "nej", "nee", "否", "いいえ")
)


def read_check_box(text: str) -> bool | None:
    """Whether the one mark in a text is checked; also a text that is nothing but an x. None if there is no mark.

    Several marks are several boxes, and None.
    """
    if not text or len(text) > MAX_CHARACTERS:
        return None
    if text in ("x", "X"):
        return True
    marks = list(_MARKS.finditer(text))
    if len(marks) != 1 or (marks[0].start() > 0 and marks[0].end() < len(text)):
        return None
    mark = marks[0][0]
    return mark in _CHECKED or (len(mark) > 1 and mark[1:-1].strip() != "")


def read_yes_or_no(text: str) -> bool | None:
    """The same for a value that is known to be a check box: "yes" and "no" in several languages are read too."""
    folded = text.casefold().strip(" .")
    if folded in _CHECKED_WORDS:
        return True
    return False if folded in _UNCHECKED_WORDS else read_check_box(text)

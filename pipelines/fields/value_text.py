"""The text of a value as all readings of it take it: normalised, and never long."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 200
"""Of a value that is looked at; longer ones are text. It bounds what a hostile document costs."""


def clean_text(text: str | None) -> str:
    """A value in Unicode's form NFKC with single spaces; empty if it is longer than `MAX_CHARACTERS`."""
    if text is None or len(text) > MAX_CHARACTERS:
        return ""
    cleaned = " ".join(unicodedata.normalize("NFKC", text).split())
    return cleaned if len(cleaned) <= MAX_CHARACTERS else ""  # NFKC may make it longer

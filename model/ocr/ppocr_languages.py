"""The languages that PP-OCR reads, by Tesseract's names."""

from __future__ import annotations

import re

from model.ocr.tessdata import languages_of

__all__ = ["CHINESE_AND_JAPANESE", "LATIN", "is_latin", "unread_languages"]

LATIN = frozenset(
    re.findall(
        r"\w+",
        """
        afr aze bos bre cat ceb ces cos cym dan deu eng epo est eus fao fil fin fra fry gla gle glg hat hrv hun ind isl
        ita jav kmr lat lav lit ltz mlt mri msa nld nor oci pol por que ron slk slv spa sqi srp_latn sun swa swe tur
        """,
    )
)
"""Languages of Latin script all of whose letters PP-OCRv6 (small) knows. Vietnamese and Yoruba have letters with two
marks or dots below, Tongan and Uzbek the letter U+02BB, which it lacks; Fraktur is another hand.
Of the punctuation, it lacks the Spanish "¡"."""

CHINESE_AND_JAPANESE = frozenset(("chi_sim", "chi_tra", "jpn"))
"""Written in lines from left to right; for columns (chi_sim_vert) Tesseract is used."""


def unread_languages(language: str) -> list[str]:
    """The languages of, for example, "eng+rus" that PP-OCR does not read: rus."""
    return [name for name in languages_of(language) if name not in LATIN | CHINESE_AND_JAPANESE]


def is_latin(language: str) -> bool:
    """Whether all languages are of Latin script."""
    return all(name in LATIN for name in languages_of(language))

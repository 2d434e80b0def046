"""The languages of drawn forms: each a module with its words, the forms of its values and its captions."""

from __future__ import annotations

from functools import lru_cache

from pipelines.datasets.synthetic_forms.language import FormLanguage
from pipelines.datasets.synthetic_forms.languages.en import ENGLISH
from pipelines.datasets.synthetic_forms.wording import read_language

LANGUAGES: dict[str, str] = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "pt": "Portuguese",
    "zh": "Chinese",
}
"""The languages by their code of two letters (ISO 639-1)."""


@lru_cache(maxsize=len(LANGUAGES))
def form_language(code: str) -> FormLanguage:
    """The language of a code.

    Raises:
        ValueError: forms are not drawn in it.
    """
    if code not in LANGUAGES:
        known = ", ".join(f"{name} ({short})" for short, name in LANGUAGES.items())
        raise ValueError(f"forms are not drawn in the language {code!r}; take one of {known}")
    return ENGLISH if code == "en" else read_language(code)

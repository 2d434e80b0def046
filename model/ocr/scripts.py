"""Scripts and the languages written in them, by Tesseract's names, and which of them are installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.ocr.tessdata import OcrUnavailableError, find_tessdata
from model.word_breaks import is_unspaced

__all__ = [
    "CHINESE",
    "JAPANESE",
    "KOREAN",
    "LATIN_SCRIPT",
    "SCRIPTS",
    "Script",
    "installed_languages",
    "script_named",
    "script_of_words",
]


@dataclass(frozen=True)
class Script:
    """A script.

    Attributes:
        name: of Tesseract's script detection.
        languages: by Tesseract's names, the most usual first, each with its code of ISO 639-1 ("" where it has none).
        data: Tesseract's model of the whole script.
    """

    name: str
    languages: dict[str, str]
    data: str


def _script(name: str, languages: str, data: str = "") -> Script:
    pairs = (pair.partition(":") for pair in languages.split())
    return Script(name, {language: code for language, _, code in pairs}, data or name)


LATIN_SCRIPT = _script(
    "Latin",
    "eng:en deu:de fra:fr spa:es ita:it por:pt nld:nl pol:pl ces:cs slk:sk slv:sl hrv:hr ron:ro hun:hu swe:sv dan:da "
    "nor:no fin:fi est:et lav:lv lit:lt tur:tr vie:vi ind:id cat:ca isl:is sqi:sq",
)
CHINESE = _script("Han", "chi_sim:zh chi_tra:zh", "HanS")
JAPANESE = _script("Japanese", "jpn:ja")
KOREAN = _script("Korean", "kor:ko", "Hangul")
SCRIPTS = {
    script.name: script
    for script in (
        LATIN_SCRIPT,
        CHINESE,
        JAPANESE,
        KOREAN,
        _script("Cyrillic", "rus:ru ukr:uk bul:bg bel:be srp:sr mkd:mk kaz:kk kir:ky tgk:tg mon:mn"),
        _script("Greek", "ell:el"),
        _script("Arabic", "ara:ar fas:fa urd:ur pus:ps uig:ug"),
        _script("Hebrew", "heb:he"),
        _script("Thai", "tha:th"),
        _script("Devanagari", "hin:hi mar:mr nep:ne san:sa"),
        _script("Bengali", "ben:bn asm:as"),
        _script("Tamil", "tam:ta"),
        _script("Telugu", "tel:te"),
        _script("Kannada", "kan:kn"),
        _script("Malayalam", "mal:ml"),
        _script("Gujarati", "guj:gu"),
        _script("Gurmukhi", "pan:pa"),
        _script("Sinhala", "sin:si"),
        _script("Armenian", "hye:hy"),
        _script("Georgian", "kat:ka"),
        _script("Khmer", "khm:km"),
        _script("Lao", "lao:lo"),
        _script("Myanmar", "mya:my"),
        _script("Ethiopic", "amh:am"),
    )
}
_OTHER_NAMES = {"Hangul": "Korean", "Hiragana": "Japanese", "Katakana": "Japanese", "Fraktur": "Latin"}


def script_named(name: str) -> Script | None:
    """The script that Tesseract's script detection means by a name; None for one without a language here."""
    return SCRIPTS.get(_OTHER_NAMES.get(name, name))


def installed_languages(script: Script, tessdata: str | None = None) -> list[str]:
    """The languages of a script that Tesseract has the data of, in the script's order; else the data of the script.

    Args:
        script: whose languages are looked for.
        tessdata: the only folder to search; None searches TESSDATA_PREFIX and the system's folders.
    """
    found = [language for language in script.languages if is_installed(language, tessdata)]
    return found or [script.data] * is_installed(script.data, tessdata)


def is_installed(language: str, tessdata: str | None = None) -> bool:
    """Whether Tesseract has the data of a language or a script."""
    try:
        find_tessdata(language, tessdata)
    except OcrUnavailableError:
        return False
    return True


def script_of_words(words: Sequence[str]) -> Script:
    """Japanese, Chinese or Latin: of the scripts that are read without further ado, the one of the words."""
    text = "".join(words)
    if not is_unspaced(text):
        return LATIN_SCRIPT
    return JAPANESE if any("\u3041" <= character <= "\u30fa" for character in text) else CHINESE

"""Finds Tesseract's language data."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

SYSTEM_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",  # Debian, Ubuntu
    "/usr/share/tesseract/tessdata",  # Fedora
    "/usr/share/tessdata",  # Arch, Alpine
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)


class OcrUnavailableError(RuntimeError):
    """An OCR engine, or the data of a language, is not installed."""


def languages_of(language: str) -> list[str]:
    """The languages of, for example, "eng+~deu": eng and deu."""
    return [name.lstrip("~") for name in language.split("+")]


def find_tessdata(language: str, folder: str | None = None) -> Path:
    """The folder that contains the data of every requested language.

    The search order is: only `folder`, if given; TESSDATA_PREFIX; the folder of the `tesseract` program on the PATH;
    the usual system folders.

    Args:
        language: in Tesseract's syntax, such as "eng+deu".
        folder: the only folder to search.

    Raises:
        OcrUnavailableError: there is none; the message names the Debian package.
    """
    best: set[str] = set()
    for candidate in [Path(folder)] if folder is not None else _candidates():
        installed = {name for name in languages_of(language) if (candidate / f"{name}.traineddata").is_file()}
        if len(installed) == len(set(languages_of(language))):
            return candidate
        best = max(best, installed, key=len)
    require_language(language, best, folder)
    raise OcrUnavailableError(f"no single folder has all the data of {language!r}: set tessdata to one that does")


def require_language(language: str, installed: Collection[str], folder: str | None = None) -> None:
    """Check that all languages are installed.

    Raises:
        OcrUnavailableError: a language is missing; the message names its Debian package.
    """
    missing = [name for name in languages_of(language) if name not in installed]
    if missing:
        where = "" if folder is None else f" in {folder}"
        raise OcrUnavailableError(f"no Tesseract data{where} for {', '.join(missing)}: {how_to_install(missing)}")


def how_to_install(languages: Iterable[str]) -> str:
    """How to install Tesseract's data of languages, in words."""
    packages = " ".join(f"tesseract-ocr-{name.rsplit('/', 1)[-1].lower().replace('_', '-')}" for name in languages)
    return (
        f"on Debian or Ubuntu, apt-get install {packages}; "
        f"elsewhere put the .traineddata files in a folder and set TESSDATA_PREFIX to it"
    )


def _candidates() -> Iterator[Path]:
    prefix = os.environ.get("TESSDATA_PREFIX")
    if prefix:
        yield Path(prefix)
        yield Path(prefix) / "tessdata"
    program = _folder_of_program()
    if program is not None:
        yield program
    for pattern in SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)


def _folder_of_program() -> Path | None:
    try:
        listed = subprocess.run(
            ["tesseract", "--list-langs"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    quoted = re.search(r'in "([^"]+)"', listed)
    return Path(quoted.group(1)) if quoted else None

"""Reads each page in its own language: `OcrOptions(language="auto")`.

1. The engine reads the page in letters that it always has: PP-OCR in Latin ones and, where lines prove to be Chinese
   or Japanese, in these (`line_scripts.py`); Tesseract in English. Most pages end here, at no further cost.
2. If most of the page is in other letters, Tesseract's detection tells its script (`orientation.detect_script`), and
   the page is read anew in an installed language of it, and in English, for the words that are in Latin letters.
3. The words tell the language among those of the script (`language_guess.py`). Tesseract then reads the page in that
   one, if it is installed; PP-OCR has one network for all.

4. Lines of a page that PP-OCR left out, though it knew most of it, are read by Tesseract in an installed language of
   their script, and join its words.

What the page needs and is not installed, is said in the result and, once, in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from model.ocr.engine import FIRST_LANGUAGE, OcrEngine, OcrOptions, OcrResult, time_left
from model.ocr.language_guess import guess_language
from model.ocr.orientation import Rotation, detect_rotation, detect_script
from model.ocr.ppocr_languages import unread_languages
from model.ocr.reading_order import reading_order
from model.ocr.scripts import (
    CHINESE,
    JAPANESE,
    KOREAN,
    LATIN_SCRIPT,
    Script,
    installed_languages,
    is_installed,
    script_named,
    script_of_words,
)
from model.ocr.tessdata import OcrUnavailableError, require_language

__all__ = ["LanguageReader"]

logger = logging.getLogger(__name__)

OSD = "osd"
"""Tesseract's data for the detection of scripts."""

LEAST_CONFIDENCE_OF_LINES = 2.0
"""Tesseract's confidence, from 0, with which the script of a few lines is told; they may be of anyone's hand."""
LEAST_CERTAINTY = 0.65
"""Mean confidence of the characters, 0-1, with which what is read in a script that is not sure is text."""

_TimeLeft = Callable[[], float | None]


class LanguageReader:
    """Reads page images in any language; created once per worker. Not thread-safe.

    Attributes:
        options: as given.
        name: the engine that reads a page first, as in `OcrResult.engine`.

    Raises:
        OcrUnavailableError: like `OcrEngine`.
    """

    def __init__(self, options: OcrOptions) -> None:
        self.options = options
        self._first = OcrEngine(options)
        self.name = self._first.name
        self._engines: dict[str, OcrEngine] = {}
        self._said: set[str] = set()

    def read(self, image: Image.Image, *, time_limit_seconds: float | None = None) -> OcrResult:
        """Words, boxes and confidences of a page, and the language in which they were read.

        Args:
            image: upright page; grey ("L") or RGB, other modes are converted to grey.
            time_limit_seconds: for everything together, as in `OcrEngine.read`.

        Raises:
            TimeoutError, ValueError, RuntimeError: as in `OcrEngine.read`.
        """
        left = time_left(time_limit_seconds)
        first = self._first.read(image, time_limit_seconds=left())
        if not first.words and not first.is_foreign:
            return first
        if not first.is_foreign:
            read = self._in_its_language(image, first, script_of_words(first.words), left)
            return self._with_unread_lines(image, read, first.unread, left) if first.unread else read
        try:
            name = detect_script(image, self.options.tessdata)
        except OcrUnavailableError:
            return self._lacking(first, OSD)
        script = None if name is None else script_named(name)
        if script is None and "ppocr" in first.engine:
            return self._in_likely_script(image, first, left)
        if script is None or script is LATIN_SCRIPT:
            return self._in_its_language(image, first, LATIN_SCRIPT, left)
        return self._in_script(image, first, script, left)

    def rotation(self, image: Image.Image) -> Rotation | None:
        """By how many degrees clockwise a page must be turned to be upright; None if it is not sure.

        Args:
            image: grey ("L").
        """
        found = self._first.rotation(image)
        return detect_rotation(image, self.options.tessdata) if found is None else found

    def close(self) -> None:
        """Free the engines' memory; `read` raises `RuntimeError` afterwards."""
        for engine in (self._first, *self._engines.values()):
            engine.close()

    def _in_script(self, image: Image.Image, first: OcrResult, script: Script, left: _TimeLeft) -> OcrResult:
        """The page read in an installed language of its script."""
        usual = next(iter(script.languages))
        installed = self._installed(script)
        if not installed:
            return self._lacking(first, usual)
        read = self._read_in(image, installed[0], left)
        return self._in_its_language(image, read, script, left) if read.words else first

    def _in_likely_script(self, image: Image.Image, first: OcrResult, left: _TimeLeft) -> OcrResult:
        """A page whose letters PP-OCR does not know, in the script that is likeliest, if what is then read is text.

        Tesseract is never sure of Korean, and takes some of its print for Chinese, which PP-OCR would have read.
        """
        name = detect_script(image, self.options.tessdata, 0.0)
        script = None if name is None else script_named(name)
        if script in (CHINESE, JAPANESE):
            script = KOREAN
        unknown = replace(first, language="")
        if script is None or script is LATIN_SCRIPT or not self._installed(script):
            return unknown  # a signature or a logo is no reason to say that a language is missing
        read = self._in_script(image, first, script, left)
        return read if _is_text(read) else unknown

    def _installed(self, script: Script) -> list[str]:
        """The languages of a script in which pages can be read, see `installed_languages`."""
        return installed_languages(script, self.options.tessdata) if self._may_use_tesseract() else []

    def _with_unread_lines(
        self, image: Image.Image, read: OcrResult, lines: Sequence[tuple[float, float, float, float]], left: _TimeLeft
    ) -> OcrResult:
        """The page, with the words of lines whose letters were not known."""
        sheet = _only(image, lines)
        try:
            name = detect_script(sheet, self.options.tessdata, LEAST_CONFIDENCE_OF_LINES)
        except OcrUnavailableError:
            return self._lacking(read, OSD)
        script = None if name is None else script_named(name)
        if script is None or script is LATIN_SCRIPT:
            return read
        installed = self._installed(script)
        if not installed:
            return self._lacking(read, next(iter(script.languages)))
        found = self._read_in(sheet, installed[0], left)
        if not _is_text(found):
            return read
        return _joined(_without(read, lines), found, installed[0], self.options.reading_order == "boxes")

    def _in_its_language(self, image: Image.Image, read: OcrResult, script: Script, left: _TimeLeft) -> OcrResult:
        """The page in the language that its words are of, where Tesseract has read it in another."""
        language = guess_language(read.words, script)
        if language is None:
            return read if read.language else replace(read, language=self._first_language())
        if read.engine == "ppocr" or language in read.language.split("+"):
            return replace(read, language=read.language or language)
        if language == self._first_language() and not read.language:
            return replace(read, language=language)
        if "ppocr" in read.engine and not unread_languages(language) and script is not LATIN_SCRIPT:
            return replace(read, language=language)
        if script.data in read.language.split("+"):
            return read
        for data in (language, script.data):
            if is_installed(data, self.options.tessdata):
                return self._read_in(image, data, left)
        return self._lacking(read, language)

    def _first_language(self) -> str:
        """The language of a page that says nothing of its own: PP-OCR reads all Latin ones alike."""
        return "" if self.name == "ppocr" else FIRST_LANGUAGE

    def _may_use_tesseract(self) -> bool:
        return self.options.engine != "ppocr"

    def _read_in(self, image: Image.Image, language: str, left: _TimeLeft) -> OcrResult:
        if language not in (*LATIN_SCRIPT.languages, LATIN_SCRIPT.data):
            language = f"{language}+{FIRST_LANGUAGE}"
        if language not in self._engines:
            self._engines[language] = self._engine_of(language)
        return self._engines[language].read(image, time_limit_seconds=left())

    def _engine_of(self, language: str) -> OcrEngine:
        """What reads a language of its own: Tesseract, and PP-OCR with it where that may be."""
        if self.options.engine in ("tesserocr", "pytesseract"):
            return OcrEngine(replace(self.options, language=language))
        if not unread_languages(language):
            return OcrEngine(replace(self.options, engine="auto", language=language))
        return OcrEngine(replace(self.options, engine="tesserocr", language=language), self._first.line_finder)

    def _lacking(self, read: OcrResult, language: str) -> OcrResult:
        """What was read of a page whose language is not installed."""
        if language not in self._said:
            self._said.add(language)
            if self._may_use_tesseract():
                try:
                    require_language(language, (), self.options.tessdata)
                except OcrUnavailableError as error:
                    logger.warning("a page cannot be read in its language: %s", error)
            else:
                logger.warning("a page is in %s, which PP-OCR does not read: use --ocr-engine auto", language)
        return replace(read, missing_language=language)


def _is_text(read: OcrResult) -> bool:
    certain = sum(len(word) * confidence for word, confidence in zip(read.words, read.confidences, strict=True))
    return bool(read.words) and certain >= LEAST_CERTAINTY * sum(map(len, read.words))


def _only(image: Image.Image, lines: Sequence[tuple[float, float, float, float]]) -> Image.Image:
    """A grey page of paper, with nothing but some lines of an image on it."""
    grey = image.convert("L")
    sheet = Image.new("L", grey.size, int(np.median(np.asarray(grey))))
    for line in lines:
        x0, y0, x1, y1 = (round(side) for side in line)
        sheet.paste(grey.crop((x0, y0, x1, y1)), (x0, y0))
    return sheet


def _without(read: OcrResult, lines: Sequence[tuple[float, float, float, float]]) -> OcrResult:
    """The words of a page that do not lie on some lines."""
    middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in read.boxes]
    stay = [
        index
        for index, (x, y) in enumerate(middles)
        if not any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in lines)
    ]
    return replace(
        read,
        words=[read.words[index] for index in stay],
        boxes=[read.boxes[index] for index in stay],
        confidences=[read.confidences[index] for index in stay],
    )


def _joined(read: OcrResult, found: OcrResult, language: str, in_order: bool) -> OcrResult:
    """The words of a page and of further lines of it, which are in a language of their own."""
    words, boxes = [*read.words, *found.words], [*read.boxes, *found.boxes]
    confidences = [*read.confidences, *found.confidences]
    order = reading_order(boxes, words) if in_order else range(len(words))
    return replace(
        read,
        words=[words[index] for index in order],
        boxes=[boxes[index] for index in order],
        confidences=[confidences[index] for index in order],
        dropped=read.dropped + found.dropped,
        engine=read.engine if "tesser" in read.engine else found.engine,
        language="+".join(filter(None, (read.language, language))),
    )

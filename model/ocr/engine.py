"""OCR: words, boxes and confidences of a page image, through PP-OCR, Tesseract or both.

`OcrEngine` chooses the engine, filters and orders its words. The choices were measured with `benchmarks/ocr.py`: where
the CPU computes bfloat16 in hardware, PP-OCR reads whole pages better than Tesseract for less than twice its cost;
elsewhere it costs four times as much, and therefore reads only the lines of which Tesseract was unsure.
`OcrOptions(engine="tesserocr")` is the fastest, `OcrOptions.plain()` is Tesseract with its own defaults.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

import numpy as np
from PIL import Image

from model.ocr.doubtful_lines import divide
from model.ocr.line_scripts import LEAST_SILENCE
from model.ocr.options import AUTO, EngineChoice, OcrOptions, PpOcrOptions
from model.ocr.orientation import Rotation, detect_rotation
from model.ocr.ppocr import PpOcr
from model.ocr.ppocr_languages import unread_languages
from model.ocr.ppocr_runtime import is_fast, is_installed
from model.ocr.reading_order import reading_order
from model.ocr.tessdata import OcrUnavailableError
from model.ocr.tesseract import Tesseract
from model.ocr.tesseract_lines import read_lines
from model.ocr.text_detection import TextLine
from model.ocr.word_filter import Kept, Word, keep_text
from model.word_breaks import is_unspaced

__all__ = [
    "EngineChoice",
    "OcrEngine",
    "OcrOptions",
    "OcrResult",
    "OcrUnavailableError",
    "PpOcrOptions",
    "choose_engine",
    "normalise_boxes",
    "time_left",
]

logger = logging.getLogger(__name__)

TESSERACT_CONFIDENCES = 0.2, 0.6
PPOCR_CONFIDENCES = 0.4, 0.5
"""The engines' minimum confidences of words, and of words without a letter or digit, unless the options say others."""

_Choice = Literal["ppocr", "tesserocr", "pytesseract", "tesserocr+ppocr", "ppocr+tesserocr"]

FIRST_LANGUAGE = "eng"
"""In which Tesseract reads a page whose language is not known yet."""
FOREIGN_SILENCE = 0.3
"""Share of the lines' length, 0-1, that PP-OCR leaves out, from which a page is foreign; FUNSD's forms have 0.008."""
FOREIGN_CONFIDENCE = 0.65
"""Mean confidence of Tesseract's characters, 0-1, below which a page is foreign. Pages of eight other scripts, read in
English, have 0.35 to 0.52, German and French ones 0.87."""


@dataclass(frozen=True)
class OcrResult:
    """The words of one page.

    Attributes:
        words: in reading order.
        boxes: (x0, y0, x1, y1) in pixels of the input image, inside it, x0 < x1 and y0 < y1; one per word.
        confidences: 0-1; one per word.
        dropped: number of further words from the engine, below the minimum confidence or nothing but a rule.
        engine: what read the page: "ppocr", "tesserocr", "pytesseract", "tesserocr+ppocr" or, if tesserocr cannot be
            imported, "pytesseract+ppocr"; "ppocr+tesserocr": PP-OCR found the lines, and Tesseract read them; "" for a
            page without pixels.
        language: in which the page was read, by Tesseract's names: that of the options, or the one that was found for
            "auto"; "" if its words do not tell.
        missing_language: what Tesseract has no data of and the page needs, by its name; "" if there is nothing.
        is_foreign: whether most of the page is in letters that the engine does not know.
        unread: lines in such letters, (x0, y0, x1, y1) in pixels of the image, where they are few but more than flaws.
    """

    words: list[str]
    boxes: list[tuple[int, int, int, int]]
    confidences: list[float]
    dropped: int = 0
    engine: str = ""
    language: str = ""
    missing_language: str = ""
    is_foreign: bool = False
    unread: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class _Page:
    """The words of a page that are text, in the engine's order; `is_foreign` and `unread` as in `OcrResult`."""

    kept: Kept
    is_foreign: bool
    unread: tuple[tuple[float, float, float, float], ...] = ()


class OcrEngine:
    """Reads page images; created once per worker. Not thread-safe.

    With the language "auto", PP-OCR reads Latin letters, Chinese and Japanese, and Tesseract English;
    `model.ocr.language_reader` does the rest.

    Attributes:
        options: as given.
        name: the engine in use, as in `OcrResult.engine`.

    Raises:
        OcrUnavailableError: an engine or the data of a language is missing; the message says what to install.
    """

    def __init__(self, options: OcrOptions | None = None, line_finder: PpOcr | None = None) -> None:
        """`line_finder`: finds the lines that Tesseract reads, where it is alone and in this process; stays open."""
        self.options = OcrOptions() if options is None else options
        self._is_auto = self.options.language == AUTO
        self._tesseract: Tesseract | None = None
        self._ppocr: PpOcr | None = None
        self._line_finder, self._lent = line_finder, line_finder
        self._open(choose_engine(self.options))
        self.name = "+".join(
            [*([self._tesseract.name] if self._tesseract else []), *(["ppocr"] if self._ppocr else [])]
        )
        if self._line_finder is not None and self.name == "tesserocr":
            self.name = "ppocr+tesserocr"

    def _open(self, choice: _Choice) -> None:
        options, may_choose = self.options, self.options.engine == "auto"
        if choice == "ppocr+tesserocr" and self._line_finder is None:
            try:
                self._line_finder = PpOcr(options.ppocr)
            except OcrUnavailableError as error:
                logger.warning("PP-OCR cannot be used (%s): Tesseract finds the lines too", error)
        elif choice in ("ppocr", "tesserocr+ppocr"):
            try:
                self._ppocr = PpOcr(options.ppocr, options.language)
            except OcrUnavailableError as error:
                if not may_choose:
                    raise
                logger.warning("PP-OCR cannot be used (%s): Tesseract reads the pages", error)
        if choice != "ppocr" or self._ppocr is None:
            try:
                self._tesseract = Tesseract(
                    replace(options, language=FIRST_LANGUAGE) if self._is_auto else options,
                    reads_inverted=self._ppocr is None,  # PP-OCR reads what Tesseract is unsure of
                )
            except OcrUnavailableError as error:
                if not may_choose or self._ppocr is None:
                    raise
                logger.warning("Tesseract cannot be used (%s): PP-OCR reads whole pages, at more cost", error)

    def read(self, image: Image.Image, *, time_limit_seconds: float | None = None) -> OcrResult:
        """Words, boxes and confidences of a page.

        Args:
            image: upright page; grey ("L") or RGB, other modes are converted to grey.
            time_limit_seconds: for the recognition; the engines check it every half second at least, except that
                tesserocr checks the time only after the layout analysis (a quarter of a second on a usual page). A hang
                in native code must be stopped from outside.

        Raises:
            TimeoutError: recognition exceeded the time limit.
            ValueError: the image is larger than Tesseract's limit, with `reduce_to_pixels=0`.
            RuntimeError: the engine failed, or is closed.
        """
        if time_limit_seconds is not None and time_limit_seconds <= 0:
            raise ValueError(f"time_limit_seconds={time_limit_seconds} leaves no time: give more than 0, or None")
        if image.width == 0 or image.height == 0:
            return OcrResult([], [], [])
        if image.mode not in ("L", "RGB"):
            image = image.convert("L")
        page = self._page(image, time_limit_seconds)
        kept = page.kept
        boxes = [_inside(word.box, image.size) for word in kept.words]
        by_boxes = self.options.reading_order == "boxes"
        order = reading_order(boxes, [word.text for word in kept.words]) if by_boxes else range(len(boxes))
        return OcrResult(
            [kept.words[i].text for i in order],
            [boxes[i] for i in order],
            [kept.words[i].confidence for i in order],
            kept.dropped,
            self.name,
            "" if self._is_auto else self.options.language,
            is_foreign=page.is_foreign,
            unread=page.unread,
        )

    @property
    def line_finder(self) -> PpOcr | None:
        """PP-OCR, if it takes part: it finds lines of any script."""
        return self._ppocr or self._line_finder

    def rotation(self, image: Image.Image) -> Rotation | None:
        """By how many degrees clockwise a page must be turned to be upright; None if it is not sure.

        PP-OCR reads some lines both ways; without it, it is Tesseract's orientation detection.

        Args:
            image: grey ("L").
        """
        if not image.width or not image.height:
            return None
        if self._ppocr is not None:
            return self._ppocr.rotation(image)
        return detect_rotation(image, self.options.tessdata)

    def close(self) -> None:
        """Free the engines' memory; `read` raises `RuntimeError` afterwards."""
        for engine in (self._tesseract, self._ppocr, self._line_finder):
            if engine is not None and engine is not self._lent:
                engine.close()

    def _page(self, image: Image.Image, time_limit_seconds: float | None) -> _Page:
        if self._ppocr is None:
            words = self._read_by_tesseract(image, time_limit_seconds)
            return _Page(self._text(words, TESSERACT_CONFIDENCES), _is_guessed(words))
        if self._tesseract is None:
            read = self._ppocr.read(image, time_limit_seconds)
            return _page_of(self._text(read.words, PPOCR_CONFIDENCES), read.silent, read.unread)
        left = time_left(time_limit_seconds)
        words = self._tesseract.read(image, left())
        lines = self._ppocr.detect(image, left())
        division = divide(words, lines)
        again = self._ppocr.read_lines(image, division.lines, left())
        if self._is_auto and 2 * sum(is_unspaced(word.text) for word in again.words) > len(again.words):
            whole = self._ppocr.read_lines(image, lines, left())  # Tesseract has read it in English
            return _Page(self._text(whole.words, PPOCR_CONFIDENCES), False)
        sure, reread = self._text(division.words, TESSERACT_CONFIDENCES), self._text(again.words, PPOCR_CONFIDENCES)
        lengths = [sum(max(line.size) for line in some) for some in (division.lines, lines)]
        silent = again.silent * lengths[0] / lengths[1] if lines else 0.0
        return _page_of(Kept(sure.words + reread.words, sure.dropped + reread.dropped), silent, again.unread)

    def _read_by_tesseract(self, image: Image.Image, time_limit_seconds: float | None) -> list[Word]:
        assert self._tesseract is not None
        reader = self._tesseract.line_reader
        if self._line_finder is None or reader is None:
            return self._tesseract.read(image, time_limit_seconds)
        left = time_left(time_limit_seconds)
        lines = self._line_finder.detect(image, left())
        return read_lines(np.asarray(image.convert("L")), lines, reader, left)

    def _text(self, words: Sequence[Word], confidences: tuple[float, float]) -> Kept:
        options = self.options
        least, least_symbol = options.minimum_confidence, options.minimum_symbol_confidence
        return keep_text(
            words,
            trim_rules=options.trim_rules,
            minimum_confidence=confidences[0] if least is None else least,
            minimum_symbol_confidence=confidences[1] if least_symbol is None else least_symbol,
        )

    def __enter__(self) -> OcrEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def choose_engine(options: OcrOptions) -> _Choice:
    """The engine that `options` mean on this machine; nothing is loaded.

    Where PP-OCR does not read the language, its detector finds the lines all the same: Tesseract's search for lines is
    made for Latin print, loses lines of Arabic, and takes lines of Korean for columns.
    """
    if options.engine != "auto":
        return options.engine
    if not is_installed():
        return "tesserocr"
    if options.language != AUTO and unread_languages(options.language):
        return "ppocr+tesserocr"
    return "ppocr" if is_fast(options.ppocr) else "tesserocr+ppocr"


def normalise_boxes(boxes: Sequence[Sequence[float]], width: int, height: int) -> list[list[int]]:
    """Convert boxes in pixels to the model's 0-1000, rounded down as in the reference implementation.

    Args:
        boxes: (x0, y0, x1, y1) in pixels; corners can lie outside the page or be swapped.
        width, height: of the page, in pixels.

    Returns:
        [x0, y0, x1, y1] per box, with 0 <= x0 <= x1 <= 1000 and 0 <= y0 <= y1 <= 1000.
    """
    if boxes and (width <= 0 or height <= 0):
        raise ValueError(f"a page of {width}x{height} pixels has no boxes")
    normalised = []
    for x0, y0, x1, y1 in boxes:
        left, right = sorted(min(max(int(1000 * (x / width)), 0), 1000) for x in (x0, x1))
        top, bottom = sorted(min(max(int(1000 * (y / height)), 0), 1000) for y in (y0, y1))
        normalised.append([left, top, right, bottom])
    return normalised


def _inside(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in whole pixels inside an image; at least one pixel wide and high."""
    x0, y0 = (min(max(round(box[axis]), 0), size[axis] - 1) for axis in (0, 1))
    x1, y1 = (max(min(round(box[axis + 2]), size[axis]), low + 1) for axis, low in ((0, x0), (1, y0)))
    return x0, y0, x1, y1


def _page_of(kept: Kept, silent: float, unread: Sequence[TextLine]) -> _Page:
    """A page of which PP-OCR leaves out a share, 0-1, of the lines' length."""
    some = LEAST_SILENCE <= silent < FOREIGN_SILENCE
    return _Page(kept, silent >= FOREIGN_SILENCE, tuple(line.box for line in unread) if some else ())


def _is_guessed(words: Sequence[Word]) -> bool:
    """Whether Tesseract's words are guesses, as of letters that it does not know."""
    characters = sum(len(word.text) for word in words)
    return sum(len(word.text) * word.confidence for word in words) < FOREIGN_CONFIDENCE * characters


def time_left(limit_seconds: float | None) -> Callable[[], float | None]:
    """The time that is left of a limit, in seconds; it raises `TimeoutError` after it."""
    end = None if limit_seconds is None else time.monotonic() + limit_seconds

    def left() -> float | None:
        if end is None:
            return None
        if time.monotonic() >= end:
            raise TimeoutError(f"OCR took longer than {limit_seconds:g} s")
        return end - time.monotonic()

    return left

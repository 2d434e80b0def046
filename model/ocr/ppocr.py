"""PP-OCR: text lines found by one network, read by another, and cut into words.

The networks are PP-OCRv6 (small), on one thread of the CPU through OpenVINO or ONNX Runtime, or on a GPU. The
recogniser reads a text line and often leaves out spaces. Words are therefore cut at its spaces and also where the
picture of the line has a gap much wider than those between the other letters; their boxes are drawn around the ink.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.ocr.line_recognition import line_picture, recognise_lines, to_page
from model.ocr.line_scripts import ReadLines, Recognise, read_in_any_letters, read_in_known_letters
from model.ocr.line_words import Grey, split_line
from model.ocr.options import AUTO, PpOcrOptions
from model.ocr.orientation import Rotation
from model.ocr.ppocr_languages import is_latin, unread_languages
from model.ocr.ppocr_runtime import Networks, load_networks
from model.ocr.tessdata import OcrUnavailableError
from model.ocr.text_detection import TextLine, detect_lines
from model.ocr.word_filter import Word

__all__ = ["LineWords", "PpOcr", "TextLine"]

LONG_LINE = 4
"""The direction of a page is judged by lines this many times as long as high."""
LINES_READ_BOTH_WAYS = 6
"""Lines that are read upright and upside down to tell which is right."""
LEAST_CONFIDENCE = 0.7
"""Mean confidence of the characters, 0-1, without which a direction is not the right one. The right one has 0.86 to 1,
the wrong one 0.43 to 0.69 (40 turns of FUNSD forms, 20 of receipts)."""
LEAST_LEAD = 0.1
"""How much higher that confidence must be than in the opposite direction."""


@dataclass(frozen=True)
class LineWords:
    """The words of each of some lines, the lines in letters not known, and their share of all lines' length, 0-1."""

    lines: list[list[Word]]
    unread: list[TextLine]
    silent: float

    @property
    def words(self) -> list[Word]:
        """The words of all lines."""
        return [word for line in self.lines for word in line]


class PpOcr:
    """Reads page images by PP-OCR; created once per worker. Not thread-safe.

    With the language "auto", a page is read in Latin letters, unless lines of it prove to be Chinese or Japanese.

    Attributes:
        runtime: "openvino", "onnxruntime" or "cuda"; what the networks run on.

    Raises:
        OcrUnavailableError: a package or model file is missing, or PP-OCR does not read a language.
    """

    def __init__(self, options: PpOcrOptions | None = None, language: str = "eng") -> None:
        unread = [] if language == AUTO else unread_languages(language)
        if unread:
            raise OcrUnavailableError(
                f"PP-OCR does not read {', '.join(unread)}: use the engine 'auto' or 'tesserocr', which take Tesseract"
            )
        self.options = PpOcrOptions() if options is None else options
        self._networks: Networks | None = load_networks(self.options, language == AUTO or is_latin(language))
        self._finds_script = language == AUTO
        self._wide_networks: Networks | None = None
        self.runtime = self._networks.runtime
        try:
            import cv2
        except ImportError as error:
            raise OcrUnavailableError(f"PP-OCR needs OpenCV ({error}): pip install opencv-python-headless") from error
        cv2.setNumThreads(1)

    def read(self, image: Image.Image, time_limit_seconds: float | None = None) -> LineWords:
        """The words of a page, with boxes in pixels of `image`, inside it, line by line from the top.

        Args:
            image: upright page in any mode; read as grey.
            time_limit_seconds: checked between runs of the networks, each of at most half a second.

        Raises:
            TimeoutError: reading exceeded the time limit.
            RuntimeError: the engine is closed.
        """
        check_time = _time_check(time_limit_seconds)
        grey = _grey(image)
        lines = detect_lines(grey, self._open().detect, self.options, check_time)
        return self._words(grey, lines, check_time)

    def detect(self, image: Image.Image, time_limit_seconds: float | None = None) -> list[TextLine]:
        """The text lines of a page, in pixels of `image`, from the top; without reading them."""
        return detect_lines(_grey(image), self._open().detect, self.options, _time_check(time_limit_seconds))

    def read_lines(
        self, image: Image.Image, lines: Sequence[TextLine], time_limit_seconds: float | None = None
    ) -> LineWords:
        """The words of each of some lines from `detect`."""
        return self._words(_grey(image), lines, _time_check(time_limit_seconds))

    def rotation(self, image: Image.Image) -> Rotation | None:
        """By how many degrees clockwise a page must be turned to be upright; None if it is not sure.

        Lines that are taller than wide tell a page that lies on its side; the longest ones are then read both ways.
        """
        networks, grey = self._open(), _grey(image)
        lines = detect_lines(grey, networks.detect, self.options)
        long = [line for line in lines if max(line.size) >= LONG_LINE * min(line.size)]
        if not long:
            return None
        tall = sum(max(line.size) for line in long if line.size[1] > line.size[0])
        on_its_side = 2 * tall > sum(max(line.size) for line in long)
        alike = [line for line in long if (line.size[1] > line.size[0]) == on_its_side]
        longest = sorted(alike, key=lambda line: -max(line.size))[:LINES_READ_BOTH_WAYS]
        pictures = [line_picture(grey, line) for line in longest]
        upside_down = [np.ascontiguousarray(np.rot90(picture, 2)) for picture in pictures]
        as_it_is, turned = _confidence(pictures, networks), _confidence(upside_down, networks)
        if self._finds_script and max(as_it_is, turned) < LEAST_CONFIDENCE:
            as_it_is, turned = (_confidence(either, self._wide()) for either in (pictures, upside_down))
        if max(as_it_is, turned) < LEAST_CONFIDENCE or abs(as_it_is - turned) < LEAST_LEAD:
            return None
        if on_its_side:
            return 270 if turned < as_it_is else 90
        return 0 if turned < as_it_is else 180

    def close(self) -> None:
        """Free the networks; all other methods raise `RuntimeError` afterwards."""
        self._networks = self._wide_networks = None

    def _open(self) -> Networks:
        if self._networks is None:
            raise RuntimeError("this OCR engine is closed")
        return self._networks

    def _wide(self) -> Networks:
        """The networks with all letters, which are loaded when they are first needed."""
        if self._wide_networks is None:
            self._wide_networks = replace(load_networks(self.options, False), detect=self._open().detect)
        return self._wide_networks

    def _words(self, grey: Grey, lines: Sequence[TextLine], check_time: Callable[[], None]) -> LineWords:
        pictures = [line_picture(grey, line) for line in lines]
        read = self._characters(pictures, check_time)
        words = []
        for line, picture, characters in zip(lines, pictures, read.characters, strict=True):
            found = split_line(picture, characters)
            boxes = to_page(line, [box for _, box, _ in found], grey.shape)
            words.append([Word(text, box, sure) for (text, _, sure), box in zip(found, boxes, strict=True)])
        return LineWords(words, [lines[index] for index in read.unread], read.silent)

    def _characters(self, pictures: Sequence[Grey], check_time: Callable[[], None]) -> ReadLines:
        def reader(networks: Networks) -> Recognise:
            batch = self.options.batch_lines
            return lambda some: recognise_lines(some, networks.recognise, networks.characters, batch, check_time)

        known = reader(self._open())
        if not self._finds_script:
            return read_in_known_letters(pictures, known)
        return read_in_any_letters(pictures, known, lambda: reader(self._wide()))


def _confidence(pictures: Sequence[Grey], networks: Networks) -> float:
    """Mean over the lines of the mean probability of their characters; 0 for a line without any."""
    read = recognise_lines(pictures, networks.recognise, networks.characters)
    return float(np.mean([np.mean([c.probability for c in line]) if line else 0.0 for line in read]))


def _time_check(limit_seconds: float | None) -> Callable[[], None]:
    """Raises `TimeoutError` when it is called after the time limit."""
    end = None if limit_seconds is None else time.monotonic() + limit_seconds

    def check() -> None:
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"OCR took longer than {limit_seconds:g} s")

    return check


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image if image.mode == "L" else image.convert("L")))

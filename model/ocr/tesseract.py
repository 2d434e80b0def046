"""Tesseract: as a library in this process (tesserocr) or as a program started for each page (pytesseract).

It always has one OpenMP thread: more threads take several times the CPU, and workers share the machine anyway. Pages
are scaled to the size at which it reads best. The defaults were chosen with `benchmarks/ocr.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Protocol

from PIL import Image

from model.ocr.openmp import one_openmp_thread
from model.ocr.options import LARGEST_SIDE, OcrOptions
from model.ocr.tessdata import OcrUnavailableError, find_tessdata, require_language
from model.ocr.unspaced_lines import cut_anew
from model.ocr.word_filter import Word
from model.text_direction import logical_order, without_marks

__all__ = ["LineReader", "Tesseract", "tesseract_resolution", "working_size"]

logger = logging.getLogger(__name__)

LONGEST_PAGE = 2
"""A longer side of more than this many times the shorter one makes an image a strip of several pages."""

LINE_RESOLUTION = 150
"""In dpi, of pictures of single lines."""

INVERTED = "tessedit_do_invert"
"""Tesseract's setting by which a line with little confidence is read once more, inverted."""

HIGHEST_RESOLUTION = 2400
"""Tesseract's limit of the resolution, in dpi."""


class Tesseract:
    """Reads page images by Tesseract; created once per worker. Not thread-safe.

    Attributes:
        name: "tesserocr" or "pytesseract"; the program is also used if tesserocr cannot be imported.

    Raises:
        OcrUnavailableError: Tesseract or the data of a language is missing; the message names the Debian package.
    """

    def __init__(self, options: OcrOptions, reads_inverted: bool = True) -> None:
        """`reads_inverted`: read a line of which it is unsure a second time, as white letters on black."""
        self._options = options
        self._runner, self.name = _make_runner(options, reads_inverted)

    def read(self, image: Image.Image, time_limit_seconds: float | None = None) -> list[Word]:
        """Words in Tesseract's order, with boxes in pixels of `image`, inside it, at least one pixel wide and high.

        Args:
            image: grey ("L") or RGB.
            time_limit_seconds: for the recognition. tesserocr checks the time only after the layout analysis (a quarter
                of a second on a usual page).

        Raises:
            TimeoutError: recognition exceeded the time limit.
            ValueError: the image is larger than Tesseract's limit, with `reduce_to_pixels=0`.
            RuntimeError: Tesseract failed, or is closed.
        """
        scaled = resize(image, working_size(image.width, image.height, self._options))
        if max(scaled.size) > LARGEST_SIDE:
            raise ValueError(
                f"an image of {image.width}x{image.height} pixels exceeds Tesseract's limit of {LARGEST_SIDE} a side: "
                f"set reduce_to_pixels, or use a smaller image"
            )
        resolution = tesseract_resolution(scaled.width, scaled.height, self._options)
        words = self._runner.read(scaled, resolution, time_limit_seconds)
        if scaled.size == image.size:
            return words
        x, y = image.width / scaled.width, image.height / scaled.height
        return [Word(w.text, (w.box[0] * x, w.box[1] * y, w.box[2] * x, w.box[3] * y), w.confidence) for w in words]

    @property
    def line_reader(self) -> LineReader | None:
        """What reads pictures of single lines; None for the program, whose start for each line would take too long."""
        return self._runner if isinstance(self._runner, _InProcess) else None

    def close(self) -> None:
        """Free Tesseract's memory; tesserocr raises `RuntimeError` afterwards."""
        self._runner.close()


def working_size(width: int, height: int, options: OcrOptions) -> tuple[int, int]:
    """The size to which a page of `width` x `height` pixels is scaled for OCR.

    The resolution of a scan is often unknown or wrong, and the size of its letters is known only after OCR; the page's
    longer side is a proxy for both.
    """
    side = _page_side(width, height)
    scale = 1.0
    if side < options.enlarge_to_pixels:
        scale = min(options.enlarge_to_pixels / side, options.most_enlargement)
    elif options.reduce_to_pixels and side > options.reduce_to_pixels:
        scale = options.reduce_to_pixels / side
    largest = LARGEST_SIDE / max(width, height)
    scale = min(scale, largest if options.reduce_to_pixels else max(largest, 1.0))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _page_side(width: int, height: int) -> int:
    """The longer side; of a strip, such as a till roll or a screenshot of a whole site, that of a page as wide."""
    return min(max(width, height), LONGEST_PAGE * min(width, height))


def tesseract_resolution(width: int, height: int, options: OcrOptions) -> int:
    """The resolution in dpi to pass to Tesseract for a page of `width` x `height` pixels; 0: none.

    Tesseract derives limits for the size of letters and specks from it. It follows from the page's longer side, as in
    `working_size`.
    """
    if not options.resolution_dpi or not options.enlarge_to_pixels:
        return options.resolution_dpi
    scale = _page_side(width, height) / options.enlarge_to_pixels
    return min(round(options.resolution_dpi * max(scale, 1.0)), HIGHEST_RESOLUTION)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to grey; an image that already has the size is returned unchanged, so that Tesseract sees the original."""
    if image.size == size:
        return image
    return image.convert("L").resize(size, Image.Resampling.LANCZOS)


class LineReader(Protocol):
    """Reads the picture of one text line."""

    def read_line(self, image: Image.Image, time_limit_seconds: float | None) -> list[Word]:
        """Its words, with boxes in pixels of the picture.

        Raises:
            TimeoutError: reading exceeded the time limit.
            RuntimeError: Tesseract failed, or is closed.
        """
        ...


class _Runner(Protocol):
    def read(self, image: Image.Image, resolution_dpi: int, time_limit_seconds: float | None) -> list[Word]: ...

    def close(self) -> None: ...


def _make_runner(options: OcrOptions, reads_inverted: bool) -> tuple[_Runner, str]:
    if options.engine != "pytesseract":
        try:
            with one_openmp_thread():  # if built with OpenMP, tesserocr reads the limit when it is loaded
                import tesserocr
        except ImportError as error:
            logger.warning("tesserocr cannot be imported (%s): using pytesseract instead", error)
        else:
            return _InProcess(tesserocr, options, reads_inverted), "tesserocr"
    return _Program(options, reads_inverted), "pytesseract"


class _InProcess:
    """Tesseract as a library, whose data is loaded once."""

    def __init__(self, tesserocr: Any, options: OcrOptions, reads_inverted: bool) -> None:
        self._tesserocr = tesserocr
        tessdata = find_tessdata(options.language, options.tessdata)
        try:
            self._api: Any = tesserocr.PyTessBaseAPI(
                path=f"{tessdata}/", lang=options.language, psm=options.page_segmentation_mode
            )
        except RuntimeError as error:
            raise OcrUnavailableError(
                f"Tesseract cannot load the data of {options.language!r} in {tessdata}: {error}"
            ) from error
        if not reads_inverted:
            self._api.SetVariable(INVERTED, "0")

    def read(self, image: Image.Image, resolution_dpi: int, time_limit_seconds: float | None) -> list[Word]:
        if self._api is None:
            raise RuntimeError("this OCR engine is closed")
        api, grey = self._api, image.convert("L")
        api.SetImageBytes(grey.tobytes(), grey.width, grey.height, 1, grey.width)
        try:
            if resolution_dpi:
                api.SetSourceResolution(resolution_dpi)
            if not api.Recognize(max(int(time_limit_seconds * 1000), 1) if time_limit_seconds else 0):
                if time_limit_seconds:
                    raise TimeoutError(f"OCR took longer than {time_limit_seconds:g} s")
                raise RuntimeError(f"Tesseract failed on an image of {image.width}x{image.height} pixels")
            return list(self._words(api.GetIterator()))
        finally:
            api.Clear()

    def read_line(self, image: Image.Image, time_limit_seconds: float | None) -> list[Word]:
        if self._api is None:
            raise RuntimeError("this OCR engine is closed")
        mode = self._api.GetPageSegMode()
        try:
            for line_mode in (self._tesserocr.PSM.SINGLE_LINE, self._tesserocr.PSM.RAW_LINE):
                self._api.SetPageSegMode(line_mode)
                words = self.read(image, LINE_RESOLUTION, time_limit_seconds)
                if words:  # the layout analysis of a single line takes some lines of Arabic for pictures
                    return words
            return []
        finally:
            self._api.SetPageSegMode(mode)

    def _words(self, start: Any) -> Iterator[Word]:
        """The words, those of a line of Chinese or the like joined and cut anew."""
        if start is None:
            return
        level = self._tesserocr.RIL.WORD
        line: list[Word] = []
        for word in self._tesserocr.iterate_level(start, level):
            if word.Empty(level):
                continue
            if word.IsAtBeginningOf(self._tesserocr.RIL.TEXTLINE):
                yield from cut_anew(line)
                line = []
            text = logical_order(without_marks(word.GetUTF8Text(level)))  # the characters come from left to right
            box = word.BoundingBox(level)
            if box is not None and text.strip():
                line.append(Word(text, tuple(box), min(max(word.Confidence(level) / 100, 0.0), 1.0)))
        yield from cut_anew(line)

    def close(self) -> None:
        if self._api is not None:
            self._api.End()
            self._api = None


class _Program:
    """The `tesseract` program, which pytesseract starts for every page."""

    def __init__(self, options: OcrOptions, reads_inverted: bool) -> None:
        try:
            import pytesseract
        except ImportError as error:
            raise OcrUnavailableError(
                "neither tesserocr nor pytesseract can be imported: pip install tesserocr pytesseract"
            ) from error
        self._pytesseract = pytesseract
        self._language = options.language
        arguments = []
        if options.tessdata is not None:
            find_tessdata(options.language, options.tessdata)
            arguments += ["--tessdata-dir", f'"{options.tessdata}"']
        else:
            try:
                installed = pytesseract.get_languages()
            except pytesseract.TesseractNotFoundError as error:
                raise OcrUnavailableError(
                    "the tesseract program is not on the PATH: on Debian or Ubuntu, apt-get install tesseract-ocr"
                ) from error
            require_language(options.language, set(installed))
        if options.page_segmentation_mode != 3:
            arguments += ["--psm", str(options.page_segmentation_mode)]
        if not reads_inverted:
            arguments += ["-c", f"{INVERTED}=0"]
        self._config = " ".join(arguments)

    def read(self, image: Image.Image, resolution_dpi: int, time_limit_seconds: float | None) -> list[Word]:
        pytesseract = self._pytesseract
        try:
            with one_openmp_thread():
                table = pytesseract.image_to_data(
                    image,
                    lang=self._language,
                    config=f"{self._config} --dpi {resolution_dpi}" if resolution_dpi else self._config,
                    output_type=pytesseract.Output.DICT,
                    timeout=time_limit_seconds or 0,
                )
        except pytesseract.TesseractError:
            raise
        except RuntimeError as error:
            if "timeout" not in str(error):
                raise
            raise TimeoutError(f"OCR took longer than {time_limit_seconds:g} s") from error
        places = zip(table["block_num"], table["par_num"], table["line_num"], strict=True)
        columns = (table[name] for name in ("text", "left", "top", "width", "height", "conf"))
        lines: dict[tuple[int, int, int], list[Word]] = {}
        for place, (text, left, top, width, height, confidence) in zip(places, zip(*columns, strict=True), strict=True):
            if text.strip():
                box = (left, top, left + width, top + height)
                word = Word(without_marks(text), box, min(max(confidence / 100, 0.0), 1.0))
                lines.setdefault(place, []).append(word)
        return [word for line in lines.values() for word in cut_anew(line)]

    def close(self) -> None:
        return

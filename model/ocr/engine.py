"""OCR: words, boxes and confidences of a page image, through Tesseract.

`OcrEngine` uses tesserocr (Tesseract in this process, loaded once) or pytesseract (the `tesseract` program, once per
page), always with one OpenMP thread: more threads take several times the CPU, and workers share the machine anyway. The
defaults were chosen with `benchmarks/ocr.py`; `OcrOptions.plain()` is Tesseract with its own defaults.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

from PIL import Image

from model.ocr.openmp import one_openmp_thread
from model.ocr.reading_order import reading_order
from model.ocr.tessdata import OcrUnavailableError, find_tessdata, require_language
from model.ocr.word_filter import Word, keep_text

__all__ = ["OcrEngine", "OcrOptions", "OcrResult", "OcrUnavailableError", "normalise_boxes"]

logger = logging.getLogger(__name__)

LARGEST_SIDE = 32767
"""Tesseract's limit of an image's longer side, in pixels."""

LONGEST_PAGE = 2
"""A longer side of more than this many times the shorter one makes an image a strip of several pages."""

HIGHEST_RESOLUTION = 2400
"""Tesseract's limit of the resolution, in dpi."""


@dataclass(frozen=True)
class OcrOptions:
    """How page images are read."""

    engine: Literal["tesserocr", "pytesseract"] = "tesserocr"
    """tesserocr runs in the process; pytesseract, also the fallback without tesserocr, runs the tesseract program."""
    language: str = "eng"
    """Tesseract's language or languages: "eng", "eng+deu"."""
    page_segmentation_mode: int = 3
    """Tesseract's --psm, 1 to 13: 3 finds columns and blocks, 4 takes one column, 11 collects sparse text."""
    reading_order: Literal["boxes", "engine"] = "boxes"
    """"boxes" restores it with `model.ocr.reading_order`, "engine" keeps Tesseract's order."""
    enlarge_to_pixels: int = 1750
    """A smaller page is enlarged until its longer side has this many pixels; 0: never."""
    most_enlargement: float = 2.0
    """Maximum factor of enlargement."""
    reduce_to_pixels: int = 3600
    """A larger page is reduced until its longer side has this many pixels; 0: never. A4 at 300 dpi has 3508."""
    resolution_dpi: int = 220
    """The resolution passed to Tesseract for a page of `enlarge_to_pixels`, and proportionally more for larger ones; 0
    lets it guess. Text taller in pixels than a third of it loses its ascenders; if Tesseract guesses, ordinary text
    does too."""
    minimum_confidence: float = 0.2
    """Words with less confidence (0-1) are dropped, and counted in `OcrResult.dropped`; 0 keeps all."""
    minimum_symbol_confidence: float = 0.6
    """The same for words without any letter or digit: specks and pieces of rules."""
    trim_rules: bool = True
    """Remove form rules that were read as characters from words; see `model.ocr.word_filter`."""
    tessdata: str | None = None
    """Folder of the .traineddata files; None searches TESSDATA_PREFIX and the system's folders."""

    def __post_init__(self) -> None:
        if self.engine not in ("tesserocr", "pytesseract"):
            raise ValueError(f"OCR engine {self.engine!r} is unknown: use 'tesserocr' or 'pytesseract'")
        if not re.fullmatch(r"~?\w+(/\w+)?(\+~?\w+(/\w+)?)*", self.language, re.ASCII):
            raise ValueError(f"OCR language {self.language!r} is invalid: write for example 'eng' or 'eng+deu'")
        if not 1 <= self.page_segmentation_mode <= 13 or self.page_segmentation_mode == 2:
            raise ValueError(f"page_segmentation_mode={self.page_segmentation_mode} reads no text: use 1 or 3 to 13")
        if self.reading_order not in ("boxes", "engine"):
            raise ValueError(f"reading_order={self.reading_order!r} is unknown: use 'boxes' or 'engine'")
        if self.most_enlargement < 1:
            raise ValueError(f"most_enlargement={self.most_enlargement} reduces the page: it must be 1 or more")
        for name in ("enlarge_to_pixels", "reduce_to_pixels", "resolution_dpi"):
            if not 0 <= getattr(self, name) <= LARGEST_SIDE:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to {LARGEST_SIDE}")
        if self.reduce_to_pixels and self.reduce_to_pixels < self.enlarge_to_pixels:
            raise ValueError(
                f"reduce_to_pixels={self.reduce_to_pixels} is below enlarge_to_pixels={self.enlarge_to_pixels}"
            )
        for name in ("minimum_confidence", "minimum_symbol_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")

    @classmethod
    def plain(cls, engine: Literal["tesserocr", "pytesseract"] = "pytesseract", language: str = "eng") -> OcrOptions:
        """Tesseract's defaults. With pytesseract: the words of `pytesseract.image_to_data(image)`, in its order."""
        return cls(
            engine=engine,
            language=language,
            page_segmentation_mode=3,
            reading_order="engine",
            enlarge_to_pixels=0,
            reduce_to_pixels=0,
            resolution_dpi=0,
            minimum_confidence=0.0,
            minimum_symbol_confidence=0.0,
            trim_rules=False,
        )


@dataclass(frozen=True)
class OcrResult:
    """The words of one page.

    Attributes:
        words: in reading order.
        boxes: (x0, y0, x1, y1) in pixels of the input image, inside it, x0 < x1 and y0 < y1; one per word.
        confidences: 0-1; one per word.
        dropped: number of further words from Tesseract, below the minimum confidence or nothing but a rule.
    """

    words: list[str]
    boxes: list[tuple[int, int, int, int]]
    confidences: list[float]
    dropped: int = 0


class OcrEngine:
    """Reads page images; created once per worker. Not thread-safe.

    Raises:
        OcrUnavailableError: Tesseract or the data of a language is missing; the message names the Debian package.
    """

    def __init__(self, options: OcrOptions | None = None) -> None:
        self.options = OcrOptions() if options is None else options
        self._tesseract: _Tesseract = _make_tesseract(self.options)

    def read(self, image: Image.Image, *, time_limit_seconds: float | None = None) -> OcrResult:
        """Words, boxes and confidences of a page.

        Args:
            image: upright page; grey ("L") or RGB, other modes are converted to grey.
            time_limit_seconds: for the recognition. tesserocr checks the time only after the layout analysis (a quarter
                of a second on a usual page); a hang in native code must be stopped from outside.

        Raises:
            TimeoutError: recognition exceeded the time limit.
            ValueError: the image is larger than Tesseract's limit, with `reduce_to_pixels=0`.
            RuntimeError: Tesseract failed.
        """
        if time_limit_seconds is not None and time_limit_seconds <= 0:
            raise ValueError(f"time_limit_seconds={time_limit_seconds} leaves no time: give more than 0, or None")
        if image.width == 0 or image.height == 0:
            return OcrResult([], [], [])
        if image.mode not in ("L", "RGB"):
            image = image.convert("L")
        scaled = resize(image, working_size(image.width, image.height, self.options))
        if max(scaled.size) > LARGEST_SIDE:
            raise ValueError(
                f"an image of {image.width}x{image.height} pixels exceeds Tesseract's limit of {LARGEST_SIDE} a side: "
                f"set reduce_to_pixels, or use a smaller image"
            )
        found = self._tesseract.read(
            scaled, tesseract_resolution(scaled.width, scaled.height, self.options), time_limit_seconds
        )
        kept = keep_text(
            found,
            trim_rules=self.options.trim_rules,
            minimum_confidence=self.options.minimum_confidence,
            minimum_symbol_confidence=self.options.minimum_symbol_confidence,
        )
        boxes = _to_image(kept.words, scaled.size, image.size)
        order = reading_order(boxes) if self.options.reading_order == "boxes" else range(len(boxes))
        return OcrResult(
            [kept.words[i].text for i in order],
            [boxes[i] for i in order],
            [kept.words[i].confidence for i in order],
            kept.dropped,
        )

    def close(self) -> None:
        """Free Tesseract's memory; `read` raises `RuntimeError` afterwards."""
        self._tesseract.close()

    def __enter__(self) -> OcrEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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


def _to_image(
    words: Sequence[Word], scaled: tuple[int, int], original: tuple[int, int]
) -> list[tuple[int, int, int, int]]:
    """Boxes of words in the original image instead of the scaled one; at least one pixel wide and high."""
    boxes = []
    for word in words:
        corners = []
        for axis in (0, 1):
            ratio, end = original[axis] / scaled[axis], original[axis]
            low = min(max(round(word.box[axis] * ratio), 0), end - 1)
            high = max(min(round(word.box[axis + 2] * ratio), end), low + 1)
            corners.append((low, high))
        (x0, x1), (y0, y1) = corners
        boxes.append((x0, y0, x1, y1))
    return boxes


class _Tesseract(Protocol):
    def read(self, image: Image.Image, resolution_dpi: int, time_limit_seconds: float | None) -> list[Word]: ...

    def close(self) -> None: ...


def _make_tesseract(options: OcrOptions) -> _Tesseract:
    if options.engine == "tesserocr":
        try:
            with one_openmp_thread():  # if built with OpenMP, tesserocr reads the limit when it is loaded
                import tesserocr
        except ImportError as error:
            logger.warning("tesserocr cannot be imported (%s): using pytesseract instead", error)
        else:
            return _InProcess(tesserocr, options)
    return _Program(options)


class _InProcess:
    """Tesseract as a library, whose data is loaded once."""

    def __init__(self, tesserocr: Any, options: OcrOptions) -> None:
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

    def _words(self, start: Any) -> Iterator[Word]:
        if start is None:
            return
        level = self._tesserocr.RIL.WORD
        for word in self._tesserocr.iterate_level(start, level):
            if word.Empty(level):
                continue
            text = word.GetUTF8Text(level)
            box = word.BoundingBox(level)
            if box is not None and text.strip():
                yield Word(text, tuple(box), min(max(word.Confidence(level) / 100, 0.0), 1.0))

    def close(self) -> None:
        if self._api is not None:
            self._api.End()
            self._api = None


class _Program:
    """The `tesseract` program, which pytesseract starts for every page."""

    def __init__(self, options: OcrOptions) -> None:
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
        columns = (table[name] for name in ("text", "left", "top", "width", "height", "conf"))
        return [
            Word(text, (left, top, left + width, top + height), min(max(confidence / 100, 0.0), 1.0))
            for text, left, top, width, height, confidence in zip(*columns, strict=True)
            if text.strip()
        ]

    def close(self) -> None:
        return

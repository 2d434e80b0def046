"""OCR: reads what the text layer of a page leaves unread: the whole page image, or regions of it.

Where a text layer has words, they stay, and what is read beside them is merged with them in reading order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from model.ocr.boxes import shared_area
from model.ocr.engine import OcrOptions, OcrResult, choose_engine, normalise_boxes
from model.ocr.page_reader import PageReader, PageText
from model.ocr.reading_order import reading_order
from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed
from pipelines.stages.read_quality import read_quality, unread_after

PixelBox = tuple[int, int, int, int]

OCR_SHARE = 0.9
"""Of a page's time limit: OCR that takes longer ends by itself, and the sandbox need not be killed."""

MOST_OVERLAP = 0.5
"""A word from OCR of whose box more than this lies on a word of the text layer is a trace of that word."""

_MARGIN = 4


class Ocr:
    """Rows with the columns of `RASTERIZED` in, `PAGE_IMAGE` out; the page image is dropped after reading.

    PP-OCR starts with the first page that needs it: most digital documents never do, and it takes seconds and hundreds
    of megabytes. Tesseract starts at once, unless it was chosen here together with PP-OCR.

    Raises:
        OcrUnavailableError: Tesseract is to read, and it or the data of a language is missing.
    """

    def __init__(self, options: OcrOptions, time_limit_seconds: float = 120.0) -> None:
        self.options, self.time_limit_seconds = options, time_limit_seconds
        starts_later = choose_engine(options) == "ppocr" or replaces_what_is_missing(options)
        self._reader = None if starts_later else PageReader(options)

    @property
    def reader(self) -> PageReader:
        """The engine, which is started if it has not been.

        Raises:
            OcrUnavailableError: like `OcrEngine`.
        """
        if self._reader is None:
            self._reader = PageReader(self.options)
        return self._reader

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            started = time.perf_counter()
            try:
                yield self._read(row)
            except Exception as error:  # a page fails alone
                seconds = {**row["seconds"], "ocr": time.perf_counter() - started}
                yield mark_failed({**row, "seconds": seconds}, error)

    def _read(self, row: Row) -> Row:
        pixels, regions = row["page_image"], row["ocr_regions"]
        result = {name: value for name, value in row.items() if name not in ("page_image", "ocr_regions")}
        if pixels is None or row["status"] == "failed":
            return result
        started = time.perf_counter()
        width, height = row["width"], row["height"]
        image = Image.frombytes("L", (width, height), pixels)
        known = _to_pixels(row["boxes"], 1000, 1000, width, height)
        try:
            if regions is None:
                page = self.reader.read(image, time_limit_seconds=self.time_limit_seconds)
            else:
                page = self._read_regions(image, _to_pixels(regions, 1, 1, width, height), known)
        except TimeoutError as error:
            limit = self.time_limit_seconds
            raise ProcessingError("timeout", f"OCR took over {limit:g} s; raise --page-time-limit-seconds") from error
        except RuntimeError as error:
            raise ProcessingError("ocr_failed", f"OCR failed: {error}") from error
        result |= merge_words(row, known, page.text)
        result |= {
            "ocr_engine": page.text.engine or None,
            "ocr_language": page.text.language or None,
            "missing_language": page.text.missing_language or None,
            "rotation": page.rotation,
            "skew": page.skew,
        }
        boxes = [(x0 / 1000, y0 / 1000, x1 / 1000, y1 / 1000) for x0, y0, x1, y1 in result["boxes"]]
        unread = unread_after(np.asarray(image), result["words"], boxes)
        quality = read_quality(result["words"], boxes, result["word_confidences"], unread)
        if page.text.missing_language and page.text.is_foreign and not row["words"]:
            quality = 0.0  # what was read in the letters of another script are guesses, however sure
        seconds = {**row["seconds"], "ocr": time.perf_counter() - started}
        return result | {"read_quality": quality, "seconds": seconds}

    def _read_regions(self, image: Image.Image, regions: list[PixelBox], known: list[PixelBox]) -> PageText:
        """The words in the regions of an image, without the words that are known already."""
        pixels = np.asarray(image)
        ground = int(np.median(pixels))
        visible = np.full_like(pixels, ground)
        for x0, y0, x1, y1 in regions:
            visible[y0:y1, x0:x1] = pixels[y0:y1, x0:x1]
        for x0, y0, x1, y1 in known:
            visible[y0:y1, x0:x1] = ground
        left, top = max(min(x0 for x0, *_ in regions) - _MARGIN, 0), max(min(box[1] for box in regions) - _MARGIN, 0)
        right, bottom = max(box[2] for box in regions) + _MARGIN, max(box[3] for box in regions) + _MARGIN
        page = self.reader.read(
            Image.fromarray(visible[top:bottom, left:right]), time_limit_seconds=self.time_limit_seconds
        )
        found = page.text
        boxes = [(x0 + left, y0 + top, x1 + left, y1 + top) for x0, y0, x1, y1 in found.boxes]
        return replace(page, text=replace(found, boxes=boxes))


def merge_words(row: Row, known: list[PixelBox], found: OcrResult) -> Row:
    """The columns of a page's words: those of the row and those that OCR found, in reading order.

    Args:
        row: with `words`, `word_confidences`, `word_sources`, `width` and `height`.
        known: the boxes of the row's words, in pixels of the page image.
        found: what OCR read; words on words of the row are left out.
    """
    new = [index for index, box in enumerate(found.boxes) if not _is_known(box, known)]
    words = [*row["words"], *(found.words[index] for index in new)]
    boxes = [*known, *(found.boxes[index] for index in new)]
    confidences = [*row["word_confidences"], *(found.confidences[index] for index in new)]
    sources = [*row["word_sources"], *["ocr"] * len(new)]
    order = reading_order(boxes, words) if row["words"] and new else list(range(len(words)))
    exact = [*row["boxes"], *normalise_boxes([found.boxes[index] for index in new], row["width"], row["height"])]
    return {
        "text_source": "mixed" if row["words"] and new else row["text_source"] if row["words"] else _source(new),
        "words": [words[index] for index in order],
        "boxes": [exact[index] for index in order],
        "word_confidences": [confidences[index] for index in order],
        "word_sources": [sources[index] for index in order],
    }


def _source(found: Sequence[int]) -> str:
    return "ocr" if found else "none"


def _is_known(box: PixelBox, known: list[PixelBox]) -> bool:
    area = (box[2] - box[0]) * (box[3] - box[1])
    return any(shared_area(box, other) > MOST_OVERLAP * area for other in known)


def replaces_what_is_missing(options: OcrOptions) -> bool:
    """Whether "auto" chose PP-OCR, alone or beside Tesseract: each takes the other's place, and nothing is refused."""
    return options.engine == "auto" and choose_engine(options) in ("ppocr", "tesserocr+ppocr")


def _to_pixels(boxes: Sequence[Sequence[float]], across: float, down: float, width: int, height: int) -> list[PixelBox]:
    """Boxes on a scale of `across` x `down` as pixels of an image, rounded outwards and inside it."""
    return [
        (
            max(int(x0 / across * width), 0),
            max(int(y0 / down * height), 0),
            min(-int(-x1 / across * width // 1), width),
            min(-int(-y1 / down * height // 1), height),
        )
        for x0, y0, x1, y1 in boxes
    ]

"""OCR: reads the page images of pages without a trusted text layer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from PIL import Image

from model.ocr.engine import OcrEngine, OcrOptions, normalise_boxes
from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed

OCR_SHARE = 0.9
"""Of a page's time limit: OCR that takes longer ends by itself, and the sandbox need not be killed."""


class Ocr:
    """Rows with the columns of `RASTERIZED` in, `PAGE_IMAGE` out; the page image is dropped after reading."""

    def __init__(self, options: OcrOptions, time_limit_seconds: float = 120.0) -> None:
        self.time_limit_seconds = time_limit_seconds
        self.engine = OcrEngine(options)

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            started = time.perf_counter()
            try:
                yield self._read(row)
            except Exception as error:  # a page fails alone
                seconds = {**row["seconds"], "ocr": time.perf_counter() - started}
                yield mark_failed({**row, "seconds": seconds}, error)

    def _read(self, row: Row) -> Row:
        pixels = row["page_image"]
        result = {name: value for name, value in row.items() if name != "page_image"}
        if pixels is None or row["status"] == "failed":
            return result
        started = time.perf_counter()
        image = Image.frombytes("L", (row["width"], row["height"]), pixels)
        try:
            text = self.engine.read(image, time_limit_seconds=self.time_limit_seconds)
        except TimeoutError as error:
            limit = self.time_limit_seconds
            raise ProcessingError("timeout", f"OCR took over {limit:g} s; raise --page-time-limit-seconds") from error
        except RuntimeError as error:
            raise ProcessingError("ocr_failed", f"OCR failed: {error}") from error
        result |= {
            "text_source": "ocr" if text.words else "none",
            "words": text.words,
            "boxes": normalise_boxes(text.boxes, row["width"], row["height"]),
            "word_confidences": text.confidences,
            "seconds": {**row["seconds"], "ocr": time.perf_counter() - started},
        }
        return result

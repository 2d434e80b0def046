"""Reads a page image that may lie on its side, crookedly, or in a shadow.

The engine reads an upright page. Skew and lighting are measured first, in some 30 ms a page; quarter turns, which take
half a second at most, only where reading was poor. Boxes are those of the image as given.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from model.ocr.engine import OcrEngine, OcrOptions, OcrResult
from model.ocr.language_reader import LanguageReader
from model.ocr.options import AUTO
from model.ocr.orientation import (
    PixelBox,
    Rotation,
    Turn,
    boxes_before_turn,
    estimate_skew,
    level_boxes,
    lies_on_its_side,
    turn_image,
)
from model.ocr.reading_order import reading_order

STRAIGHTENED_SKEW = {"ppocr": 0.8}
"""Degrees from which a page is straightened. PP-OCR reads as many words either way, up to 9 degrees, but level lines
keep them in order (0.58 to 0.85 of the order at 4 degrees)."""
STRAIGHTENED_SKEW_OF_TESSERACT = 2.5
"""The same for the other engines. Tesseract reads less skew as well as level lines, and better than after resampling
(20 forms of FUNSD with 0.9 to 2.1 degrees: 1,881 of their words as they are, 1,818 straightened)."""
POOR_CONFIDENCE = {"ppocr": 0.85}
"""A mean confidence of the characters below this is a reason to look for a quarter turn. By PP-OCR upright pages had
0.956 to 0.996, and 0.609 to 0.736 upside down (12 FUNSD forms, 4 receipts)."""
POOR_CONFIDENCE_OF_TESSERACT = 0.7
"""The same for the other engines."""
FEW_CHARACTERS = 20
"""So is less text than this."""
UNEVEN_LIGHT = 0.3
"""The share of the paper's brightness that shadows may take before they are levelled."""


@dataclass(frozen=True)
class PageText:
    """The words of a page image as given.

    Attributes:
        text: words in reading order, with boxes in pixels of the image as given.
        rotation: degrees clockwise by which the page has to be turned to be upright.
        skew: degrees clockwise by which its lines then have to be turned to be level.
    """

    text: OcrResult
    rotation: Rotation = 0
    skew: float = 0.0


class PageReader:
    """An OCR engine for pages in any position; created once per worker. Not thread-safe.

    Raises:
        OcrUnavailableError: like `OcrEngine`.
    """

    def __init__(self, options: OcrOptions | None = None) -> None:
        self.engine: OcrEngine | LanguageReader
        if options is not None and options.language == AUTO:
            self.engine = LanguageReader(options)
        else:
            self.engine = OcrEngine(options)

    def read(self, image: Image.Image, *, time_limit_seconds: float | None = None) -> PageText:
        """The words of a page, and how it lies.

        Args:
            image: grey ("L"); other modes are converted.
            time_limit_seconds: for everything together.

        Raises:
            TimeoutError, ValueError, RuntimeError: as in `OcrEngine.read`.
        """
        if not image.width or not image.height:
            return PageText(OcrResult([], [], []))
        deadline = None if time_limit_seconds is None else time.monotonic() + time_limit_seconds
        grey = level_light(image if image.mode == "L" else image.convert("L"))
        first = self._read_turned(grey, 0, deadline)
        on_its_side = lies_on_its_side(first.text.boxes, first.text.words)
        if not on_its_side and not _is_poor(first.text):
            return first
        rotation = self.engine.rotation(grey)
        if not rotation:
            return first
        turned = self._read_turned(grey, rotation, deadline)
        return turned if on_its_side or _certain_text(turned.text) > _certain_text(first.text) else first

    def _read_turned(self, grey: Image.Image, rotation: Rotation, deadline: float | None) -> PageText:
        skew = estimate_skew(turn_image(grey, Turn(rotation)))
        least = STRAIGHTENED_SKEW.get(self.engine.name, STRAIGHTENED_SKEW_OF_TESSERACT)
        turn = Turn(rotation, skew if abs(skew) >= least else 0.0)
        left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
        text = self.engine.read(turn_image(grey, turn), time_limit_seconds=left)
        if skew and not turn.skew and self.engine.options.reading_order == "boxes":
            text = _in_order_of(text, level_boxes(text.boxes, skew))
        return PageText(
            replace(text, boxes=boxes_before_turn(text.boxes, turn, grey.width, grey.height)), rotation, skew
        )

    def close(self) -> None:
        """Free the engine's memory."""
        self.engine.close()


def level_light(image: Image.Image) -> Image.Image:
    """A grey image with the shadows on its paper levelled, if there are any; otherwise the image itself.

    The paper's brightness around a pixel is a morphological closing of the image, which fills in the strokes of letters
    and keeps the edges of shadows. Grounds of less than a quarter of the brightest, such as black banners, stay dark.
    """
    dark, bright = np.quantile(np.asarray(_paper(image, scale=8, stroke=5)), (0.05, 0.95))
    if bright < 1 or (bright - dark) / bright < UNEVEN_LIGHT:
        return image
    ground = np.asarray(_paper(image, scale=3, stroke=15).resize(image.size, Image.Resampling.BILINEAR))
    levelled = np.asarray(image).astype(np.float32) * (255 / np.maximum(ground, bright / 4))
    return Image.fromarray(np.clip(levelled, 0, 255).astype(np.uint8))


def _paper(image: Image.Image, scale: int, stroke: int) -> Image.Image:
    """The closing of an image reduced by `scale`; strokes of up to `stroke` reduced pixels are filled in."""
    size = max(image.width // scale, 1), max(image.height // scale, 1)
    small = image.resize(size, Image.Resampling.BOX)
    return small.filter(ImageFilter.MaxFilter(stroke)).filter(ImageFilter.MinFilter(stroke))


def _in_order_of(text: OcrResult, boxes: list[PixelBox]) -> OcrResult:
    """The words in the reading order of other boxes, one per word."""
    order = reading_order(boxes, text.words)
    return replace(
        text,
        words=[text.words[i] for i in order],
        boxes=[text.boxes[i] for i in order],
        confidences=[text.confidences[i] for i in order],
    )


def _is_poor(text: OcrResult) -> bool:
    characters = sum(map(len, text.words))
    least = POOR_CONFIDENCE.get(text.engine, POOR_CONFIDENCE_OF_TESSERACT)
    return characters < FEW_CHARACTERS or _certain_text(text) < least * characters


def _certain_text(text: OcrResult) -> float:
    """The number of characters, each counted with its word's confidence."""
    return sum(len(word) * confidence for word, confidence in zip(text.words, text.confidences, strict=True))

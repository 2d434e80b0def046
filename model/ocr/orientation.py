"""How a page image lies: skew by a few degrees, or turned by a quarter; and turning it upright, with its boxes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.ocr.openmp import one_openmp_thread
from model.ocr.tessdata import OcrUnavailableError, find_tessdata

logger = logging.getLogger(__name__)

Rotation = Literal[0, 90, 180, 270]
PixelBox = tuple[int, int, int, int]

MOST_SKEW = 12.0
"""Degrees; scans that lie more crookedly are not straightened."""
LEAST_SKEW = 0.8
"""Degrees; less is not told from level lines."""
LEAST_SKEW_GAIN = 2.0
"""How much sharper the lines of text must become by straightening, as a ratio."""
LEAST_ROTATION_CONFIDENCE = 3.0
"""Tesseract's confidence in an orientation, from 0; clear pages of text have 10 to 25."""
LEAST_SCRIPT_CONFIDENCE = 0.3
"""Tesseract's confidence in a script, from 0; pages of Chinese have 0.6, of Japanese 1.2, of others 2 to 20."""

_SKEW_SIDE = 1000
_SKEW_SAMPLE = 30_000
_LEAST_INK = 200
_TRANSPOSE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class Turn:
    """What makes a page upright.

    Attributes:
        rotation: degrees clockwise, after which the text is upright up to the skew.
        skew: further degrees clockwise, from -12 to 12, after which its lines are level.
    """

    rotation: Rotation = 0
    skew: float = 0.0


def turn_image(image: Image.Image, turn: Turn) -> Image.Image:
    """The image turned upright; its size stays, or is swapped by a quarter turn. Corners that come free are white."""
    if turn.rotation:
        image = image.transpose(_TRANSPOSE[turn.rotation])
    if turn.skew:
        image = image.rotate(-turn.skew, Image.Resampling.BICUBIC, fillcolor=255)
    return image


def boxes_before_turn(boxes: Sequence[PixelBox], turn: Turn, width: int, height: int) -> list[PixelBox]:
    """Boxes in a turned image as boxes in the image before: the bounds of their corners, inside it.

    Args:
        boxes: (x0, y0, x1, y1) in pixels of the turned image.
        turn: what was done to the image.
        width, height: of the image before, in pixels.
    """
    if turn == Turn() or not boxes:
        return list(boxes)
    turned_width, turned_height = (height, width) if turn.rotation in (90, 270) else (width, height)
    corners = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in boxes], dtype=float)
    if turn.skew:
        angle = np.deg2rad(turn.skew)
        middle = np.array([turned_width / 2, turned_height / 2])
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        # A turned box is wider and higher than its word by the slope; only its middle and its own size are kept.
        centres = (corners.mean(axis=1) - middle) @ back.T + middle
        corners = corners - corners.mean(axis=1, keepdims=True) + centres[:, None]
    x, y = corners[..., 0], corners[..., 1]
    if turn.rotation == 90:
        x, y = y, height - x
    elif turn.rotation == 180:
        x, y = width - x, height - y
    elif turn.rotation == 270:
        x, y = width - y, x
    left, right = np.clip(x.min(axis=1), 0, width - 1), np.clip(x.max(axis=1), 1, width)
    top, bottom = np.clip(y.min(axis=1), 0, height - 1), np.clip(y.max(axis=1), 1, height)
    rounded = np.stack([left, top, np.maximum(right, left + 1), np.maximum(bottom, top + 1)], axis=1).round()
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in rounded]


def level_boxes(boxes: Sequence[PixelBox], skew: float) -> list[PixelBox]:
    """Boxes moved to where they are after a turn by `skew` degrees clockwise about the origin; their size is kept."""
    angle = math.radians(skew)
    levelled = []
    for x0, y0, x1, y1 in boxes:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        right = round(x * math.cos(angle) - y * math.sin(angle) - x)
        down = round(x * math.sin(angle) + y * math.cos(angle) - y)
        levelled.append((x0 + right, y0 + down, x1 + right, y1 + down))
    return levelled


def estimate_skew(image: Image.Image) -> float:
    """By how many degrees clockwise the lines of text must be turned to be level; 0 if there is no clear answer.

    The ink is projected on the page's height at every angle: where the lines are level, the profile is sharpest.

    Args:
        image: grey.
    """
    scale = min(_SKEW_SIDE / max(image.size), 1.0)
    small = image.convert("L").resize(
        (max(round(image.width * scale), 1), max(round(image.height * scale), 1)), Image.Resampling.BOX
    )
    levels = np.asarray(small)
    ink = levels < (int(levels.min()) + float(np.median(levels))) / 2
    y, x = np.nonzero(ink)
    if len(x) < _LEAST_INK:
        return 0.0
    if len(x) > _SKEW_SAMPLE:
        chosen = np.random.default_rng(0).choice(len(x), _SKEW_SAMPLE, replace=False)
        x, y = x[chosen], y[chosen]
    coarse = max(np.arange(-MOST_SKEW, MOST_SKEW + 0.1, 0.5), key=lambda angle: _sharpness(x, y, angle))
    fine = max(np.arange(coarse - 0.4, coarse + 0.41, 0.1), key=lambda angle: _sharpness(x, y, angle))
    if abs(fine) < LEAST_SKEW or _sharpness(x, y, fine) < LEAST_SKEW_GAIN * _sharpness(x, y, 0.0):
        return 0.0
    return round(float(fine), 1)


def _sharpness(x: npt.NDArray[np.intp], y: npt.NDArray[np.intp], degrees: float) -> float:
    angle = np.deg2rad(degrees)
    rows = (y * np.cos(angle) + x * np.sin(angle)).round().astype(np.int64)
    profile = np.bincount(rows - rows.min())
    return float((np.diff(profile) ** 2).sum())


def lies_on_its_side(boxes: Sequence[PixelBox], words: Sequence[str]) -> bool:
    """Whether most words of three or more characters are higher than wide, as on a page that is turned by a quarter."""
    long = [box for box, word in zip(boxes, words, strict=True) if len(word) >= 3]
    return sum(y1 - y0 > x1 - x0 for x0, y0, x1, y1 in long) * 2 > len(long)


def detect_rotation(image: Image.Image, tessdata: str | None = None) -> Rotation | None:
    """By how many degrees clockwise a page must be turned to be upright, by Tesseract's orientation detection.

    Args:
        image: grey.
        tessdata: folder with osd.traineddata; None searches as for languages.

    Returns:
        None if it is not sure, or if osd.traineddata is not installed (Debian has it in tesseract-ocr-osd).
    """
    try:
        folder = _osd_folder(tessdata)
    except OcrUnavailableError:
        return None
    found = _detect(image.convert("L"), folder)
    if found is None or found.turn_confidence < LEAST_ROTATION_CONFIDENCE:
        return None
    rotations: dict[int, Rotation] = {0: 0, 90: 270, 180: 180, 270: 90}  # Tesseract counts counter-clockwise
    return rotations.get(found.turn)


def detect_script(
    image: Image.Image, tessdata: str | None = None, least_confidence: float = LEAST_SCRIPT_CONFIDENCE
) -> str | None:
    """The script of a page by Tesseract's name for it, such as "Cyrillic"; None if it is not sure.

    Args:
        image: grey.
        tessdata: folder with osd.traineddata; None searches as for languages.
        least_confidence: Tesseract's, from 0.

    Raises:
        OcrUnavailableError: osd.traineddata is not installed (Debian has it in tesseract-ocr-osd).
    """
    found = _detect(image.convert("L"), _osd_folder(tessdata))
    return None if found is None or found.script_confidence < least_confidence else found.script


@dataclass(frozen=True)
class _Osd:
    """What Tesseract says of a page: its turn in degrees counter-clockwise, its script, and how sure it is, from 0."""

    turn: int
    turn_confidence: float
    script: str
    script_confidence: float


@lru_cache(maxsize=4)
def _osd_folder(tessdata: str | None) -> str:
    return str(find_tessdata("osd", tessdata))


def _detect(image: Image.Image, folder: str) -> _Osd | None:
    try:
        with one_openmp_thread():
            import tesserocr
    except ImportError:
        return _detect_with_program(image, folder)
    with tesserocr.PyTessBaseAPI(path=f"{folder}/", lang="osd", psm=tesserocr.PSM.OSD_ONLY) as api:
        api.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        api.SetSourceResolution(200)
        answer: dict[str, Any] | None = api.DetectOrientationScript()
    if answer is None:
        return None
    return _Osd(
        int(answer["orient_deg"]), float(answer["orient_conf"]), answer["script_name"], float(answer["script_conf"])
    )


def _detect_with_program(image: Image.Image, folder: str) -> _Osd | None:
    import pytesseract

    try:
        with one_openmp_thread():
            answer = pytesseract.image_to_osd(
                image, config=f'--tessdata-dir "{folder}" --dpi 200', output_type=pytesseract.Output.DICT
            )
    except pytesseract.TesseractError as error:  # too few characters
        logger.debug("the orientation of a page cannot be told: %s", error)
        return None
    return _Osd(
        int(answer["orientation"]),
        float(answer["orientation_conf"]),
        answer["script"],
        float(answer["script_conf"]),
    )

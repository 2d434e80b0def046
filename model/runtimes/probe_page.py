"""A real page that is part of the package: on it, a model is tried in another precision or runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "probe"


@dataclass(frozen=True)
class ProbePage:
    """A filled form.

    Attributes:
        words: in reading order.
        boxes: (x0, y0, x1, y1) of each word, 0 to 1000.
        image: uint8 [1, 3, 224, 224], BGR.
    """

    words: list[str]
    boxes: list[list[int]]
    image: np.ndarray


def load_probe_page() -> ProbePage:
    """Read the page from the package."""
    page = json.loads((FOLDER / "words.json").read_text(encoding="utf-8"))
    with Image.open(FOLDER / "page.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    image = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1))[None]
    return ProbePage(page["words"], page["boxes"], image)

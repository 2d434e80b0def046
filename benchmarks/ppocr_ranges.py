"""Measures the ranges of activations with which PP-OCR's detector is computed in int8 (`model/ocr/ppocr_int8.py`).

    python -m benchmarks.ppocr_ranges --images DIR [DIR ...] [--pages 12] [--output model/ocr/ppocr_ranges.json]

Pages are taken evenly from each folder of images. To be run when `rapidocr` comes with another detector; then compare
`python -m benchmarks.ocr --only "ppocr, OpenVINO in"`, which has rows in float32 and in int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import tyro
from PIL import Image

from benchmarks.ocr import spread
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_int8 import RANGES, measure_ranges, write_ranges
from model.ocr.ppocr_runtime import DETECTOR, model_folder
from model.ocr.text_detection import detect_lines

Inputs = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.ppocr_ranges`."""

    images: tuple[Path, ...]
    """Folders of page images."""
    pages: int = 12
    """Pages of each folder."""
    output: Path = RANGES
    """File to write."""


def inputs_of(pages: list[Path]) -> Inputs:
    """The detector's inputs for pages."""
    found: Inputs = []

    def record(inputs: npt.NDArray[np.float32]) -> Any:
        found.append(inputs.copy())
        return np.zeros((1, 1, *inputs.shape[2:]), np.float32)

    for page in pages:
        with Image.open(page) as image:
            detect_lines(np.asarray(image.convert("L")), record, PpOcrOptions())
    return found


def main(options: Options) -> None:
    folders = [sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg")) for folder in options.images]
    inputs = inputs_of([page for folder in folders for page in spread(folder, options.pages)])
    file = model_folder() / DETECTOR
    write_ranges({file: measure_ranges(openvino.Core().read_model(file), inputs)}, options.output)
    print(f"{options.output}: from {len(inputs)} pages")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

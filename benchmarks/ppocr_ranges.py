"""Measures the ranges of activations with which PP-OCR's networks are computed in int8 (`model/ocr/ppocr_int8.py`).

    python -m benchmarks.ppocr_ranges --images DIR [DIR ...] [--pages 12] [--output model/ocr/ppocr_ranges.json]

Pages are taken evenly from each folder of images. The networks see what they see when they read them: the detector a
page, the recogniser its lines, of which `--lines` are taken evenly. To be run when `rapidocr` comes with other
networks; then compare `python -m benchmarks.ocr --only ppocr` in int8 and float32.
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
from model.ocr.line_recognition import line_picture, recognise_lines
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_int8 import RANGES, measure_ranges, write_ranges
from model.ocr.ppocr_runtime import DETECTOR, RECOGNISER, Network, load_networks, model_folder
from model.ocr.text_detection import detect_lines

Inputs = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.ppocr_ranges`."""

    images: tuple[Path, ...]
    """Folders of page images."""
    pages: int = 12
    """Pages of each folder."""
    lines: int = 200
    """Lines of all pages together."""
    output: Path = RANGES
    """File to write."""


def inputs_of(pages: list[Path]) -> tuple[Inputs, Inputs]:
    """The detector's and the recogniser's inputs while pages are read."""
    options = PpOcrOptions(runtime="openvino", precision="f32")
    networks = load_networks(options, latin_only=True)
    detector: Inputs = []
    recogniser: Inputs = []
    detect, recognise = recorded(networks.detect, detector), recorded(networks.recognise, recogniser)
    for page in pages:
        with Image.open(page) as image:
            grey = np.asarray(image.convert("L"))
        pictures = [line_picture(grey, line) for line in detect_lines(grey, detect, options)]
        recognise_lines(pictures, recognise, networks.characters)
    return detector, recogniser


def recorded(network: Network, into: Inputs) -> Network:
    """A network that keeps its inputs."""

    def run(inputs: npt.NDArray[np.float32]) -> Any:
        into.append(inputs.copy())
        return network(inputs)

    return run


def main(options: Options) -> None:
    folders = [sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg")) for folder in options.images]
    pages = [page for folder in folders for page in spread(folder, options.pages)]
    detector, recogniser = inputs_of(pages)
    lines = [recogniser[i * len(recogniser) // options.lines] for i in range(min(options.lines, len(recogniser)))]
    core, folder = openvino.Core(), model_folder()
    inputs = {folder / DETECTOR: detector, folder / RECOGNISER: lines}
    write_ranges({file: measure_ranges(core.read_model(file), some) for file, some in inputs.items()}, options.output)
    print(f"{options.output}: from {len(detector)} pages and {len(lines)} lines")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

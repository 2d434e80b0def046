"""The plain way to extract, with which `benchmarks.extract` compares the job; it does what a notebook does.

    python -m benchmarks.plain_script --files FILE ... [--model M] [--processes N]

pdf2image at 200 dpi, `pytesseract.image_to_data` with its defaults, a sequence padded to 512 tokens, float32, one page
at a time. In one process, PyTorch and Tesseract take as many threads as they like. With more, each has one thread, and
takes the next file when it has done with one: the best that can be made of it without changing what it does.

The last line is a JSON object: `pages`; `seconds`, from when all processes have loaded the model to the last page; and
`cpu_seconds` of that time, Tesseract's included.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from PIL import Image

from model.untrained import UNTRAINED

DPI = 200
PATIENCE_SECONDS = 600
"""For the processes to load the model, and for each file: then one of them has failed."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.plain_script`."""

    files: tuple[Path, ...]
    """PDFs and page images."""
    model: str = UNTRAINED
    """Checkpoint."""
    processes: int = 1
    """Processes; with more than one, each has one thread."""


class PlainScript:
    """The model and its tokenizer, loaded once a process."""

    def __init__(self, model: str) -> None:
        from model import LayoutLMv2ImageProcessorPil
        from pipelines.stages.model_loader import load_model, load_tokenizer

        self._model: Any = load_model(model, "token-classification").model
        self._tokenizer = load_tokenizer(model)
        self._image_processor = LayoutLMv2ImageProcessorPil(apply_ocr=False)

    def labels(self, path: Path) -> list[list[str]]:
        """The labels of the tokens of each page of a file."""
        return [self._labels(image) for image in page_images(path)]

    def _labels(self, image: Image.Image) -> list[str]:
        import numpy as np
        import pytesseract
        import torch

        from model.ocr.engine import normalise_boxes

        data = pytesseract.image_to_data(image, output_type=pytesseract.Output.DICT)
        kept = [index for index, text in enumerate(data["text"]) if text.strip()]
        words = [data["text"][index] for index in kept]
        corners = [
            (data["left"][i], data["top"][i], data["left"][i] + data["width"][i], data["top"][i] + data["height"][i])
            for i in kept
        ]
        boxes = normalise_boxes(corners, image.width, image.height)
        encoding = self._tokenizer(
            words, boxes=boxes, padding="max_length", truncation=True, max_length=512, return_tensors="pt"
        )
        pixels = torch.as_tensor(np.asarray(self._image_processor(image)["pixel_values"][0]))[None]
        with torch.inference_mode():
            logits = self._model(**encoding, image=pixels).logits
        return [self._model.config.id2label[int(label)] for label in logits[0].argmax(-1)]


def page_images(path: Path) -> Iterator[Image.Image]:
    """The pages of a file as the script sees them."""
    import pdf2image

    if path.suffix == ".pdf":
        yield from pdf2image.convert_from_path(path, dpi=DPI)
    else:
        yield Image.open(path).convert("RGB")


def run_in_one_process(files: tuple[Path, ...], model: str) -> dict[str, float]:
    """Pages, seconds and CPU seconds, with the threads that PyTorch and Tesseract choose."""
    script = PlainScript(model)
    started, cpu = time.perf_counter(), _cpu_seconds()
    pages = sum(len(script.labels(path)) for path in files)
    return {"pages": pages, "seconds": time.perf_counter() - started, "cpu_seconds": _cpu_seconds() - cpu}


def run_in_processes(files: tuple[Path, ...], model: str, processes: int) -> dict[str, float]:
    """The same in processes with one thread each."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}  # before the processes import anything
    context = multiprocessing.get_context("spawn")
    ready, left, done = context.Barrier(processes + 1), context.Queue(), context.Queue()
    workers = [context.Process(target=_work, args=(model, ready, left, done), daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait(PATIENCE_SECONDS)
    started = time.perf_counter()
    for item in (*files, *[None] * processes):
        left.put(item)
    results = [done.get(timeout=PATIENCE_SECONDS) for _ in files]
    seconds = time.perf_counter() - started
    return {"pages": sum(p for p, _ in results), "seconds": seconds, "cpu_seconds": sum(cpu for _, cpu in results)}


def _work(model: str, ready: Any, left: Any, done: Any) -> None:
    """One of the processes: it takes files from one queue, and puts (pages, CPU seconds) of each into another."""
    script = PlainScript(model)
    ready.wait(PATIENCE_SECONDS)
    while (path := left.get()) is not None:
        before = _cpu_seconds()
        pages = len(script.labels(path))
        done.put((pages, _cpu_seconds() - before))


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main(options: Options) -> None:
    if options.processes == 1:
        result = run_in_one_process(options.files, options.model)
    else:
        result = run_in_processes(options.files, options.model, options.processes)
    print(json.dumps(result))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

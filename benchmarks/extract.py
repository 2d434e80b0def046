"""How many pages per second does the extraction job process, compared with a plain script?

    python -m benchmarks.extract --scans DIR --contracts DIR [--pages 96] [--plain-pages 16] [--model M] [--repeats 3]

Both use the same weights on the same pages; the script, which takes many times as long, processes only the first
documents. It does what a notebook does: pdf2image at 200 dpi, `pytesseract.image_to_data` with its defaults, a sequence
padded to 512 tokens, float32, one page at a time in one process. The job's pages per second are reported twice: for the
extraction, including the start of its workers, and from the command to the report, including the start of Ray. Each
figure is the median of `--repeats` runs; the script and the job alternate.

Then the cost of each stage per page, alone in one process with one thread.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pdf2image
import pytesseract
import torch
import tyro
from PIL import Image

from model import LayoutLMv2ImageProcessorPil, LayoutLMv2Tokenizer
from model.ocr.engine import normalise_boxes
from model.untrained import UNTRAINED
from pipelines.extract import ExtractOptions, infer_steps, merge_options, read_steps
from pipelines.schema import Row
from pipelines.stages.merge import Merge
from pipelines.stages.model_loader import load_model, load_tokenizer
from pipelines.storage.files import Storage

PLAIN_DPI = 200


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.extract`."""

    scans: Path
    """Folder of page images (PNG, JPEG) without text."""
    contracts: Path
    """Folder of born-digital PDFs."""
    pages: int = 96
    """Pages of each corpus for the job, or a few more: documents are processed whole."""
    plain_pages: int = 16
    """At least this many of them, in whole documents, are also processed by the script."""
    model: str = UNTRAINED
    """Checkpoint for both."""
    repeats: int = 3
    """Runs of each."""


def choose_files(folder: Path, pages: int) -> tuple[list[Path], int]:
    """The first files by name that have at least `pages` pages together, and their number of pages."""
    chosen, count = [], 0
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".pdf", ".png", ".jpg")):
        if count >= pages:
            break
        chosen.append(path)
        count += pdf2image.pdfinfo_from_path(path)["Pages"] if path.suffix == ".pdf" else 1
    return chosen, count


def page_images(paths: list[Path]) -> Iterator[Image.Image]:
    """The pages of files as the script reads them, lazily by file."""
    for path in paths:
        if path.suffix == ".pdf":
            yield from pdf2image.convert_from_path(path, dpi=PLAIN_DPI)
        else:
            yield Image.open(path).convert("RGB")


def run_plain_script(paths: list[Path], model: Any, tokenizer: LayoutLMv2Tokenizer) -> list[list[str]]:
    """The plain script: the labels of the tokens of each page."""
    image_processor = LayoutLMv2ImageProcessorPil(apply_ocr=False)
    labels = []
    for image in page_images(paths):
        data = pytesseract.image_to_data(image, output_type=pytesseract.Output.DICT)
        kept = [index for index, text in enumerate(data["text"]) if text.strip()]
        words = [data["text"][index] for index in kept]
        corners = [
            (data["left"][i], data["top"][i], data["left"][i] + data["width"][i], data["top"][i] + data["height"][i])
            for i in kept
        ]
        boxes = normalise_boxes(corners, image.width, image.height)
        encoding = tokenizer(
            words, boxes=boxes, padding="max_length", truncation=True, max_length=512, return_tensors="pt"
        )
        pixels = torch.as_tensor(np.asarray(image_processor(image)["pixel_values"][0]))[None]
        with torch.inference_mode():
            logits = model(**encoding, image=pixels).logits
        labels.append([model.config.id2label[int(label)] for label in logits[0].argmax(-1)])
    return labels


def run_job(paths: list[Path], model: str) -> tuple[float, float]:
    """Run the job as a user does; return pages per second of the extraction, and seconds from start to end."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            sys.executable,
            "-m",
            "jobs.extract",
            "--input",
            *map(str, paths),
            "--output",
            output,
            "--model",
            model,
        ]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        record = json.loads((Path(output) / "run.json").read_text())
    return record["pages_per_second"], seconds


def stage_costs(paths: list[Path], model: str) -> dict[str, float]:
    """Seconds per page of each stage, one stage at a time over all pages, in this process."""
    options = ExtractOptions(model=model)
    rows: list[Row] = [
        {"document_id": path.name, "uri": str(path), "media_type": "", "page_index": index, "page_count": 0}
        for path in paths
        for index in range(pdf2image.pdfinfo_from_path(path)["Pages"] if path.suffix == ".pdf" else 1)
    ]
    costs = {"fetch": timed(lambda: [Storage().read(str(path)) for path in paths])[0] / len(rows)}
    make_steps = (*read_steps(options), *infer_steps(options, threads=1))
    stages = [(name, make()) for name, make in zip(("rasterize", "ocr", "tokenize", "infer"), make_steps, strict=True)]
    for name, stage in [*stages, ("merge", Merge(merge_options(options)))]:
        seconds, rows = timed(lambda stage=stage, rows=rows: list(stage(rows)))
        costs[name] = seconds / len(rows)
    return costs


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def main() -> None:
    """Print both tables."""
    options = tyro.cli(Options, description=__doc__)
    model = load_model(options.model, "token-classification").model
    tokenizer = load_tokenizer(options.model)
    print(f"{len(os.sched_getaffinity(0))} CPUs; model {options.model}; median of {options.repeats}\n")
    columns = ("corpus", "pages", "plain script, pages/s", "job's extraction, pages/s", "speedup")
    print(_line(*columns, "job from start to end, pages/s", "speedup"))
    print(_line(*["---"] * 7))
    corpora = {"scans": options.scans, "contracts": options.contracts}
    for name, folder in corpora.items():
        paths, pages = choose_files(folder, options.pages)
        plain_paths, _ = choose_files(folder, options.plain_pages)
        plain, extracting, whole = [], [], []
        for _ in range(options.repeats):
            seconds, labels = timed(partial(run_plain_script, plain_paths, model, tokenizer))
            plain.append(len(labels) / seconds)
            rate, seconds = run_job(paths, options.model)
            extracting.append(rate)
            whole.append(pages / seconds)
        base, fast, all_in = (statistics.median(values) for values in (plain, extracting, whole))
        cells = (f"{base:.3f}", f"{fast:.2f}", f"{fast / base:.1f}", f"{all_in:.2f}", f"{all_in / base:.1f}")
        print(_line(name, str(pages), *cells), flush=True)
    # Last, because it changes the number of threads of this process.
    costs = {
        name: stage_costs(choose_files(folder, options.pages)[0], options.model) for name, folder in corpora.items()
    }
    print("\n" + _line("milliseconds per page", *costs["scans"]))
    print(_line(*["---"] * (len(costs["scans"]) + 1)))
    for name, by_stage in costs.items():
        print(_line(name, *(f"{1000 * seconds:.1f}" for seconds in by_stage.values())))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()

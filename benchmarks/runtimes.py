"""How long does a window take in each runtime, and how many pages of a real mix are done in a second?

    python -m jobs.export --format openvino --output exports/openvino
    python -m jobs.export --format onnx --output exports/onnx
    python -m benchmarks.runtimes --exported exports/openvino exports/onnx [--pages FOLDER ...]

Everything runs on one thread. The peer, "PyTorch, images every window", is the network called with each window and its
page's picture, as any program with this model would call it. Rounds of all runtimes alternate; the table has the least
CPU time of a window, in milliseconds, with the page's picture counted once in a window of each length ("+ image" is
that part), and pages/s by CPU time over a mix of pages. The load of the machine is printed first and last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before PyTorch is loaded

import numpy as np
import torch
import tyro

from benchmarks.plan import SAMPLES
from model.checkpoint_source import BUNDLED_FORMS
from model.runtimes.runtime import Runtime
from pipelines.export import ExportPages, read_rows
from pipelines.extract import ExtractOptions
from pipelines.schema import MODEL_IMAGE_SHAPE, Row
from pipelines.stages.infer import Infer, InferOptions, collate
from pipelines.stages.model_loader import load_model, load_runtime
from pipelines.storage.files import normalise_uri

LENGTHS = (64, 128, 256, 512)
"""Tokens of a window."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.runtimes`."""

    exported: tuple[str, ...] = ()
    """Folders that jobs.export wrote of --model."""
    model: str = BUNDLED_FORMS
    """The checkpoint that PyTorch runs."""
    pages: tuple[str, ...] = (str(SAMPLES),)
    """Folders of documents for the mix of lengths, or outputs of jobs.extract."""
    pages_each: int = 16
    """Pages of each of these folders, at most."""
    rounds: int = 5
    """Rounds of windows; the mix of pages is run twice."""


@dataclass
class Measured:
    """A way to run the model, and its least CPU times.

    Attributes:
        image: seconds of a page's picture, 0 where it is part of each window.
        windows: seconds by length.
        mix: seconds of all pages of the mix.
    """

    name: str
    run_image: Callable[[np.ndarray], Any] | None
    run_window: Callable[[dict[str, np.ndarray], np.ndarray, Any], np.ndarray]
    run_mix: Callable[[list[Row]], None]
    image: float = 0.0
    windows: dict[int, float] = field(default_factory=dict)
    mix: float = float("inf")


def cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU time of this process for one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def with_images_every_window(source: str) -> Measured:
    """The peer: PyTorch in float32, each window with its page's picture."""
    model = load_model(source, "token-classification").model

    def run_window(windows: dict[str, np.ndarray], image: np.ndarray, features: Any) -> np.ndarray:
        tensors = {name: torch.from_numpy(array) for name, array in windows.items()}
        with torch.inference_mode():
            return np.asarray(model(**tensors, image=torch.from_numpy(image)).logits)

    def run_mix(rows: list[Row]) -> None:
        for row in rows:
            for window in row["windows"]:
                run_window(collate([window]), image_of(row), None)

    return Measured("PyTorch, images every window", None, run_window, run_mix)


def over_runtime(name: str, source: str) -> Measured:
    """A runtime as the pipeline calls it, through `Infer` for the mix."""
    options = InferOptions(threads=1, device="cpu")
    loaded = load_runtime(source, options)
    runtime: Runtime = loaded.runtime
    runtime.set_threads(1)
    infer = Infer(runtime, loaded.name, options)

    def run_window(windows: dict[str, np.ndarray], image: np.ndarray, features: Any) -> np.ndarray:
        return runtime.logits(windows, features, np.zeros(1, dtype=np.int64))

    def run_mix(rows: list[Row]) -> None:
        failed = [row["error"] for row in infer(rows) if row["status"] != "ok"]
        assert not failed, failed[0]

    return Measured(name, runtime.image_features, run_window, run_mix)


def image_of(row: Row) -> np.ndarray:
    """The picture of a page, uint8 [1, 3, 224, 224]."""
    return np.frombuffer(row["model_image"], dtype=np.uint8).reshape(1, *MODEL_IMAGE_SHAPE).copy()


def full_window(tokens: int) -> dict[str, np.ndarray]:
    """A window of random words and boxes without padding."""
    random = np.random.default_rng(tokens)
    corners = np.sort(random.integers(0, 1001, (1, tokens, 2, 2)), axis=2)
    return {
        "input_ids": random.integers(1000, 30000, (1, tokens)),
        "token_type_ids": np.zeros((1, tokens), dtype=np.int64),
        "attention_mask": np.ones((1, tokens), dtype=np.int64),
        "bbox": corners.reshape(1, tokens, 4),
    }


def measure(ways: Sequence[Measured], rows: list[Row], rounds: int) -> None:
    """Fill in the least CPU times, in alternating rounds; the first calls of each length do not count."""
    picture = image_of(rows[0])
    features = {way.name: way.run_image(picture) if way.run_image is not None else None for way in ways}
    for way in ways:
        if way.run_image is not None:
            way.image = min(cpu_seconds(partial(way.run_image, picture)) for _ in range(rounds))
    for tokens in LENGTHS:
        arguments = (full_window(tokens), picture)
        for number in range(rounds + 1):
            for way in ways:
                seconds = cpu_seconds(partial(way.run_window, *arguments, features[way.name]))
                if number:
                    way.windows[tokens] = min(seconds, way.windows.get(tokens, float("inf")))
    for _ in range(2):
        for way in ways:
            way.mix = min(way.mix, cpu_seconds(partial(way.run_mix, rows)))


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    extract = ExtractOptions(options.model)
    rows = [
        row
        for folder in options.pages
        for row in read_rows(extract, ExportPages(normalise_uri(folder), options.pages_each))
    ]
    ways = [with_images_every_window(options.model), over_runtime("PyTorch", options.model)]
    ways += [over_runtime(os.path.basename(folder.rstrip("/")), folder) for folder in options.exported]
    measure(ways, rows, options.rounds)
    windows = [len(window["input_ids"]) for row in rows for window in row["windows"]]
    print(f"mix: {len(rows)} pages, {len(windows)} windows of {min(windows)} to {max(windows)} tokens\n")
    print(f"| runtime | + image | {' | '.join(f'{tokens} tokens' for tokens in LENGTHS)} | pages/s | times |")
    print(f"|---|{'---|' * (len(LENGTHS) + 3)}")
    for way in ways:
        cells = [f"{1000 * seconds:.0f}" for seconds in (way.image, *(way.windows[tokens] for tokens in LENGTHS))]
        print(f"| {way.name} | {' | '.join(cells)} | {len(rows) / way.mix:.2f} | {ways[0].mix / way.mix:.2f} |")
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""How long does one window take on one thread of a CPU, by its length?

    python -m benchmarks.windows [--model bundled] [--dtype float32] [--rounds 7]

Compares the model called as a module, with the picture at every window, with the pipeline's runtime, which computes a
page's visual features once. Both alternate in one process; times are of the thread's CPU, which other processes disturb
less than the clock, and the median of the rounds. The share of windows' labels that are the same is printed too.
"""

from __future__ import annotations

import copy
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import tyro

from model.checkpoint_source import BUNDLED_FORMS
from model.runtimes.dtype_choice import label_agreement
from model.runtimes.torch_runtime import TorchRuntime
from pipelines.stages.model_loader import load_model, probe_windows

TASK = "token-classification"


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.windows`."""

    model: str = BUNDLED_FORMS
    """The model, as in jobs.extract."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the runtime; the module runs in float32."""
    lengths: tuple[int, ...] = (64, 128, 256, 512)
    """Tokens of the windows; the visual tokens come on top."""
    rounds: int = 7
    """Calls of each, of which the median is reported."""


def window_of(tokens: int, page: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A window of so many tokens: those of a page, repeated as often as necessary."""
    return {name: np.ascontiguousarray(np.resize(array, (1, tokens, *array.shape[2:]))) for name, array in page.items()}


def alternate(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """The median CPU time of each call in milliseconds; a first round is not counted."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, own in zip(calls, times, strict=True):
            started = time.thread_time()
            call()
            own.append(1000 * (time.thread_time() - started))
    return [statistics.median(own[1:]) for own in times]


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    module = load_model(options.model, TASK).model.eval()
    runtime = TorchRuntime(copy.deepcopy(module), TASK, "cpu", getattr(torch, options.dtype))
    page, image = probe_windows(options.model)
    first = np.zeros(1, dtype=np.int64)
    features = runtime.image_features(image)

    @torch.inference_mode()
    def plain(window: dict[str, np.ndarray]) -> np.ndarray:
        tensors = {name: torch.from_numpy(array) for name, array in window.items()}
        return module(**tensors, image=torch.from_numpy(image)).logits.numpy()

    print(f"{platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}, one thread, {options.dtype}\n")
    print("| tokens | module with picture, ms | runtime, ms | times | same labels |\n| --- | --- | --- | --- | --- |")
    for tokens in options.lengths:
        window = window_of(tokens, page)
        before, after = alternate(
            [lambda w=window: plain(w), lambda w=window: runtime.logits(w, features, first)],  # type: ignore[misc]
            options.rounds,
        )
        same = label_agreement(plain(window), runtime.logits(window, features, first), TASK)
        print(f"| {tokens} | {before:.0f} | {after:.0f} | {before / after:.2f} | {same:.1%} |", flush=True)
    pixels = torch.from_numpy(image)
    with torch.inference_mode():
        before, after = alternate(
            [lambda: module.base_model.image_features(pixels), lambda: runtime.image_features(image)], options.rounds
        )
    print(f"| picture of a page | {before:.0f} | {after:.0f} | {before / after:.2f} | |")


if __name__ == "__main__":
    main()

"""Real pages from the host's memory to logits in it, batched as the batch job does: the seconds that a plan takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from benchmarks.accelerator.ceilings import name_of
from benchmarks.accelerator.inference import as_graph
from benchmarks.accelerator.pages import SIDE, Pages, Window
from benchmarks.accelerator.setting import MODELS, Case, NotHereError, Row, Setting, batch_of, kept_model

LENGTH_MULTIPLE = 8
"""As in `pipelines.stages.infer`: what a batch is padded to."""

BUCKETS = (64, 128, 192, 256, 320, 384, 448, 512)
"""Lengths for which there is a graph."""

FULL_PAGE = (2200, 1700)
"""Height and width of a letter page at 200 dpi, in pixels."""

Batch = tuple[list[Window], int]
"""Windows, and the tokens to which they are padded."""


def mixed_cases(setting: Setting) -> list[Case]:
    """Both models over all pages, in batches as the job's and in larger ones, and with a graph a length."""
    sizes = (64,) if setting.quick else (4096, 16384)
    eager = [
        Case(f"{model} eager, {size} tokens a batch", partial(eager_pages, setting, model, size))
        for model in MODELS
        for size in sizes
    ]
    graphs = [
        Case(f"{model} CUDA graphs by length", partial(graph_pages, setting, model, sizes[-1])) for model in MODELS
    ]
    return [*eager, *graphs]


def batches_by_length(windows: Sequence[Window], batch_tokens: int) -> list[Batch]:
    """Windows of similar length together, cut before a padded batch exceeds `batch_tokens`."""
    batches: list[Batch] = []
    for window in sorted(windows, key=lambda window: -window.tokens):
        if batches and batches[-1][1] * (len(batches[-1][0]) + 1) <= batch_tokens:
            batches[-1][0].append(window)
        else:
            batches.append(([window], -(-window.tokens // LENGTH_MULTIPLE) * LENGTH_MULTIPLE))
    return batches


@torch.inference_mode()
def eager_pages(setting: Setting, name: str, batch_tokens: int) -> Row:
    """Seconds a page of scans, of pages with a text layer, and of all."""
    model, pages = kept_model(name, setting, setting.dtype), setting.pages()

    def answer(windows: Sequence[Window]) -> None:
        for chosen, tokens in batches_by_length(windows, batch_tokens):
            logits = model(**batch_of(chosen, pages, tokens, setting.device)).logits
            assert logits is not None
            logits.float().cpu()

    setting.forget_peak()
    row = {"model": name, "way": "eager", "dtype": name_of(setting.dtype), "batch_tokens": batch_tokens}
    return row | _seconds_by_kind(setting, pages, answer) | {"peak_megabytes": setting.peak_megabytes()}


def _seconds_by_kind(setting: Setting, pages: Pages, answer: Callable[[Sequence[Window]], None]) -> Row:
    kinds = {
        "scanned_page_seconds": [window for window in pages.windows if pages.scanned[window.page]],
        "layer_page_seconds": [window for window in pages.windows if not pages.scanned[window.page]],
        "page_seconds": list(pages.windows),
    }
    found: Row = {"pages": len(pages.pictures), "windows": len(pages.windows)}
    for kind, windows in kinds.items():
        count = len({window.page for window in windows})
        found[kind] = round(setting.seconds(partial(answer, windows)) / count, 7) if count else None
    return found


@torch.inference_mode()
def graph_pages(setting: Setting, name: str, batch_tokens: int) -> Row:
    """The same with one graph for each length; batches are filled up with empty windows, and pictures are one each.

    Raises:
        NotHereError: not a CUDA device.
    """
    if not setting.on_gpu:
        raise NotHereError("CUDA graphs need a CUDA device")
    model, pages = kept_model(name, setting, setting.dtype), setting.pages()
    setting.forget_peak()
    began = time.perf_counter()
    graphs: dict[int, tuple[dict[str, torch.Tensor], Any, torch.Tensor]] = {}
    for tokens in BUCKETS:
        inputs = empty_batch(max(1, batch_tokens // tokens), tokens, setting.device)
        graphs[tokens] = inputs, *captured_call(setting, partial(model, **inputs))
    captured = time.perf_counter() - began

    def answer(windows: Sequence[Window]) -> None:
        for tokens in BUCKETS:
            shorter = max((bucket for bucket in BUCKETS if bucket < tokens), default=0)
            chosen = [window for window in windows if shorter < window.tokens <= tokens]
            inputs, replay, logits = graphs[tokens]
            size = len(inputs["input_ids"])
            for first in range(0, len(chosen), size):
                part = chosen[first : first + size]
                batch = batch_of(part, pages, tokens)
                batch["image"] = batch["image"][batch["image_of_row"]]
                for argument, target in inputs.items():
                    if argument != "image_of_row":
                        target[: len(part)].copy_(batch[argument], non_blocking=True)
                replay()
                logits[: len(part)].float().cpu()

    row = {"model": name, "way": "CUDA graphs by length", "dtype": name_of(setting.dtype), "batch_tokens": batch_tokens}
    seconds = _seconds_by_kind(setting, pages, answer)
    return row | seconds | {"peak_megabytes": setting.peak_megabytes(), "capture_seconds": round(captured, 2)}


def captured_call(setting: Setting, call: Callable[[], Any]) -> tuple[Callable[[], Any], torch.Tensor]:
    """A graph of a model's call, and the logits that each replay writes anew."""
    results: list[torch.Tensor] = []
    replay = as_graph(setting, lambda: results.append(call().logits), {})
    return replay, results[-1]


def empty_batch(batch: int, tokens: int, device: str) -> dict[str, torch.Tensor]:
    """A model's arguments for windows without text, to be filled in place."""
    return {
        "input_ids": torch.zeros(batch, tokens, dtype=torch.long, device=device),
        "bbox": torch.zeros(batch, tokens, 4, dtype=torch.long, device=device),
        "attention_mask": torch.ones(batch, tokens, dtype=torch.long, device=device),
        "image": torch.zeros(batch, 3, SIDE, SIDE, dtype=torch.uint8, device=device),
        "image_of_row": torch.arange(batch, device=device),
    }


def picture_cases(setting: Setting) -> list[Case]:
    """Where pictures should be made small: before they travel to the device, or on it."""
    return [
        Case("small pictures", partial(picture_seconds, setting, resized_on_device=False)),
        Case("whole pages, resized on the device", partial(picture_seconds, setting, resized_on_device=True)),
    ]


@torch.inference_mode()
def picture_seconds(setting: Setting, resized_on_device: bool) -> Row:
    """Milliseconds a page until the backbone's input is on the device: sent as bytes, resized, normalised there."""
    count = 2 if setting.quick else 16
    full = (FULL_PAGE[0] // 8, FULL_PAGE[1] // 8) if setting.quick else FULL_PAGE
    side = full if resized_on_device else (SIDE, SIDE)
    pixels = torch.randint(0, 256, (count, 3, *side), dtype=torch.uint8)
    pixels = pixels.pin_memory() if setting.on_gpu else pixels
    mean, deviation = (torch.rand(3, 1, 1, device=setting.device) + 1 for _ in range(2))

    def prepare() -> torch.Tensor:
        sent = pixels.to(setting.device, non_blocking=True).float()
        if resized_on_device:
            sent = functional.interpolate(sent, (SIDE, SIDE), mode="bilinear", antialias=True)
        return ((sent - mean) / deviation).to(setting.dtype)

    seconds = setting.seconds(prepare)
    where = "whole page, resized on the device" if resized_on_device else "224 by 224, normalised on the device"
    return {"sent": where, "bytes": pixels[0].numel(), "milliseconds_per_page": round(1000 * seconds / count, 4)}

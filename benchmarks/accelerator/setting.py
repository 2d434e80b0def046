"""Where and how large `benchmarks.gpu` measures, the models that it measures, and its clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from benchmarks.accelerator.pages import SIDE, Pages, Window, load_pages
from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification
from model.checkpoint_source import BUNDLED_FORMS, resolve_checkpoint
from model.untrained import FORM_LABELS, untrained_config

MODELS = ("bundled", "base")
"""The model of this package, and one of the published base model's sizes with random weights."""

QUICK_PAGES = 2

Row = dict[str, Any]
"""A row of a section's table: names of columns and JSON values."""


@dataclass(frozen=True)
class Case:
    """One measurement of a section.

    Attributes:
        name: unique in its section.
        measure: does it; returns the row of the table.
    """

    name: str
    measure: Callable[[], Row]


class NotHereError(RuntimeError):
    """What a case measures does not exist on this machine; the message says why."""


@dataclass(frozen=True)
class Setting:
    """Where and how large.

    Attributes:
        device: as PyTorch names it.
        quick: everything small, to see that all of it runs.
    """

    device: str
    quick: bool

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    @property
    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Those of inference: a GPU's; on a CPU float32 too, which may be the only one in hardware."""
        return (torch.bfloat16, torch.float16) if self.on_gpu else (torch.float32, torch.bfloat16)

    @property
    def dtype(self) -> torch.dtype:
        """That of inference where there is one."""
        return self.dtypes[0]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Text tokens of a window."""
        return (16,) if self.quick else (64, 128, 256, 512)

    @property
    def side(self) -> int:
        """Of a picture, in pixels."""
        return 64 if self.quick else SIDE

    @property
    def batches(self) -> tuple[int, ...]:
        """Windows of a batch."""
        return (2,) if self.quick else (1, 8, 32)

    def pages(self) -> Pages:
        """The pages that are read from the file; in quick ones a corner of two, one of each kind."""
        if not self.quick:
            return load_pages()
        pages = load_pages(QUICK_PAGES)
        last = {window.page: window for window in pages.windows}
        shortened = (Window(one.page, one.input_ids[:12], one.bbox[:12]) for one in last.values())
        return Pages(pages.pictures[..., : self.side, : self.side], pages.scanned, tuple(shortened))

    def seconds(self, run: Callable[[], Any], spent: float = 0.4) -> float:
        """The median seconds of a call: warm, waited for, repeated for about `spent` seconds."""
        run()
        taken: list[float] = []
        self.wait()
        began = time.perf_counter()
        while not taken or (not self.quick and (len(taken) < 3 or time.perf_counter() - began < spent)):
            started = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def forget_peak(self) -> None:
        """Count the peak of memory from here."""
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_megabytes(self) -> float | None:
        """The peak of the device's memory; None on a CPU."""
        return round(torch.cuda.max_memory_allocated() / 1e6, 1) if self.on_gpu else None


def model_config(name: str, quick: bool) -> LayoutLMv2Config:
    """The configuration of one of `MODELS`; a quick one of the base model is small."""
    if name == "bundled":
        return LayoutLMv2Config.from_pretrained(resolve_checkpoint(BUNDLED_FORMS, weights=False))
    labels = {"id2label": dict(enumerate(FORM_LABELS)), "label2id": {label: at for at, label in enumerate(FORM_LABELS)}}
    return untrained_config("token-classification") if quick else LayoutLMv2Config(**labels)


@lru_cache(maxsize=1)  # to draw the base model's weights takes seconds, and cases are in the order of models
def kept_model(name: str, setting: Setting, dtype: torch.dtype) -> LayoutLMv2ForTokenClassification:
    """As `make_model`, but the same object each time: for what leaves its weights as they are."""
    return make_model(name, setting, dtype)


def make_model(name: str, setting: Setting, dtype: torch.dtype) -> LayoutLMv2ForTokenClassification:
    """One of `MODELS` on the device, in evaluation mode, without the check of inputs, which waits for the device."""
    if name == "bundled":
        model = LayoutLMv2ForTokenClassification.from_pretrained(resolve_checkpoint(BUNDLED_FORMS))
    else:
        torch.manual_seed(0)
        model = LayoutLMv2ForTokenClassification(model_config(name, setting.quick))
    model.layoutlmv2.validate_inputs = False
    return model.eval().to(device=setting.device, dtype=dtype)


def batch_of(windows: Sequence[Window], pages: Pages, tokens: int, device: str = "cpu") -> dict[str, torch.Tensor]:
    """A model's arguments for windows, cut or padded to `tokens`; the windows of a page share its picture."""
    shown = sorted({window.page for window in windows})
    ids = np.zeros((len(windows), tokens), np.int64)
    boxes, mask = np.zeros((len(windows), tokens, 4), np.int64), np.zeros_like(ids)
    for row, window in enumerate(windows):
        count = min(tokens, window.tokens)
        ids[row, :count], boxes[row, :count], mask[row, :count] = window.input_ids[:count], window.bbox[:count], 1
    arrays = {
        "input_ids": ids,
        "bbox": boxes,
        "attention_mask": mask,
        "image": np.ascontiguousarray(pages.pictures[shown]),
        "image_of_row": np.array([shown.index(window.page) for window in windows]),
    }
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def full_batch(setting: Setting, pages: Pages, batch: int, tokens: int) -> dict[str, torch.Tensor]:
    """`batch` windows with all `tokens` taken, each of a page of its own, on the device: the longest ones, repeated."""
    longest = sorted(pages.windows, key=lambda window: -window.tokens)
    filled = []
    for row in range(batch):
        window = longest[row % len(longest)]
        repeats = -(-tokens // window.tokens)
        ids, boxes = np.tile(window.input_ids, repeats), np.tile(window.bbox, (repeats, 1))
        filled.append(Window(row % len(pages.pictures), ids[:tokens], boxes[:tokens]))
    inputs = batch_of(filled, pages, tokens, setting.device)
    inputs["image"] = inputs["image"][inputs["image_of_row"]].contiguous()
    inputs["image_of_row"] = torch.arange(batch, device=setting.device)
    return inputs

"""Windows a second by length and batch, as PyTorch comes, with CUDA graphs and compiled; and where the time goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.accelerator.ceilings import name_of
from benchmarks.accelerator.operations import count_operations, encoder_bytes
from benchmarks.accelerator.setting import (
    MODELS,
    Case,
    NotHereError,
    Row,
    Setting,
    full_batch,
    kept_model,
)

Inputs = dict[str, torch.Tensor]
Run = Callable[[], Any]
Prepare = Callable[[Setting, Any, Inputs], Run]
"""Makes of a model and its inputs what is timed."""

WARM_UP = 3
"""Calls before a graph is captured: libraries choose and reserve in them."""


def as_it_comes(setting: Setting, model: Any, inputs: Inputs) -> Run:
    """The model itself."""
    return lambda: model(**inputs).logits


def as_graph(setting: Setting, model: Any, inputs: Inputs) -> Run:
    """The model's kernels for these shapes, recorded once and launched as one.

    Raises:
        NotHereError: not a CUDA device.
    """
    if not setting.on_gpu:
        raise NotHereError("CUDA graphs need a CUDA device")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            model(**inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(**inputs)
    return graph.replay


def compiled(setting: Setting, model: Any, inputs: Inputs) -> Run:
    """The model through torch.compile, for these shapes; quick measurements only trace it."""
    torch._dynamo.reset()
    run = torch.compile(model, dynamic=False, backend="eager" if setting.quick else "inductor")
    return lambda: run(**inputs).logits


def inference_cases(setting: Setting) -> list[Case]:
    """Both models as they come and as graphs, by length and batch; the bundled one first."""
    return [
        _case(setting, model, way, prepare, tokens, batch)
        for model in MODELS
        for way, prepare in (("eager", as_it_comes), ("CUDA graph", as_graph))
        for tokens in reversed(setting.lengths)
        for batch in setting.batches
    ]


def compile_cases(setting: Setting) -> list[Case]:
    """torch.compile, which takes half a minute a shape: the largest batch of the longest and of a short length."""
    lengths = dict.fromkeys((setting.lengths[-1], setting.lengths[len(setting.lengths) // 3]))
    return [
        _case(setting, model, "torch.compile", compiled, tokens, setting.batches[-1])
        for tokens in lengths
        for model in MODELS
    ]


def _case(setting: Setting, model: str, way: str, prepare: Prepare, tokens: int, batch: int) -> Case:
    name = f"{model} {way} {tokens} tokens, batch {batch}"
    return Case(name, partial(windows_per_second, setting, model, way, prepare, tokens, batch))


@torch.inference_mode()
def windows_per_second(setting: Setting, name: str, way: str, prepare: Prepare, tokens: int, batch: int) -> Row:
    """The row of a model at a length and batch, a picture for each window, everything on the device already."""
    model = kept_model(name, setting, setting.dtype)
    inputs = full_batch(setting, setting.pages(), batch, tokens)
    setting.forget_peak()
    seconds = setting.seconds(prepare(setting, model, inputs))
    operations = 2 * batch * count_operations(model.config, tokens, setting.side).total
    return {
        "model": name,
        "way": way,
        "dtype": name_of(setting.dtype),
        "tokens": tokens,
        "batch": batch,
        "windows_per_second": round(batch / seconds, 2),
        "teraflops": round(operations / seconds / 1e12, 4),
        "peak_megabytes": setting.peak_megabytes(),
    }


def part_cases(setting: Setting) -> list[Case]:
    """The parts of the models at the largest batch of full windows."""
    return [Case(f"{model} {part}", partial(part_seconds, setting, model, part)) for model in MODELS for part in PARTS]


@torch.inference_mode()
def part_seconds(setting: Setting, name: str, part: str) -> Row:
    """The row of a part of a model."""
    tokens, batch = setting.lengths[-1], setting.batches[-1]
    model = kept_model(name, setting, setting.dtype)
    inputs = full_batch(setting, setting.pages(), batch, tokens)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    seconds = setting.seconds(PARTS[part](model.layoutlmv2, inputs))
    counted = count_operations(model.config, tokens, setting.side)
    operations = {"backbone": counted.backbone, "encoder": counted.encoder}.get(part)
    moved = encoder_bytes(model.config, tokens, batch, setting.dtype.itemsize) if part == "encoder" else None
    return {
        "model": name,
        "part": part,
        "dtype": name_of(setting.dtype),
        "tokens": tokens,
        "batch": batch,
        "milliseconds": round(1000 * seconds, 3),
        "teraflops": round(2 * batch * operations / seconds / 1e12, 4) if operations else None,
        "gigabytes_per_second": round(moved / seconds / 1e9, 2) if moved else None,
    }


def _backbone(model: Any, inputs: Inputs) -> Run:
    return lambda: model.visual_proj(model.visual(inputs["image"]))


def _encoder(model: Any, inputs: Inputs) -> Run:
    embedded = model.embed(**inputs)
    return lambda: model.encode(embedded)


def _bias(model: Any, inputs: Inputs) -> Run:
    one = model.embed(**inputs)
    return lambda: model.encoder.attention_bias(one.position_ids, one.bbox, one.visible, one.hidden.dtype)


PARTS: dict[str, Callable[[Any, Inputs], Run]] = {"backbone": _backbone, "encoder": _encoder, "attention bias": _bias}
"""The bias is part of the encoder, computed once for all layers."""

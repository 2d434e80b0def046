"""Seconds of work that a page costs at each stage: those that were measured for this package, or those of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

GPU_SECONDS_ASSUMED = 0.005
"""A scanned page on a GPU. Nobody has measured it for this package: a round number to be put right by the user."""


@dataclass(frozen=True)
class PageSeconds:
    """Seconds of one core for a page, by stage; `infer_gpu` is seconds of a GPU."""

    fetch: float
    rasterize: float
    ocr: float
    tokenize: float
    infer_cpu: float
    infer_gpu: float
    merge: float

    @property
    def read(self) -> float:
        """All that the reading nodes' cores do for a page, the model left out."""
        return self.fetch + self.rasterize + self.ocr + self.tokenize + self.merge


@dataclass(frozen=True)
class StageCosts:
    """What a plan is computed from.

    Attributes:
        scanned, layer: of a page that OCR reads, and of one whose text layer is taken.
        document: core seconds to open a document and count its pages, when it is listed.
        block: core seconds that Ray takes for a block of pages on its way through the stages.
        read_start, infer_start: core seconds until a worker that reads, or runs the model, is ready.
        source: where they are from: machine and date, or the run.
        assumed: names of figures that nobody measured.
    """

    scanned: PageSeconds
    layer: PageSeconds
    document: float
    block: float
    read_start: float
    infer_start: float
    source: str
    assumed: tuple[str, ...] = ()


SHIPPED = StageCosts(
    scanned=PageSeconds(0.0004, 0.0103, 0.4815, 0.0007, 0.0616, GPU_SECONDS_ASSUMED, 0.0024),
    layer=PageSeconds(0.0001, 0.0190, 0.0, 0.0030, 0.1383, GPU_SECONDS_ASSUMED * 0.1383 / 0.0616, 0.0135),
    document=0.02,
    block=0.12,
    read_start=2.0,
    infer_start=4.0,
    source="FUNSD forms (scanned) and Kleister-NDA contracts (layer), the untrained small model; 2 cores (virtual), "
    "24 GiB, no GPU, 2026-11-22",
    assumed=("document", "infer_gpu"),
)
"""The pages' and the block's seconds are those of `benchmarks/RESULTS.md`."""


def stage_costs_of_run(record: Mapping[str, Any], known: StageCosts = SHIPPED) -> StageCosts:
    """Figures with rendering, OCR and the model as the run in `record` (a `run.json`) measured them.

    A run tells seconds by stage summed over its pages, and not by kind of page: rendering is shared out evenly, OCR
    goes to the pages that it read, and the model's seconds are shared out in the proportion that `known` gives. They
    are seconds by the clock, so a run whose workers had to share cores makes pages dearer than they are.

    Raises:
        ValueError: it is not the record of a run that ended with pages.
    """
    try:
        by_stage, sources = record["seconds"]["by_stage"], record["pages"]["by_text_source"]
        on_gpu = record["pools"]["infer_gpus"] > 0
        run_id, finished = record["run_id"], record["finished"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not the record of a finished run: {error} is missing") from error
    scanned, all_pages = sources.get("ocr", 0), sum(sources.values())
    if not all_pages:
        raise ValueError("the run read no page, so it tells nothing about the next one")
    rasterize = by_stage["rasterize"] / all_pages
    ocr = by_stage["ocr"] / scanned if scanned else known.scanned.ocr
    name = "infer_gpu" if on_gpu else "infer_cpu"
    dear, cheap = getattr(known.layer, name), getattr(known.scanned, name)
    weight = by_stage["infer"] / (cheap * scanned + dear * (all_pages - scanned))
    return replace(
        known,
        scanned=replace(known.scanned, rasterize=rasterize, ocr=ocr, **{name: cheap * weight}),
        layer=replace(known.layer, rasterize=rasterize, **{name: dear * weight}),
        source=f"run {run_id} of {finished}; where a run tells nothing: {known.source}",
        assumed=tuple(name for name in known.assumed if not (on_gpu and name == "infer_gpu")),
    )


def with_gpu_seconds(figures: StageCosts, seconds: float) -> StageCosts:
    """With a scanned page's seconds on the GPU as the user knows them; other pages' in proportion to their windows."""
    ratio = figures.layer.infer_cpu / figures.scanned.infer_cpu
    return replace(
        figures,
        scanned=replace(figures.scanned, infer_gpu=seconds),
        layer=replace(figures.layer, infer_gpu=seconds * ratio),
        assumed=tuple(name for name in figures.assumed if name != "infer_gpu"),
    )


def on_faster_cores(figures: StageCosts, speed: float) -> StageCosts:
    """For cores that are `speed` times as fast as those that were measured; GPUs stay as they are."""

    def scaled(page: PageSeconds) -> PageSeconds:
        names = ("fetch", "rasterize", "ocr", "tokenize", "infer_cpu", "merge")
        return replace(page, **{name: getattr(page, name) / speed for name in names})

    names = ("document", "block", "read_start", "infer_start")
    return replace(
        figures,
        scanned=scaled(figures.scanned),
        layer=scaled(figures.layer),
        **{name: getattr(figures, name) / speed for name in names},
    )

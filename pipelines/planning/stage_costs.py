"""Seconds of work for a page at each stage: as measured for this package, by a run, or by `benchmarks.gpu`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.planning.fleet import ModelDevice
from pipelines.planning.measured_files import GpuSeconds, positive
from pipelines.planning.origins import Origin, Origins, both_kinds, with_speed

GPU_SECONDS_ASSUMED = 0.005
"""Seconds of a GPU for a scanned page. It has not been measured for this package: users should give their own."""


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
        """All work of the reading nodes' cores for a page, without the model."""
        return self.fetch + self.rasterize + self.ocr + self.tokenize + self.merge


@dataclass(frozen=True)
class StageCosts:
    """The costs that a plan is computed from.

    Attributes:
        scanned, layer: of a page that OCR reads, and of a page with a text layer.
        document: core seconds to open a document and count its pages in the listing.
        block: core seconds of Ray itself for a block of pages on its way through three operators, as with GPUs.
        whole_block: the same with one operator, whose workers do all of a page, as without GPUs.
        node_cores: cores of an ocr node that Ray's own processes there keep busy, whatever the pages are.
        read_start, infer_start: core seconds until a worker that reads, or runs the model, is ready.
        origins: where each figure comes from.
    """

    scanned: PageSeconds
    layer: PageSeconds
    document: float
    block: float
    whole_block: float
    node_cores: float
    read_start: float
    infer_start: float
    origins: Origins = field(default_factory=dict)

    def of_block(self, model_on: ModelDevice) -> float:
        """Core seconds of Ray itself for a block, by the device of the model."""
        return self.block if model_on == "gpu" else self.whole_block

    def assumed(self) -> list[str]:
        """Names of figures that nobody measured."""
        return [name for name, origin in self.origins.items() if origin.kind == "assumed"]


_MEASURED_HERE = Origin(
    "shipped",
    "FUNSD forms (scanned) and Kleister-NDA contracts (layer), the untrained small model, 2026-11-22",
    "2 cores (virtual), 24 GiB, no GPU",
)

_RAY_MEASURED = Origin(
    "shipped", "Ray's processes at 2 and at 10 blocks a second, 2026-11-29", "2 cores (virtual) of an AMD EPYC, no GPU"
)

SHIPPED = StageCosts(
    scanned=PageSeconds(0.0004, 0.0103, 0.4815, 0.0007, 0.0616, GPU_SECONDS_ASSUMED, 0.0024),
    layer=PageSeconds(0.0001, 0.0190, 0.0, 0.0030, 0.1383, GPU_SECONDS_ASSUMED * 0.1383 / 0.0616, 0.0135),
    document=0.02,
    block=0.12,
    whole_block=0.01,
    node_cores=0.03,
    read_start=2.0,
    infer_start=4.0,
    origins={
        **dict.fromkeys(both_kinds("fetch", "rasterize", "ocr", "tokenize", "infer_cpu", "merge"), _MEASURED_HERE),
        **dict.fromkeys(("block", "read_start", "infer_start"), _MEASURED_HERE),
        **dict.fromkeys(("whole_block", "node_cores"), _RAY_MEASURED),
        "document": Origin("assumed", "seconds of a core to count the pages of a document"),
        **dict.fromkeys(both_kinds("infer_gpu"), Origin("assumed", "seconds of a GPU for a page")),
    },
)
"""The seconds of pages and blocks are those of `benchmarks/RESULTS.md`."""


def stage_costs_of_run(record: Mapping[str, Any], known: StageCosts = SHIPPED) -> StageCosts:
    """Costs with rendering, OCR and the model as measured by a run.

    A run records seconds by stage, summed over all pages of its output. Rendering is divided evenly over them, OCR over
    the pages that it read at least in part, and the model's seconds in the proportion of `known`. These are wall-clock
    seconds: they are too high if the workers of the run shared cores.

    Args:
        record: the content of a `run.json`.
        known: the costs of everything that a run does not record.

    Raises:
        ValueError: `record` is not that of a finished run, has seconds that make no sense, or the run read no page.
    """
    try:
        by_stage, sources = record["seconds"]["by_stage"], record["pages"]["by_text_source"]
        on_gpu = record["pools"]["infer_gpus"] > 0
        run_id, finished = record["run_id"], record["finished"]
        scanned, all_pages = sources.get("ocr", 0) + sources.get("mixed", 0), sum(sources.values())
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not the record of a finished run: {error} is missing") from error
    if not all_pages:
        raise ValueError("the run read no page, so it says nothing about the next one")
    rasterize = positive(by_stage, "rasterize") / all_pages
    ocr = positive(by_stage, "ocr") / scanned if scanned else known.scanned.ocr
    name = "infer_gpu" if on_gpu else "infer_cpu"
    of_layer, of_scanned = getattr(known.layer, name), getattr(known.scanned, name)
    weight = positive(by_stage, "infer") / (of_scanned * scanned + of_layer * (all_pages - scanned))
    measured = Origin("measured", f"run {run_id} of {finished}, {all_pages:,} pages", machine_of_run(record))
    split = replace(measured, kind="in proportion")
    kinds = {"scanned": scanned, "layer": all_pages - scanned}
    one_kind = [kind for kind, pages in kinds.items() if pages == all_pages]
    origins = {
        **known.origins,
        **dict.fromkeys(both_kinds("rasterize"), measured),
        **({"scanned.ocr": measured} if scanned else {}),
        **{f"{kind}.{name}": measured if kind in one_kind else split for kind in kinds},
    }
    return replace(
        known,
        scanned=replace(known.scanned, rasterize=rasterize, ocr=ocr, **{name: of_scanned * weight}),
        layer=replace(known.layer, rasterize=rasterize, **{name: of_layer * weight}),
        origins=origins,
    )


def machine_of_run(record: Mapping[str, Any]) -> str:
    """The machine of a run as its record has it, with its workers; on a cluster it is that of the job's driver."""
    machine, pools = record.get("machine"), record["pools"]
    described = "a machine that run.json does not name"
    if isinstance(machine, Mapping) and {"processor", "cores"} <= machine.keys():
        described = f"{machine['processor']}, {machine['cores']} cores"
    readers, models = pools.get("read_actors"), pools.get("infer_actors")
    if readers and pools.get("whole_pages"):
        return f"{described}, up to {readers} workers that do all of a page"
    return described + (f", up to {readers} reading and {models} model workers" if readers and models else "")


def with_measured_gpu(costs: StageCosts, seconds: GpuSeconds) -> StageCosts:
    """The costs with the seconds of a GPU that `benchmarks.gpu` measured on real pages of both kinds."""
    origin = Origin("measured", seconds.source, seconds.machine)
    return replace(
        costs,
        scanned=replace(costs.scanned, infer_gpu=seconds.scanned_page),
        layer=replace(costs.layer, infer_gpu=seconds.layer_page),
        origins={**costs.origins, **dict.fromkeys(both_kinds("infer_gpu"), origin)},
    )


def with_gpu_seconds(costs: StageCosts, seconds: float) -> StageCosts:
    """The costs with given GPU seconds for a scanned page; those of other pages are in proportion to the CPU's."""
    ratio = costs.layer.infer_cpu / costs.scanned.infer_cpu
    given = {
        "scanned.infer_gpu": Origin("given", "--gpu-page-seconds"),
        "layer.infer_gpu": Origin("in proportion", "--gpu-page-seconds, as the CPU's seconds of both kinds of pages"),
    }
    return replace(
        costs,
        scanned=replace(costs.scanned, infer_gpu=seconds),
        layer=replace(costs.layer, infer_gpu=seconds * ratio),
        origins={**costs.origins, **given},
    )


def on_faster_cores(costs: StageCosts, speed: float) -> StageCosts:
    """The costs on cores that are `speed` times as fast as the measured ones; GPU seconds are unchanged."""

    def scaled(page: PageSeconds) -> PageSeconds:
        names = ("fetch", "rasterize", "ocr", "tokenize", "infer_cpu", "merge")
        return replace(page, **{name: getattr(page, name) / speed for name in names})

    names = ("document", "block", "whole_block", "node_cores", "read_start", "infer_start")
    return replace(
        costs,
        scanned=scaled(costs.scanned),
        layer=scaled(costs.layer),
        origins=costs.origins if speed == 1 else with_speed(costs.origins, speed, "infer_gpu"),
        **{name: getattr(costs, name) / speed for name in names},
    )

"""Should rasterize and OCR be one Ray Data operator, or two with page images stored between them?

    python -m benchmarks.operators --contracts DIR [--pages 32] [--repeats 3]

All pages go through OCR. Both variants have one OCR actor per CPU; with two operators, rendering runs in tasks beside
them. Prints pages per second from the first block to the last, and the size of each page stored between the operators.
"""

from __future__ import annotations

import logging
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pdf2image
import pyarrow as pa
import ray
import tyro

from model.untrained import UNTRAINED
from pipelines.extract import ExtractOptions, read_steps
from pipelines.runtime.pools import Pools, plan_pools
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import PAGE_TO_DO, RASTERIZED, TOKENIZED, Row
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.ray_data import StageRunner, map_stage, map_stages

PAGES_PER_BLOCK = 4
MEGABYTE = 1_000_000
OCR_ALWAYS = ExtractOptions(model=UNTRAINED, rasterize=RasterizeOptions(text="ocr"))


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.operators`."""

    contracts: Path
    """Folder of PDFs."""
    pages: int = 32
    """Pages to read."""
    repeats: int = 3
    """Runs of each variant, alternating."""


def pages_of(folder: Path, count: int) -> list[Row]:
    """`PAGE_TO_DO` rows of the first documents."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.pdf")):
        pages = pdf2image.pdfinfo_from_path(path)["Pages"]
        identity = {"document_id": path.name, "uri": str(path), "media_type": "application/pdf", "page_count": pages}
        rows += [{**identity, "page_index": index} for index in range(pages)]
        if len(rows) >= count:
            break
    return rows[:count]


def read(rows: list[Row], pools: Pools, operators: int) -> ray.data.Dataset:
    """The reading part of the pipeline as one or two operators."""
    blocks = [
        pa.Table.from_pylist(rows[first : first + PAGES_PER_BLOCK], schema=PAGE_TO_DO)
        for first in range(0, len(rows), PAGES_PER_BLOCK)
    ]
    rasterize, *others = read_steps(OCR_ALWAYS)
    dataset = ray.data.from_blocks(blocks)
    if operators == 2:
        dataset = map_stage(dataset, rasterize, RASTERIZED, pools)
    steps = (rasterize, *others) if operators == 1 else tuple(others)
    return map_stages(dataset, steps, TOKENIZED, pools, "read")


def pages_per_second(rows: list[Row], pools: Pools, operators: int) -> float:
    """From the first block to the last, which excludes the start of workers."""
    times = []
    for batch in read(rows, pools, operators).iter_batches(batch_size=None, batch_format="pyarrow"):
        times.append((time.monotonic(), batch.num_rows))
    return sum(count for _, count in times[1:]) / (times[-1][0] - times[0][0])


def stored_bytes_per_page(rows: list[Row]) -> float:
    """Bytes stored per page between the two operators."""
    block = pa.Table.from_pylist(rows[:PAGES_PER_BLOCK], schema=PAGE_TO_DO)
    return StageRunner(read_steps(OCR_ALWAYS)[:1], RASTERIZED)(block).nbytes / block.num_rows


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    ray.init(include_dashboard=False, logging_level=logging.ERROR)
    set_data_context()
    cpus = ray.cluster_resources()["CPU"]
    rows, pools = pages_of(options.contracts, options.pages), plan_pools(cpus, 0)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeats):
        for operators, measured in rates.items():
            measured.append(pages_per_second(rows, pools, operators))
    stored = {1: 0.0, 2: stored_bytes_per_page(rows) / MEGABYTE}
    print(f"{len(rows)} pages, {cpus:g} CPUs, median of {options.repeats}\n")
    print("| operators | pages/s | MB stored per page between them |\n|---|---|---|")
    for operators, measured in rates.items():
        print(f"| {operators} | {statistics.median(measured):.2f} | {stored[operators]:.2f} |")


if __name__ == "__main__":
    main()

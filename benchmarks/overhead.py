"""What is the overhead of Ray Data? Compares the pipeline with the same stages in a plain pool of processes.

    python -m benchmarks.overhead [--light-pages 3000] [--heavy-copies 10] [--repeats 2]

Light pages have a text layer and go through a tiny model, so most of their time is the pipeline's own. Heavy pages are
scans, read by OCR, with the small untrained model. The pool has one process per CPU; each runs all stages of a block on
one thread, and writes it. Rates are from the first written block to the last, which excludes the start. `object store`
is the peak of Ray's object store, in MB and in objects, sampled twice a second: a block in transit is an object.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
import ray
import ray.data
import tyro
from ray._private.internal_api import memory_summary

from benchmarks.cpu_time import CpuTime, measured_cpu_time
from benchmarks.memory import write_document, write_tiny_model
from benchmarks.plan import SAMPLES, SCANNED
from model.untrained import UNTRAINED
from pipelines.documents.document import Document
from pipelines.extract import ExtractOptions, extract_pages, infer_steps, merge_options, read_steps
from pipelines.runtime.pools import cap_pools, pages_per_block, plan_pools
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import INFERRED, PAGE_TO_DO, TOKENIZED, Row, page_schema
from pipelines.stages.merge import Merge
from pipelines.stages.ray_data import StageRunner
from pipelines.storage.files import Storage
from pipelines.storage.tables import write_table

_USED, _SPILLED = re.compile(r"Plasma memory usage ([\d.]+) MiB"), re.compile(r"Spilled ([\d.]+) MiB")
_OBJECTS = re.compile(r"Plasma memory usage [\d.]+ MiB, (\d+) objects")
MEBIBYTE = 1.048576
BUNDLED = "layoutlmv2-forms-small"

Variant = Literal["plain", "one operator", "three operators"]


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.overhead`."""

    tiny_pages: int = 3000
    """Light pages for a tiny model, in documents of 500; 0 leaves a row out, here and below."""
    bundled_pages: int = 1000
    """Light pages for the bundled model."""
    heavy_copies: int = 4
    """Copies of the scanned samples, 8 pages each, for the untrained model."""
    repeats: int = 2
    """Runs of each variant, alternating."""
    pages_per_block: tuple[int | None, ...] = (None,)
    """None is the job's choice."""
    variants: tuple[Variant, ...] = ("plain", "one operator")
    """`three operators` is what Ray Data does where the model has actors of its own."""


@dataclass
class Rate:
    """Pages written, and when; CPU seconds by kind of process."""

    cpu: CpuTime
    times: list[tuple[float, int]] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    def add(self, pages: int) -> None:
        """Record that a block was written."""
        self.times.append((time.monotonic(), pages))
        if len(self.times) == 1:
            self.cpu.mark()

    def finish(self) -> None:
        """Record that all blocks are written."""
        self.seconds = self.cpu.by_kind()

    @property
    def cpu_milliseconds_a_page(self) -> dict[str, float]:
        """By kind of process, from the first block to the last."""
        pages = sum(pages for _, pages in self.times[1:])
        return {kind: 1000 * seconds / pages for kind, seconds in self.seconds.most_common()}

    @property
    def pages_per_second(self) -> float:
        """From the first block to the last."""
        return sum(pages for _, pages in self.times[1:]) / (self.times[-1][0] - self.times[0][0])


class WholePage:
    """All stages of a block in one process."""

    def __init__(self, options: ExtractOptions, folder: str) -> None:
        self.stages = [
            StageRunner(read_steps(options), TOKENIZED),
            StageRunner(infer_steps(options, threads=1), INFERRED),
            StageRunner((partial(Merge, merge_options(options)),), page_schema(options.task)),
        ]
        self.storage, self.folder = Storage(), folder

    def __call__(self, block: pa.Table) -> int:
        """Run all stages and write the block; return its pages."""
        for stage in self.stages:
            block = stage(block)
        write_block(block, self.storage, self.folder)
        return block.num_rows


def write_block(block: pa.Table, storage: Storage, folder: str) -> pa.Table:
    """Write a block as a file; returns the number of its pages."""
    write_table(storage, f"{folder}/{block['document_id'][0]}-{block['page_index'][0]}.parquet", block)
    return pa.table({"pages": [block.num_rows]})


_worker: list[WholePage] = []


def _start_worker(options: ExtractOptions, folder: str) -> None:
    _worker.append(WholePage(options, folder))


def _work(block: pa.Table) -> int:
    return _worker[0](block)


def in_plain_processes(blocks: list[pa.Table], options: ExtractOptions, folder: str) -> Rate:
    """Process blocks in a pool of the standard library."""
    context = multiprocessing.get_context("spawn")
    with measured_cpu_time() as cpu, context.Pool(os.cpu_count(), _start_worker, (options, folder)) as pool:
        rate = Rate(cpu)
        for pages in pool.imap_unordered(_work, blocks):
            rate.add(pages)
        rate.finish()
    return rate


@dataclass
class StoreMonitor:
    """The peak size of the object store, in MB and in objects, and the size spilled, in MB."""

    peak: float = 0.0
    objects: int = 0
    spilled: float = 0.0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stopped.wait(0.5):
            summary = memory_summary(stats_only=True)
            for pattern, name in ((_USED, "peak"), (_SPILLED, "spilled")):
                for match in pattern.finditer(summary):
                    setattr(self, name, max(getattr(self, name), float(match[1]) * MEBIBYTE))
            self.objects = max([self.objects, *(int(match[1]) for match in _OBJECTS.finditer(summary))])

    def stop(self) -> None:
        """Stop sampling."""
        self._stopped.set()


def through_ray(
    blocks: list[pa.Table], options: ExtractOptions, folder: str, model_workers: int | None = None
) -> tuple[Rate, StoreMonitor]:
    """Process blocks with Ray Data, like the job."""
    pools = cap_pools(plan_pools(os.cpu_count() or 1, 0, model_workers=model_workers), len(blocks))
    write = partial(write_block, storage=Storage(), folder=folder)
    monitor = StoreMonitor()
    thread = threading.Thread(target=monitor.run)
    thread.start()
    with measured_cpu_time() as cpu:
        rate = Rate(cpu)
        written = extract_pages(ray.data.from_blocks(blocks), options, pools, write)
        for summary in written.iter_batches(batch_size=None, batch_format="pyarrow"):
            rate.add(sum(summary["pages"].to_pylist()))
        rate.finish()
    monitor.stop()
    thread.join()
    return rate, monitor


def blocks_of(paths: Iterable[Path], block_pages: int | None) -> list[pa.Table]:
    """The pages of documents in blocks of `block_pages`; None is the job's choice."""

    def rows() -> Iterator[Row]:
        for path in paths:
            with Document(path) as document:
                count, media_type = document.page_count, document.media_type
            identity = {"document_id": path.stem, "uri": str(path), "media_type": media_type, "page_count": count}
            yield from ({**identity, "page_index": index} for index in range(count))

    pages = list(rows())
    size = block_pages or pages_per_block(len(pages), plan_pools(os.cpu_count() or 1, 0))
    return [
        pa.Table.from_pylist(pages[first : first + size], schema=PAGE_TO_DO) for first in range(0, len(pages), size)
    ]


def run_once(variant: Variant, blocks: list[pa.Table], options: ExtractOptions, folder: str) -> Rate:
    """Process blocks once, in one of the ways."""
    if variant == "plain":
        return in_plain_processes(blocks, options, folder)
    ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    set_data_context()
    try:
        return through_ray(blocks, options, folder, 1 if variant == "three operators" else None)[0]
    finally:
        ray.shutdown()


def main() -> None:
    """Make the corpora, run both variants, print the table."""
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        tiny, bundled, heavy = (Path(folder, name) for name in ("tiny-pages", "bundled-pages", "heavy"))
        for source, pages in ((tiny, options.tiny_pages), (bundled, options.bundled_pages)):
            source.mkdir()
            for number in range(pages // 500):
                write_document(source / f"light-{number:03d}.pdf", 500)
        heavy.mkdir()
        for number in range(options.heavy_copies):
            for name in SCANNED:
                shutil.copy(SAMPLES / name, heavy / f"{number:03d}-{name}")
        write_tiny_model(Path(folder, "tiny"))
        corpora = {"light, tiny model": (tiny, f"{folder}/tiny"), "light, bundled model": (bundled, BUNDLED)}
        corpora["scans"] = (heavy, UNTRAINED)
        for name, (source, model) in corpora.items():
            if not any(source.iterdir()):
                continue
            for size in options.pages_per_block:
                blocks, extract = blocks_of(sorted(source.iterdir()), size), ExtractOptions(model=model)
                rates: dict[Variant, list[Rate]] = {variant: [] for variant in options.variants}
                for repeat in range(options.repeats):
                    for variant in options.variants:
                        rates[variant].append(
                            run_once(variant, blocks, extract, f"{folder}/{variant}-{name}-{size}-{repeat}")
                        )
                for variant, measured in rates.items():
                    rate = measured[0]
                    cost = rate.cpu_milliseconds_a_page
                    print(
                        f"{name} | {variant} | {blocks[0].num_rows} | {statistics.median(one.pages_per_second for one in measured):.3g} | "
                        + " | ".join(f"{sum(r.cpu_milliseconds_a_page.values()):.2f}" for r in measured),
                        {k: round(v, 3) for k, v in cost.items()},
                        flush=True,
                    )


if __name__ == "__main__":
    main()

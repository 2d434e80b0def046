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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import ray
import ray.data
import tyro
from ray._private.internal_api import memory_summary

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


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.overhead`."""

    light_pages: int = 3000
    """Pages with a text layer, in documents of 500."""
    heavy_copies: int = 10
    """Copies of the scanned samples, 8 pages each."""
    repeats: int = 2
    """Runs of each variant, alternating."""
    pages_per_block: int | None = None
    """None is the job's choice."""


@dataclass
class Rate:
    """Pages written, and when."""

    times: list[tuple[float, int]] = field(default_factory=list)

    def add(self, pages: int) -> None:
        """Record that a block was written."""
        self.times.append((time.monotonic(), pages))

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
    rate = Rate()
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), _start_worker, (options, folder)) as pool:
        for pages in pool.imap_unordered(_work, blocks):
            rate.add(pages)
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


def through_ray(blocks: list[pa.Table], options: ExtractOptions, folder: str) -> tuple[Rate, StoreMonitor]:
    """Process blocks with Ray Data, like the job."""
    pools = cap_pools(plan_pools(os.cpu_count() or 1, 0), len(blocks))
    rate, monitor = Rate(), StoreMonitor()
    thread = threading.Thread(target=monitor.run)
    thread.start()
    written = extract_pages(ray.data.from_blocks(blocks), options, pools).map_batches(
        partial(write_block, storage=Storage(), folder=folder),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pools.task_cpus,
    )
    for summary in written.iter_rows():
        rate.add(summary["pages"])
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


def main() -> None:
    """Make the corpora, run both variants, print the table."""
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        light, heavy = Path(folder, "light"), Path(folder, "heavy")
        light.mkdir()
        heavy.mkdir()
        for number in range(options.light_pages // 500):
            write_document(light / f"light-{number:03d}.pdf", 500)
        for number in range(options.heavy_copies):
            for name in SCANNED:
                shutil.copy(SAMPLES / name, heavy / f"{number:03d}-{name}")
        write_tiny_model(Path(folder, "tiny"))
        corpora = {"light": (light, f"{folder}/tiny"), "heavy": (heavy, UNTRAINED)}
        print("| pages | plain, pages/s | Ray Data, pages/s | share | object store, MB | objects | spilled, MB |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name, (source, model) in corpora.items():
            if not any(source.iterdir()):
                continue
            blocks, extract = blocks_of(sorted(source.iterdir()), options.pages_per_block), ExtractOptions(model=model)
            plain, with_ray, stores = [], [], []
            for repeat in range(options.repeats):
                plain.append(in_plain_processes(blocks, extract, f"{folder}/plain-{name}-{repeat}").pages_per_second)
                ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
                set_data_context()
                rate, store = through_ray(blocks, extract, f"{folder}/ray-{name}-{repeat}")
                ray.shutdown()
                with_ray.append(rate.pages_per_second)
                stores.append(store)
            one, other = statistics.median(plain), statistics.median(with_ray)
            peak, spilled = max(store.peak for store in stores), max(store.spilled for store in stores)
            pages = sum(block.num_rows for block in blocks)
            objects = max(store.objects for store in stores)
            cells = f"{one:.3g} | {other:.3g} | {other / one:.0%} | {peak:.0f} | {objects} | {spilled:.0f}"
            print(f"| {pages} {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

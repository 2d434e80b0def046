"""The same pages through the same stages in two ways: a plain pool of processes, and Ray Data as the job uses it.

Each way writes one Parquet file a block and records when, with the CPU seconds of all its processes. Rates are from the
first written block to the last, which leaves out the start.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cpu_time import CpuTime, measured_cpu_time
from benchmarks.memory import write_document, write_tiny_model
from benchmarks.plan import SAMPLES, SCANNED
from model.checkpoint_source import BUNDLED_FORMS
from model.untrained import UNTRAINED
from pipelines.documents.document import Document
from pipelines.extract import ExtractOptions, extract_pages, infer_steps, merge_step, read_steps
from pipelines.runtime.pools import cap_pools, pages_per_block, plan_pools
from pipelines.schema import PAGE_TO_DO, Row, page_schema
from pipelines.stages.base import StageRunner
from pipelines.storage.files import Storage
from pipelines.storage.tables import write_table

DOCUMENT_PAGES = 500
CPUS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Corpus:
    """Pages and the model that they go through."""

    name: str
    paths: tuple[Path, ...]
    options: ExtractOptions

    def blocks(self, pages_a_block: int | None) -> list[pa.Table]:
        """The pages in blocks of `PAGE_TO_DO`; None is the job's choice of their size."""
        pages = list(_pages_of(self.paths))
        size = pages_a_block or pages_per_block(len(pages), plan_pools(CPUS, 0))
        starts = range(0, len(pages), size)
        return [pa.Table.from_pylist(pages[first : first + size], schema=PAGE_TO_DO) for first in starts]


def make_corpora(folder: Path, tiny_pages: int, bundled_pages: int, scans: int) -> list[Corpus]:
    """Light pages for a tiny model and for the bundled one, and scanned samples for the untrained one.

    Args:
        tiny_pages, bundled_pages: numbers of light pages; they have a text layer of one line.
        scans: number of copies of the scanned samples, 8 pages each.
    """
    write_tiny_model(folder / "tiny")
    corpora = [
        Corpus("light, tiny model", _light(folder / "light", tiny_pages), ExtractOptions(str(folder / "tiny"))),
        Corpus("light, bundled model", _light(folder / "bundled", bundled_pages), ExtractOptions(BUNDLED_FORMS)),
        Corpus("scans", _scans(folder / "scans", scans), ExtractOptions(UNTRAINED)),
    ]
    return [corpus for corpus in corpora if corpus.paths]


def _light(folder: Path, pages: int) -> tuple[Path, ...]:
    folder.mkdir()
    for first in range(0, pages, DOCUMENT_PAGES):
        write_document(folder / f"light-{first:06d}.pdf", min(DOCUMENT_PAGES, pages - first))
    return tuple(sorted(folder.iterdir()))


def _scans(folder: Path, copies: int) -> tuple[Path, ...]:
    folder.mkdir()
    for number in range(copies):
        for name in SCANNED:
            shutil.copy(SAMPLES / name, folder / f"{number:03d}-{name}")
    return tuple(sorted(folder.iterdir()))


def _pages_of(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        with Document(path) as document:
            count, media_type = document.page_count, document.media_type
        identity = {"document_id": path.stem, "uri": str(path), "media_type": media_type, "page_count": count}
        yield from ({**identity, "page_index": index} for index in range(count))


@dataclass
class Rate:
    """Pages written, and when; CPU seconds by kind of process, from the first block to the last.

    `blocks`: number of blocks; with the last one, CPU time is read at once, before its processes end.
    """

    cpu: CpuTime
    blocks: int
    times: list[tuple[float, int]] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    def add(self, pages: int) -> None:
        """Record that a block was written."""
        self.times.append((time.monotonic(), pages))
        if len(self.times) == 1:
            self.cpu.mark()
        if len(self.times) == self.blocks:
            self.seconds = self.cpu.by_kind()

    @property
    def counted_pages(self) -> int:
        """Pages of the blocks after the first."""
        return sum(pages for _, pages in self.times[1:])

    @property
    def pages_per_second(self) -> float:
        """By the clock."""
        return self.counted_pages / (self.times[-1][0] - self.times[0][0])

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of a page, of all processes."""
        return 1000 * sum(self.seconds.values()) / self.counted_pages


class WholePage:
    """All stages of a block in one process."""

    def __init__(self, options: ExtractOptions, folder: str) -> None:
        """`folder`: where blocks are written."""
        steps = (*read_steps(options), *infer_steps(options, threads=1), merge_step(options))
        self.run = StageRunner(steps, page_schema(options.task))
        self.storage, self.folder = Storage(), folder

    def __call__(self, block: pa.Table) -> int:
        """Run all stages and write the block; return its pages."""
        write_block(self.run(block), self.storage, self.folder)
        return block.num_rows


def write_block(block: pa.Table, storage: Storage, folder: str) -> pa.Table:
    """Write a block as a file; returns the number of its pages."""
    write_table(storage, f"{folder}/{block['document_id'][0]}-{block['page_index'][0].as_py():06d}.parquet", block)
    return pa.table({"pages": [block.num_rows]})


_worker: list[WholePage] = []


def _start_worker(options: ExtractOptions, folder: str) -> None:
    _worker.append(WholePage(options, folder))


def _work(block: pa.Table) -> int:
    return _worker[0](block)


def in_plain_processes(blocks: list[pa.Table], options: ExtractOptions, folder: str) -> Rate:
    """Process blocks in a pool of the standard library, one process per CPU, each with one thread."""
    context = multiprocessing.get_context("spawn")
    with measured_cpu_time() as cpu, context.Pool(CPUS, _start_worker, (options, folder)) as pool:
        rate = Rate(cpu, len(blocks))
        for pages in pool.imap_unordered(_work, blocks):
            rate.add(pages)
    return rate


def through_ray(blocks: list[pa.Table], options: ExtractOptions, folder: str, model_workers: int | None = None) -> Rate:
    """Process blocks with Ray Data on a Ray of this machine's own, as the job does.

    Args:
        model_workers: actors for the model alone, which make the operators three; None is one operator.
    """
    import ray.data

    from jobs.cli import connect_to_ray
    from pipelines.runtime.ray_data import set_data_context

    connect_to_ray("local", workers_log=False)
    set_data_context()
    pools = cap_pools(plan_pools(CPUS, 0, model_workers=model_workers), len(blocks))
    write = partial(write_block, storage=Storage(), folder=folder)
    try:
        with measured_cpu_time() as cpu:
            rate = Rate(cpu, len(blocks))
            written = extract_pages(ray.data.from_blocks(blocks), options, pools, write)
            for summary in written.iter_batches(batch_size=None, batch_format="pyarrow"):
                for pages in summary["pages"].to_pylist():
                    rate.add(pages)
    finally:
        ray.shutdown()
    return rate


def written_rows(folder: str) -> pa.Table:
    """What a way has written, without the seconds, in the order of the pages."""
    tables = [pq.read_table(path) for path in Path(folder).rglob("*.parquet")]
    rows = pa.concat_tables(table.drop_columns("seconds") for table in tables)
    return rows.sort_by([("document_id", "ascending"), ("page_index", "ascending")])


def machine_load() -> str:
    """How busy the machine is: figures by the clock are worth little where others use it."""
    return f"{CPUS} CPUs, load of the last minute {os.getloadavg()[0]:.1f}"

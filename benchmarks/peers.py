"""Beside others: the same stages over the same pages in a plain pool of processes, with Daft, and as the job does it.

    python -m pip install --no-deps daft   # its bounds on pyarrow and tqdm are lower than what this project locks
    python -m benchmarks.peers [--tiny-pages 2000] [--bundled-pages 400] [--scans 3] [--repeats 1]

Each way has one process per CPU that does all of a block, with a sandbox of its own for what parses, and writes the
block: in Daft a class whose instances are processes of their own, in Ray Data the actors of the job's operator. Rates
are from the first written block to the last; CPU time is that of all processes. All ways must write equal rows, or the
benchmark fails.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import tyro

from benchmarks.cpu_time import measured_cpu_time
from benchmarks.extraction_ways import (
    CPUS,
    Corpus,
    Rate,
    WholePage,
    in_plain_processes,
    machine_load,
    make_corpora,
    through_ray,
    written_rows,
)
from pipelines.options import ExtractOptions
from pipelines.schema import PAGE_TO_DO


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.peers`."""

    tiny_pages: int = 2000
    """Light pages for a tiny model; 0 leaves a corpus out, here and below."""
    bundled_pages: int = 400
    """Light pages for the bundled model."""
    scans: int = 3
    """Copies of the scanned samples, 8 pages each."""
    repeats: int = 1
    """Runs of each way, alternating; the table has the medians."""
    pages_per_block: int | None = None
    """None is the job's choice."""


def through_daft(blocks: list[pa.Table], options: ExtractOptions, folder: str) -> Rate:
    """Process blocks with Daft's own runner: a class with state, in as many processes as there are CPUs."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    import daft  # optional, and loaded by this way alone

    @daft.cls(max_concurrency=CPUS, use_process=True)
    class Blocks:
        def __init__(self, options: ExtractOptions, folder: str) -> None:
            self.whole_page = WholePage(options, folder)

        @daft.method.batch(return_dtype=daft.DataType.int64(), batch_size=blocks[0].num_rows)
        def write(self, *columns: Any) -> list[int]:
            block = pa.table([column.to_arrow() for column in columns], PAGE_TO_DO.names).cast(PAGE_TO_DO)
            return [self.whole_page(block)] + [0] * (block.num_rows - 1)  # one value a row is due

    with measured_cpu_time() as cpu:
        rate = Rate(cpu, len(blocks))
        pages = daft.from_arrow(pa.concat_tables(blocks))
        write = Blocks(options, folder).write
        written = pages.select(write(*(pages[name] for name in PAGE_TO_DO.names)).alias("pages"))
        for batch in written.to_arrow_iter():
            for count in filter(None, batch.column("pages").to_pylist()):
                rate.add(count)
    return rate


WAYS = {"plain processes": in_plain_processes, "Daft": through_daft, "the job's operator": through_ray}


def compare(corpus: Corpus, options: Options, folder: Path) -> None:
    """Print a row for each way.

    Raises:
        RuntimeError: two ways have not written the same rows.
    """
    blocks = corpus.blocks(options.pages_per_block)
    rates: dict[str, list[Rate]] = {way: [] for way in WAYS}
    for repeat in range(options.repeats):
        expected: pa.Table | None = None
        for way, measured in rates.items():
            target = str(folder / f"{corpus.name}-{way}-{repeat}")
            measured.append(WAYS[way](blocks, corpus.options, target))
            rows = written_rows(target)
            expected = rows if expected is None else expected
            if not rows.equals(expected):
                raise RuntimeError(f"{way} does not write the rows of {next(iter(WAYS))}: {corpus.name}, {target}")
    plain = statistics.median(one.pages_per_second for one in rates["plain processes"])
    for way, measured in rates.items():
        rate = statistics.median(one.pages_per_second for one in measured)
        cost = statistics.median(one.cpu_milliseconds for one in measured)
        row = f"| {corpus.name} | {blocks[0].num_rows} | {way} | {rate:.3g} | {rate / plain:.0%} | {cost:.2f} |"
        print(row, flush=True)


def main() -> None:
    """Make the corpora, run all ways, print the table."""
    options = tyro.cli(Options, description=__doc__)
    print(f"{machine_load()}; median of {options.repeats}\n")
    print("| pages | pages a block | way | pages/s | of the plain way | CPU ms a page |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus in make_corpora(folder, options.tiny_pages, options.bundled_pages, options.scans):
            compare(corpus, options, folder)
    print(f"\nEqual rows in all ways; at the end: {machine_load()}")


if __name__ == "__main__":
    main()

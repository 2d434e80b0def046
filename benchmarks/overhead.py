"""What is the overhead of Ray Data? Compares the pipeline with the same stages in a plain pool of processes.

    python -m benchmarks.overhead [--tiny-pages 3000] [--bundled-pages 500] [--scans 4] [--repeats 2]

Light pages have a text layer of one line: with a tiny model most of their time is the pipeline's own, with the bundled
one the model's. Scans are read by OCR and go through the small untrained model. The pool has one process per CPU; each
runs all stages of a block on one thread, and writes it. `share` is the pool's CPU time of a page by that of Ray Data,
all of Ray's processes included, and the rate of Ray Data by the pool's; on an idle machine both say the same.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import tyro

from benchmarks.extraction_ways import Corpus, Rate, in_plain_processes, machine_load, make_corpora, through_ray

Way = Literal["plain processes", "one operator", "three operators"]
WAYS = {
    "plain processes": in_plain_processes,
    "one operator": through_ray,
    "three operators": partial(through_ray, model_workers=1),
}


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.overhead`."""

    tiny_pages: int = 3000
    """Light pages for a tiny model; 0 leaves a corpus out, here and below."""
    bundled_pages: int = 500
    """Light pages for the bundled model."""
    scans: int = 4
    """Copies of the scanned samples, 8 pages each."""
    repeats: int = 2
    """Runs of each way, alternating; the table has the medians."""
    pages_per_block: tuple[int, ...] = ()
    """Sizes of blocks to compare; none is the job's choice."""
    ways: tuple[Way, ...] = ("plain processes", "one operator")
    """The first is what the others are compared with. In `three operators` the model has an actor of its own."""
    by_process: bool = False
    """Print the CPU time of a page by kind of process too."""


def measure(corpus: Corpus, size: int | None, options: Options, folder: Path) -> dict[Way, list[Rate]]:
    """The rates of each way, one for each repetition."""
    blocks = corpus.blocks(size)
    rates: dict[Way, list[Rate]] = {way: [] for way in options.ways}
    for repeat in range(options.repeats):
        for way, measured in rates.items():
            target = folder / f"{corpus.name}-{way}-{size}-{repeat}"
            measured.append(WAYS[way](blocks, corpus.options, str(target)))
    return rates


def print_rates(corpus: Corpus, block_pages: int, rates: dict[Way, list[Rate]], by_process: bool) -> None:
    """Rows of the table, one for each way."""
    first: tuple[float, float] | None = None
    for way, measured in rates.items():
        rate = statistics.median(one.pages_per_second for one in measured)
        cost = statistics.median(one.cpu_milliseconds for one in measured)
        first = first or (rate, cost)
        cells = f"{rate:.3g} | {rate / first[0]:.0%} | {cost:.2f} | {first[1] / cost:.0%}"
        print(f"| {corpus.name} | {block_pages} | {way} | {cells} |", flush=True)
        if by_process:
            pages = sum(one.counted_pages for one in measured)
            kinds = sum((one.seconds for one in measured), Counter[str]())
            print("  ", ", ".join(f"{kind} {1000 * spent / pages:.2f}" for kind, spent in kinds.most_common()))


def main() -> None:
    """Make the corpora, run all ways, print the table."""
    options = tyro.cli(Options, description=__doc__)
    print(machine_load(), f"median of {options.repeats}\n", sep="; ")
    print("| pages | pages a block | way | pages/s | share | CPU ms a page | share |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus in make_corpora(folder, options.tiny_pages, options.bundled_pages, options.scans):
            for size in options.pages_per_block or (None,):
                block_pages = corpus.blocks(size)[0].num_rows
                print_rates(corpus, block_pages, measure(corpus, size, options, folder), options.by_process)
    print(f"\nat the end: {machine_load()}")


if __name__ == "__main__":
    main()

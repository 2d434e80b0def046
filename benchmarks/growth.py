"""Does a job stay as fast, and its driver as small, when the corpus grows, and when its documents do?

    python -m benchmarks.growth --pages 1000 10000 100000 --shapes 10x5000 50000x1

Each corpus is of light pages with a text layer, and goes through three runs of `jobs.extract` with a tiny model: one
that is interrupted when half of its pages are written, one that goes on from there, and one that finds nothing to do. A
row has their pages a second while extracting, CPU seconds of all processes for 1,000 pages, the driver's peak of
memory, and what it takes until a run knows what is left: seconds by the clock, and of the driver's CPU, which a busy
machine stretches less. `benchmarks.memory` has the memory of the workers, `benchmarks.listing` the passes over millions
of pages.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import tyro
from pyarrow import ArrowInvalid

from benchmarks.memory import write_document, write_tiny_model

FILES_PER_FOLDER = 1000
SAMPLE_SECONDS = 0.3
KNOWN = re.compile(r"nothing to do|pages are there already")
"""What a run says once it knows which pages are left."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.growth`."""

    pages: tuple[int, ...] = (1_000, 10_000, 100_000)
    """Pages of corpora of equal documents."""
    pages_per_document: int = 100
    """Pages of each of their documents."""
    shapes: tuple[str, ...] = ("10x5000", "50000x1")
    """Further corpora, as documents x pages of each."""


@dataclass(frozen=True)
class Corpus:
    """Documents of equal length."""

    documents: int
    pages_per_document: int

    @classmethod
    def parse(cls, shape: str) -> Corpus:
        """The corpus of a text such as `10x5000`.

        Raises:
            ValueError: it is none.
        """
        found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", shape)
        if found is None:
            raise ValueError(f"--shapes has {shape!r}; write documents x pages of each, as 10x5000")
        return cls(int(found[1]), int(found[2]))

    @property
    def pages(self) -> int:
        """Of all documents."""
        return self.documents * self.pages_per_document

    def write(self, folder: Path) -> None:
        """Make the documents, in folders of a thousand."""
        for number in range(self.documents):
            path = folder / f"{number // FILES_PER_FOLDER:05d}" / f"document-{number:07d}.pdf"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_document(path, self.pages_per_document)


@dataclass
class Run:
    """What was seen of a run.

    Attributes:
        seconds: from the command to its end.
        cpu: seconds of CPU by process; the sum is that of the run.
        driver_megabytes: the peak of the driver's memory that it shares with none.
        known_seconds, known_cpu: until the run knew what is left, by the clock and of the driver's CPU; None for a run
            that found nothing written, which does not say so.
        written: pages in the output, by the time since the command.
        interrupted: whether it was, when half of the pages were written.
    """

    seconds: float = 0.0
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)
    driver_megabytes: float = 0.0
    known_seconds: float | None = None
    known_cpu: float | None = None
    written: list[tuple[float, int]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def pages_per_second(self) -> float | None:
        """From the first pages to the last ones that it wrote; None if there are not enough to tell."""
        grown = [(at, pages) for at, pages in self.written if pages > self.written[0][1]]
        if len(grown) < 2 or grown[-1][1] == grown[0][1]:
            return None
        last = next(at for at, pages in grown if pages == grown[-1][1])
        return (grown[-1][1] - grown[0][1]) / (last - grown[0][0])


class PageCounter:
    """Counts the rows in the files of `pages/`, each of which is opened once."""

    def __init__(self, output: Path) -> None:
        self._folder, self._rows = output / "pages", dict[str, int]()

    def count(self) -> int:
        """Pages now; while blocks are merged into one file, both may count."""
        names = [path.name for path in self._folder.glob("*.parquet")] if self._folder.is_dir() else []
        for name in set(names) - self._rows.keys():
            try:
                self._rows[name] = pq.read_metadata(self._folder / name).num_rows
            except (OSError, ArrowInvalid):
                continue  # it has just been replaced, or is still being written
        return sum(self._rows.get(name, 0) for name in names)


def run_job(command: list[str], output: Path, half: int | None = None) -> Run:
    """Run a job to its end, or until `half` pages are written.

    Raises:
        RuntimeError: it fails by itself.
    """
    seen, counter, started = Run(), PageCounter(output), time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    driver = psutil.Process(process.pid)
    told: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line)
            if KNOWN.search(line) and seen.known_seconds is None:
                seen.known_seconds, seen.known_cpu = time.monotonic() - started, _cpu_seconds(driver)

    listener = threading.Thread(target=listen)
    listener.start()
    while process.poll() is None:
        look(driver, seen)
        seen.written.append((time.monotonic() - started, counter.count()))
        if half is not None and seen.written[-1][1] >= half and not seen.interrupted:
            seen.interrupted = True
            process.send_signal(signal.SIGINT)
        time.sleep(SAMPLE_SECONDS)
    listener.join()
    seen.seconds = time.monotonic() - started
    if process.returncode and not seen.interrupted:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(told[-20:])}")
    return seen


def look(driver: psutil.Process, seen: Run) -> None:
    """Add the memory of the driver, and the CPU seconds of all processes so far."""
    try:
        memory, processes = driver.memory_info(), [driver, *driver.children(recursive=True)]
    except psutil.Error:
        return  # it has just ended
    seen.driver_megabytes = max(seen.driver_megabytes, (memory.rss - memory.shared) / 1e6)
    for process in processes:
        used = _cpu_seconds(process)
        if used is not None:
            seen.cpu[process.pid, process.create_time()] = used


def _cpu_seconds(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system


def measure(corpus: Corpus, model: Path) -> dict[str, str]:
    """The row of a corpus."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "in"), Path(folder, "out")
        corpus.write(source)
        command = [sys.executable, "-m", "jobs.extract", "--input", str(source), "--output", str(output)]
        command += ["--model", str(model), "--report-pages", "1"]
        first = run_job(command, output, half=corpus.pages // 2)
        second = run_job(command, output) if first.interrupted else None
        nothing = run_job(command, output)
    extracting = [run for run in (first, second) if run is not None]
    cpu = sum(sum(run.cpu.values()) for run in extracting)
    return {
        "documents": f"{corpus.documents:,}",
        "pages": f"{corpus.pages:,}",
        "pages/s, first half": _figure(first.pages_per_second, 1),
        "second half": _figure(second and second.pages_per_second, 1),
        "CPU s for 1,000 pages": _figure(1000 * cpu / corpus.pages, 1),
        "driver, MB": _figure(max(run.driver_megabytes for run in extracting), 0),
        "half done: s until known": _figure(second and second.known_seconds, 1),
        "CPU s of it": _figure(second and second.known_cpu, 1),
        "all done: s": _figure(nothing.seconds, 1),
        "CPU s": _figure(sum(nothing.cpu.values()), 1),
        "MB": _figure(nothing.driver_megabytes, 0),
    }


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def corpora(options: Options) -> Iterator[Corpus]:
    """All corpora, in the order of the options.

    Raises:
        ValueError: a number of pages is no multiple of a document's, or a shape is none.
    """
    each = options.pages_per_document
    for pages in options.pages:
        if pages < each or pages % each:
            raise ValueError(f"--pages has {pages}; it must be a multiple of --pages-per-document, {each}")
        yield Corpus(pages // each, each)
    yield from map(Corpus.parse, options.shapes)


def main() -> None:
    """Print a row when it is measured."""
    options = tyro.cli(Options, description=__doc__)
    chosen = list(corpora(options))
    print(f"load average at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "tiny")
        write_tiny_model(model)
        for number, corpus in enumerate(chosen):
            row = measure(corpus, model)
            if not number:
                print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
            print("| " + " | ".join(row.values()) + " |", flush=True)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

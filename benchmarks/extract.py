"""How many pages per second does the extraction job process, compared with a plain script?

    python -m benchmarks.extract --scans DIR [DIR ...] --contracts DIR [--pages 96] [--plain-pages 16] [--repeats 3]
        [--rendered-pages 0] [--engines auto ppocr]

All use the same weights. The plain script (`benchmarks/plain_script.py`) does what a notebook does; it runs as one
process with the threads that its libraries choose, and as a pool of as many processes as there are cores, with one
thread each. It processes some of the job's documents, taken evenly, because it takes longer. Ways alternate, and each
figure is the median of `--repeats` runs.

There are two rates. "While extracting" is the job's own, which includes the start of its workers; the plain script's
begins when its model is loaded. "From command to report" is from the start of the command to its end, the start of Ray
and imports included; the plain script's is worked out for as many pages as the job had. "Job / this" says how many
times as fast as that way the job with the default engine is. The load averages are those of the last minute, before and
after; other work on the machine makes the table worthless.

Then the cost of each stage per page, alone in one process with one thread: in CPU seconds, so that it can be compared
on a busy machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pdf2image
import pypdfium2 as pdfium
import tyro

from benchmarks.cpu_time import cpu_seconds
from benchmarks.ocr import spread
from model.ocr.options import EngineChoice, OcrOptions
from model.untrained import UNTRAINED
from pipelines.extract import ExtractOptions, infer_steps, merge_options, read_steps
from pipelines.schema import Row
from pipelines.stages.merge import Merge
from pipelines.storage.files import Storage


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.extract`."""

    scans: tuple[Path, ...] = ()
    """Folders of page images (PNG, JPEG) without text."""
    contracts: Path | None = None
    """Folder of born-digital PDFs."""
    rendered_pages: int = 0
    """Pages of the contracts that are rendered at 200 dpi and added to the scans."""
    pages: int = 96
    """Pages of each corpus for the job, or a few more: documents are processed whole."""
    plain_pages: int = 16
    """About this many of them, in whole documents, are also processed by the plain script."""
    engines: tuple[EngineChoice, ...] = ("auto",)
    """OCR engines of the job; the first is compared with the plain script."""
    model: str = UNTRAINED
    """Checkpoint for all."""
    repeats: int = 3
    """Runs of each."""


@dataclass(frozen=True)
class Corpus:
    """Files, and the number of pages of each."""

    pages: dict[Path, int]

    @property
    def count(self) -> int:
        """The number of all pages."""
        return sum(self.pages.values())

    def sample(self, pages: int) -> Corpus:
        """Files taken evenly that have about this many pages."""
        files = spread(list(self.pages), max(round(len(self.pages) * pages / self.count), 1))
        return Corpus({path: self.pages[path] for path in files})


@dataclass(frozen=True)
class Rates:
    """Pages per second: while extracting, and from the command to the report."""

    extracting: float
    whole: float


def choose_files(folders: Sequence[Path], pages: int) -> Corpus:
    """Files taken evenly from the folders that have about `pages` pages together, or all if they have fewer."""
    found = [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix in (".pdf", ".png", ".jpg", ".jpeg")
    ]
    corpus = Corpus({path: page_count(path) for path in found})
    return corpus if corpus.count <= pages else corpus.sample(pages)


def page_count(path: Path) -> int:
    """The pages of a file; an image has one."""
    return int(pdf2image.pdfinfo_from_path(path)["Pages"]) if path.suffix == ".pdf" else 1


@contextmanager
def rendered(folder: Path | None, pages: int) -> Iterator[list[Path]]:
    """A folder with this many pages of PDFs as grey images at 200 dpi; none for 0."""
    if folder is None or not pages:
        yield []
        return
    with tempfile.TemporaryDirectory() as images:
        for path, count in choose_files([folder], pages).pages.items():
            with pdfium.PdfDocument(path) as document:
                for index in range(count):
                    image = document[index].render(scale=200 / 72, grayscale=True).to_pil()
                    image.save(Path(images, f"{path.stem}-{index}.png"))
        yield [Path(images)]


def run_plain_script(corpus: Corpus, model: str, processes: int, pages: int) -> Rates:
    """Run the plain script; what it would take from start to end is worked out for `pages` pages."""
    arguments = ["--model", model, "--processes", str(processes), "--files", *map(str, corpus.pages)]
    started = time.perf_counter()
    output = run([sys.executable, "-m", "benchmarks.plain_script", *arguments])
    seconds = time.perf_counter() - started
    result = json.loads(output.splitlines()[-1])
    rate = result["pages"] / result["seconds"]
    return Rates(rate, pages / (seconds - result["seconds"] + pages / rate))


def run_job(corpus: Corpus, model: str, engine: EngineChoice) -> Rates:
    """Run the job as a user does."""
    with tempfile.TemporaryDirectory() as output:
        arguments = ["--input", *map(str, corpus.pages), "--output", output, "--model", model, "--ocr-engine", engine]
        started = time.perf_counter()
        run([sys.executable, "-m", "jobs.extract", *arguments])
        seconds = time.perf_counter() - started
        record = json.loads((Path(output) / "run.json").read_text())
    return Rates(record["pages_per_second"], corpus.count / seconds)


def run(command: Sequence[str]) -> str:
    """What a command prints; its errors are raised."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def compare(name: str, corpus: Corpus, options: Options) -> None:
    """Print a row for each way."""
    cores = len(os.sched_getaffinity(0))
    plain = corpus.sample(options.plain_pages)
    ways: dict[str, tuple[int, Callable[[], Rates]]] = {
        f"job, --ocr-engine {engine}": (corpus.count, lambda engine=engine: run_job(corpus, options.model, engine))
        for engine in options.engines
    } | {
        "plain script": (plain.count, lambda: run_plain_script(plain, options.model, 1, corpus.count)),
        f"plain script, {cores} processes with one thread": (
            plain.count,
            lambda: run_plain_script(plain, options.model, cores, corpus.count),
        ),
    }
    runs: dict[str, list[Rates]] = {way: [] for way in ways}
    before = os.getloadavg()[0]
    for _ in range(options.repeats):
        for way, (_, measure) in ways.items():
            runs[way].append(measure())
    load = f"{before:.1f}, {os.getloadavg()[0]:.1f}"
    rates = {
        way: Rates(*(statistics.median(getattr(r, field) for r in some) for field in ("extracting", "whole")))
        for way, some in runs.items()
    }
    job = next(iter(rates.values()))
    for way, rate in rates.items():
        times = (f"{job.extracting / rate.extracting:.1f}", f"{job.whole / rate.whole:.1f}")
        print(
            _line(name, way, str(ways[way][0]), f"{rate.extracting:.2f}", times[0], f"{rate.whole:.2f}", times[1], load)
        )
    sys.stdout.flush()


def stage_costs(corpus: Corpus, model: str, engine: EngineChoice) -> dict[str, float]:
    """CPU seconds per page of each stage, one stage at a time over all pages."""
    options = ExtractOptions(model=model, ocr=OcrOptions(engine=engine))
    rows: list[Row] = [
        {"document_id": path.name, "uri": str(path), "media_type": "", "page_index": index, "page_count": 0}
        for path, pages in corpus.pages.items()
        for index in range(pages)
    ]
    costs = {"fetch": timed(lambda: [Storage().read(str(path)) for path in corpus.pages])[0] / len(rows)}
    make_steps = (*read_steps(options), *infer_steps(options, threads=1))
    stages = [(name, make()) for name, make in zip(("rasterize", "ocr", "tokenize", "infer"), make_steps, strict=True)]
    for name, stage in [*stages, ("merge", Merge(merge_options(options)))]:
        seconds, rows = timed(lambda stage=stage, rows=rows: list(stage(rows)))
        costs[name] = seconds / len(rows)
    return costs


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and result of a call, those of the sandboxes that it uses included."""
    started = cpu_seconds()
    result = call()
    return cpu_seconds() - started, result


def main(options: Options) -> None:
    """Print both tables."""
    if not options.scans and options.contracts is None:
        raise SystemExit("nothing to extract: give --scans or --contracts")
    print(f"{len(os.sched_getaffinity(0))} CPUs; model {options.model}; median of {options.repeats}\n")
    rates = ("while extracting, pages/s", "job / this", "from command to report, pages/s", "job / this")
    print(_line("corpus", "way", "pages", *rates, "load before, after"))
    print(_line(*["---"] * 8))
    with rendered(options.contracts, options.rendered_pages) as images:
        folders = {"scans": [*options.scans, *images], "contracts": [options.contracts] if options.contracts else []}
        corpora = {name: choose_files(some, options.pages) for name, some in folders.items() if some}
        for name, corpus in corpora.items():
            compare(name, corpus, options)
        # Last, because it changes the number of threads of this process.
        costs = {
            name: stage_costs(corpus.sample(options.plain_pages), options.model, options.engines[0])
            for name, corpus in corpora.items()
        }
    print("\n" + _line("CPU milliseconds per page", *next(iter(costs.values()))))
    print(_line(*["---"] * (len(next(iter(costs.values()))) + 1)))
    for name, by_stage in costs.items():
        print(_line(name, *(f"{1000 * seconds:.1f}" for seconds in by_stage.values())))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

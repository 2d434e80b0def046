"""Does the simulation behind `jobs.plan` predict how long a job takes? Predicted and measured, at several pool sizes.

    python -m benchmarks.plan [--copies 12] [--readers 1 2] [--repeats 1]

The stages' seconds are measured alone, on one thread, in this process: CPU seconds, which a busy machine does not
stretch. Then `jobs.extract` reads copies of the samples with the given numbers of reading workers, and the simulation
predicts the same on a node like this one. The cores that other processes took meanwhile are measured and subtracted
from that node's. The seconds are those of extracting: workers' start, reading, model, writing.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import tyro

from model.untrained import UNTRAINED
from pipelines.documents.document import Document
from pipelines.extract import ExtractOptions, infer_steps, merge_options, read_steps
from pipelines.planning.fleet import Fleet, NodeType, Prices, Workload
from pipelines.planning.simulation import simulate
from pipelines.planning.stage_costs import SHIPPED, PageSeconds, StageCosts
from pipelines.runtime.pools import pages_per_block, plan_pools
from pipelines.schema import Row
from pipelines.stages.base import StageFactory
from pipelines.stages.merge import Merge
from pipelines.stages.ocr import Ocr
from pipelines.stages.rasterize import Rasterize

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "documents"
SCANNED = ("supplier-form-scanned.pdf", "invoice.png", "fax-two-pages.tiff", "receipt-photo.jpg")
LAYERED = ("services-agreement.pdf", "supplier-form.pdf")
SAMPLE_SECONDS = 0.5
START_READER = (
    "import ray.data, pipelines.extract as e; [make() for make in e.read_steps(e.ExtractOptions('untrained'))]"
)
START_PARSER = "import pipelines.stages.sandbox_worker, pipelines.stages.rasterize, pipelines.stages.ocr"
START_MODEL = (
    "import ray.data, pipelines.extract as e; [make() for make in e.infer_steps(e.ExtractOptions('untrained'), 2)]"
)
OPTIONS = ExtractOptions(model=UNTRAINED)

HEAD_CORES = 0.11
"""Cores that Ray keeps busy where its head and the job's driver run on the node that reads the pages too."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.plan`."""

    copies: int = 8
    """Copies of the samples: 15 pages each, 8 of them scanned."""
    readers: tuple[int, ...] = (1, 2)
    """Numbers of reading workers to run with."""
    repeats: int = 1
    """Runs with each number."""


def rows_of(names: Iterable[str]) -> list[Row]:
    """All pages of samples, as the reading stages take them."""
    rows: list[Row] = []
    for name in names:
        with Document(SAMPLES / name) as document:
            pages, media_type = document.page_count, document.media_type
        identity = {"document_id": name, "uri": str(SAMPLES / name), "media_type": media_type, "page_count": pages}
        rows += [{**identity, "page_index": index} for index in range(pages)]
    return rows


def page_seconds(rows: list[Row]) -> PageSeconds:
    """CPU seconds a page of each stage, one after the other on one thread; the second of two passes is measured."""
    fetch, _, tokenize = read_steps(OPTIONS)
    makers: dict[str, StageFactory] = {
        "fetch": fetch,
        "rasterize": lambda: Rasterize(OPTIONS.rasterize),
        "ocr": lambda: Ocr(OPTIONS.ocr),
        "tokenize": tokenize,
        "infer_cpu": infer_steps(OPTIONS, threads=1)[0],
        "merge": lambda: Merge(merge_options(OPTIONS)),
    }
    stages = {name: make() for name, make in makers.items()}
    taken: dict[str, float] = {}
    for _ in range(2):
        passed = rows
        for name, stage in stages.items():
            started = time.process_time()
            passed = list(stage(passed))
            taken[name] = (time.process_time() - started) / len(rows)
    return PageSeconds(**taken, infer_gpu=SHIPPED.scanned.infer_gpu)


def start_seconds(*programs: str) -> float:
    """CPU seconds of new Python processes that run these programs, one each."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for program in programs:
        subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_costs() -> StageCosts:
    """The costs on this machine."""
    return replace(
        SHIPPED,
        scanned=page_seconds(rows_of(SCANNED)),
        layer=page_seconds(rows_of(LAYERED)),
        read_start=start_seconds(START_READER, START_PARSER),
        infer_start=start_seconds(START_MODEL),
        node_cores=HEAD_CORES,
    )


class OtherLoad:
    """The cores that processes outside of a job use, sampled twice a second."""

    def __init__(self, job: psutil.Process) -> None:
        self.job = job
        self.samples: list[tuple[float, float]] = []
        self._own: dict[int, float] = {}
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def mean(self, seconds: float) -> float:
        """The mean over the last `seconds` of the job."""
        self._thread.join()
        end = self.samples[-1][0]
        taken = [cores for at, cores in self.samples if at >= end - seconds]
        return sum(taken) / len(taken)

    def _sample(self) -> None:
        last, busy, own = time.monotonic(), self._busy(), self._grown()
        while self.job.is_running() and self.job.status() != psutil.STATUS_ZOMBIE:
            time.sleep(SAMPLE_SECONDS)
            now, busy_now, own = time.monotonic(), self._busy(), self._grown()
            self.samples.append((now, max(0.0, (busy_now - busy - own) / (now - last))))
            last, busy = now, busy_now

    def _busy(self) -> float:
        times = psutil.cpu_times()
        return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice

    def _grown(self) -> float:
        """CPU seconds of the job's processes since the last sample."""
        grown = 0.0
        try:
            processes = [self.job, *self.job.children(recursive=True)]
        except psutil.Error:
            return 0.0
        for process in processes:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue  # it has just ended
            grown += times.user + times.system - self._own.get(process.pid, 0.0)
            self._own[process.pid] = times.user + times.system
        return grown


def run_job(source: Path, output: Path, readers: int) -> tuple[dict[str, Any], float]:
    """The record of a run, and the cores that other processes used while it extracted."""
    command = [sys.executable, "-m", "jobs.extract", "--input", str(source), "--output", str(output)]
    command += ["--model", UNTRAINED, "--read-workers", str(readers), "--report-pages", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    others = OtherLoad(psutil.Process(process.pid))
    if process.wait():
        raise RuntimeError("the job failed")
    record = json.loads((output / "run.json").read_text())
    return record, others.mean(record["seconds"]["extracting"] + record["seconds"]["total"] * 0.02)


def predict(costs: StageCosts, pages: int, fraction: float, documents: int, readers: int, cores: float) -> float:
    """Predicted seconds of extracting, on one running node with `cores` cores left to the job."""
    pools = plan_pools(os.cpu_count() or 1, 0, read_workers=readers)
    workload = Workload(pages, fraction, pages / documents, 0.5, pages_per_block(pages, pools))
    prices = Prices(NodeType(os.cpu_count() or 1, 0.0, 0.0), NodeType(1, 0.0, 0.0))
    listed = replace(costs, document=0.0)
    return simulate(workload, listed, prices, Fleet(1, 0), readers=readers, cores=cores).seconds


def main() -> None:
    """Measure, predict, print the table."""
    options = tyro.cli(Options, description=__doc__)
    costs = measure_costs()
    print("CPU milliseconds a page, alone: scanned", _milliseconds(costs.scanned), "layer", _milliseconds(costs.layer))
    print(f"CPU seconds until a worker is ready: reading {costs.read_start:.1f}, model {costs.infer_start:.1f}\n")
    print("| readers | pages | cores left | measured, s | predicted, s | error |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for number in range(options.copies):
            for name in (*SCANNED, *LAYERED):
                shutil.copy(SAMPLES / name, source / f"{number:03d}-{name}")
        fraction = len(rows_of(SCANNED)) / len(rows_of((*SCANNED, *LAYERED)))
        for repeat in range(options.repeats):
            for readers in options.readers:
                record, others = run_job(source, Path(folder, f"out-{repeat}-{readers}"), readers)
                pages, measured = record["pages_this_run"], record["seconds"]["extracting"]
                cores = (os.cpu_count() or 1) - others
                documents = record["documents"]["listed"]
                predicted = predict(costs, pages, fraction, documents, readers, cores)
                error = predicted / measured - 1
                print(
                    f"| {readers} | {pages} | {cores:.2f} | {measured:.1f} | {predicted:.1f} | {error:+.0%} |",
                    flush=True,
                )


def _milliseconds(page: PageSeconds) -> str:
    names = ("fetch", "rasterize", "ocr", "tokenize", "infer_cpu", "merge")
    return ", ".join(f"{name} {1000 * getattr(page, name):.1f}" for name in names)


if __name__ == "__main__":
    main()

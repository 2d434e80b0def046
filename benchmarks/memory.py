"""Does memory stay flat over a long job? Resident memory of the driver and of its workers, from page 1 to the last.

    python -m benchmarks.memory --pages 100000

The script makes documents of 5,000 light pages with a text layer and extracts them with `jobs.extract`; every few
seconds it reads the memory of the job's processes, by kind. A row of the table is a tenth of the job: the peak of each
kind, summed over its processes. `object store` is Ray's shared memory, counted once: nothing else may use Ray then.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import tyro
from reportlab.pdfgen.canvas import Canvas

from model import LayoutLMv2ForTokenClassification
from model.untrained import untrained_config

KINDS = {
    "parsers": "pipelines.stages.sandbox_worker",
    "actors": "ray::MapWorker",
    "tasks": "ray::MapBatches",
    "idle workers": "ray::IDLE",
    "raylet": "raylet/raylet",
}
_PROGRESS = re.compile(r"pages (\d+)/(\d+)")
_MEGA = 1_000_000


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.memory`."""

    pages: int = 100_000
    """Pages of the corpus."""
    pages_per_document: int = 5_000
    """Pages of a document."""
    every_seconds: float = 2.0
    """Seconds between two readings of the memory."""
    model: str | None = None
    """Value of --model for `jobs.extract`; by default a tiny one, because the pipeline is what is measured."""


@dataclass
class MemoryPeaks:
    """How far the job is, and the peak of memory by tenth of the job and kind of process, in MB."""

    done: int = 0
    total: int = 0
    by_tenth: dict[int, dict[str, float]] = field(default_factory=dict)

    def add(self, memory: dict[str, float]) -> None:
        """Add a reading."""
        tenth = min(9, 10 * self.done // max(1, self.total))
        held = self.by_tenth.setdefault(tenth, {})
        for kind, megabytes in memory.items():
            held[kind] = max(held.get(kind, 0.0), megabytes)


def write_tiny_model(folder: Path) -> None:
    """Write a small, fast checkpoint with random weights."""
    backbone = {
        "MODEL.RESNETS.DEPTH": 50,
        "MODEL.RESNETS.STEM_OUT_CHANNELS": 8,
        "MODEL.RESNETS.RES2_OUT_CHANNELS": 8,
        "MODEL.RESNETS.WIDTH_PER_GROUP": 4,
        "MODEL.FPN.OUT_CHANNELS": 8,
    }
    config = untrained_config("token-classification")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    boxes = {"coordinate_size": 5, "shape_size": 6, "image_feature_pool_shape": [2, 2, 8]}
    arguments = {**config.detectron2_config_args, **backbone}
    tiny = config.replace(**sizes, **boxes, detectron2_config_args=arguments)
    LayoutLMv2ForTokenClassification(tiny).save_pretrained(folder)


def write_document(path: Path, pages: int) -> None:
    """Write a PDF of small pages with a line of text each."""
    canvas = Canvas(str(path), pagesize=(200, 100))
    for page in range(pages):
        canvas.drawString(20, 50, f"{path.stem} page {page + 1} of {pages}")
        canvas.showPage()
    canvas.save()


def memory_of(driver: psutil.Process) -> dict[str, float]:
    """Resident memory by kind of process, in MB, without what processes share."""
    own = driver.memory_info()
    held = {"driver": (own.rss - own.shared) / _MEGA}
    for process in driver.children(recursive=True):
        try:
            command, memory = " ".join(process.cmdline()), process.memory_info()
        except psutil.Error:
            continue  # it has just ended
        kind = next((kind for kind, word in KINDS.items() if word in command), "other")
        held[kind] = held.get(kind, 0.0) + (memory.rss - memory.shared) / _MEGA
    held["object store"] = shutil.disk_usage("/dev/shm").used / _MEGA
    return held


def watch(process: subprocess.Popen[str], peaks: MemoryPeaks, every_seconds: float) -> None:
    """Read the memory until the job ends."""
    driver = psutil.Process(process.pid)
    while process.poll() is None:
        if peaks.total:
            try:
                peaks.add(memory_of(driver))
            except psutil.NoSuchProcess:
                return
        time.sleep(every_seconds)


def main() -> None:
    """Make the corpus, run the job, print the table."""
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for number in range(options.pages // options.pages_per_document):
            write_document(source / f"document-{number:04d}.pdf", options.pages_per_document)
        command = [sys.executable, "-m", "jobs.extract", "--input", str(source), "--output", f"{folder}/out"]
        if options.model is None:
            write_tiny_model(Path(folder, "tiny"))
        command += ["--model", options.model or f"{folder}/tiny"]
        started = time.monotonic()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        peaks = MemoryPeaks()
        watcher = threading.Thread(target=watch, args=(process, peaks, options.every_seconds))
        watcher.start()
        assert process.stderr is not None and process.stdout is not None
        for line in process.stderr:
            progress = _PROGRESS.search(line)
            if progress:
                peaks.done, peaks.total = int(progress[1]), int(progress[2])
        summary = process.stdout.read()
        watcher.join()
        minutes = (time.monotonic() - started) / 60
    print(summary)
    kinds = ["driver", *KINDS, "object store", "other"]
    print("| MB | " + " | ".join(kinds) + " |\n|" + "---|" * (len(kinds) + 1))
    for tenth, held in sorted(peaks.by_tenth.items()):
        cells = " | ".join(f"{held.get(kind, 0):.0f}" for kind in kinds)
        print(f"| {10 * tenth}-{10 * (tenth + 1)}% of the pages | {cells} |")
    print(f"\n{options.pages:,} pages in {minutes:.1f} minutes")


if __name__ == "__main__":
    main()

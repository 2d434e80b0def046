"""Does memory stay flat over a long job? Resident memory of the driver and of its workers, from page 1 to the last.

    python -m benchmarks.memory --pages 100000

Documents of 5,000 light pages with a text layer, made by this script, go through `jobs.extract`; every few seconds the
memory of its processes is read, by what they do. A row of the table is a tenth of the job: the most that each kind of
process held meanwhile, over all of its kind. `object store` is Ray's shared memory, counted once; let nothing else use
Ray then.
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
    """Of the whole corpus."""
    pages_per_document: int = 5_000
    """Of each document."""
    every_seconds: float = 2.0
    """Between two looks at the memory."""
    model: str | None = None
    """What `jobs.extract` is given as --model; by default a tiny one, for it is the pipeline that is watched."""


@dataclass
class Watched:
    """How far the job is, and the most memory by tenth of it and kind of process, in MB."""

    done: int = 0
    total: int = 0
    most: dict[int, dict[str, float]] = field(default_factory=dict)

    def see(self, memory: dict[str, float]) -> None:
        """Take a look into account."""
        tenth = min(9, 10 * self.done // max(1, self.total))
        held = self.most.setdefault(tenth, {})
        for kind, megabytes in memory.items():
            held[kind] = max(held.get(kind, 0.0), megabytes)


def write_tiny_model(folder: Path) -> None:
    """A checkpoint with random weights that takes little time of anybody."""
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
    """A PDF of small pages with a line of text each."""
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
            told, memory = " ".join(process.cmdline()), process.memory_info()
        except psutil.Error:
            continue  # it has just ended
        kind = next((kind for kind, word in KINDS.items() if word in told), "other")
        held[kind] = held.get(kind, 0.0) + (memory.rss - memory.shared) / _MEGA
    held["object store"] = shutil.disk_usage("/dev/shm").used / _MEGA
    return held


def watch(process: subprocess.Popen[str], watched: Watched, every_seconds: float) -> None:
    """Look until the job ends."""
    driver = psutil.Process(process.pid)
    while process.poll() is None:
        if watched.total:
            try:
                watched.see(memory_of(driver))
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
        watched = Watched()
        watcher = threading.Thread(target=watch, args=(process, watched, options.every_seconds))
        watcher.start()
        assert process.stderr is not None and process.stdout is not None
        for line in process.stderr:
            told = _PROGRESS.search(line)
            if told:
                watched.done, watched.total = int(told[1]), int(told[2])
        summary = process.stdout.read()
        watcher.join()
        minutes = (time.monotonic() - started) / 60
    print(summary)
    kinds = ["driver", *KINDS, "object store", "other"]
    print("| MB | " + " | ".join(kinds) + " |\n|" + "---|" * (len(kinds) + 1))
    for tenth, held in sorted(watched.most.items()):
        cells = " | ".join(f"{held.get(kind, 0):.0f}" for kind in kinds)
        print(f"| {10 * tenth}-{10 * (tenth + 1)}% of the pages | {cells} |")
    print(f"\n{options.pages:,} pages in {minutes:.1f} minutes")


if __name__ == "__main__":
    main()

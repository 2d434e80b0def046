"""What does it cost to start? Seconds by the clock and of CPU, for one page, for forty, and for `--help`.

    python -m benchmarks.start [--scans DIR] [--pages 40] [--repeats 3] [--address local]

Each command runs as a user types it, from its first instruction to its end. CPU seconds are those of every process that
it starts, workers and sandboxes included, as they are found every 20 ms; a process that lives for less is missed.
Without `--scans` the pages are copies of one sample. The load of the machine is printed first: the figures mean little
where it is not near 0.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import tyro

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "documents" / "invoice.png"
SAMPLE_SECONDS = 0.02
PR_SET_CHILD_SUBREAPER = 36
HELP_JOBS = ("read", "extract", "serve", "finetune", "evaluate", "plan")


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.start`."""

    scans: Path | None = None
    """Folder of page images; by default copies of a sample."""
    pages: int = 40
    """Pages of the larger job."""
    repeats: int = 3
    """Runs of each command; the median counts."""
    address: str | None = None
    """Given to jobs.extract: "local" makes it start a Ray whatever the number of pages."""


@dataclass(frozen=True)
class Cost:
    """Of one command: seconds by the clock, and of CPU in all its processes."""

    wall: float
    cpu: float


def measure(command: list[str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it fails.
    """
    own = psutil.Process()
    earlier = {child.pid for child in own.children(recursive=True)}  # of the command before, ended and not yet gone
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds: dict[tuple[int, float], float] = {}
    while process.poll() is None:
        for child in own.children(recursive=True):
            if child.pid in earlier:
                continue
            try:
                times = child.cpu_times()
                seconds[child.pid, child.create_time()] = times.user + times.system
            except psutil.Error:  # it has just ended
                continue
        time.sleep(SAMPLE_SECONDS)
    wall = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return Cost(wall, sum(seconds.values()))


def median(costs: list[Cost]) -> Cost:
    """Of wall and of CPU, each for itself."""
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def commands(options: Options, folder: Path) -> dict[str, list[str]]:
    """What is measured, by name; the inputs are made in `folder`."""
    one, many, output = folder / "one", folder / "many", folder / "output"
    one.mkdir()
    many.mkdir()
    shutil.copy(SAMPLE, one)
    scans = sorted(options.scans.glob("*.png")) if options.scans else [SAMPLE]
    for index in range(options.pages):
        scan = scans[index % len(scans)]
        shutil.copy(scan, many / f"{index:03d}-{scan.name}")
    python = [sys.executable, "-m"]
    extract = [*python, "jobs.extract", "--output", str(output), "--overwrite"]
    extract += ["--address", options.address] if options.address else []
    return {
        "jobs.read, 1 page": [*python, "jobs.read", str(SAMPLE)],
        "jobs.extract, 1 page": [*extract, "--input", str(one)],
        f"jobs.extract, {options.pages} pages": [*extract, "--input", str(many)],
    } | {f"jobs.{name} --help": [*python, f"jobs.{name}", "--help"] for name in HELP_JOBS}


def main() -> None:
    """Measure and print a table."""
    options = tyro.cli(Options, description=__doc__)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a command leaves behind stays a descendant
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    print("| command | seconds | CPU seconds |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(options, Path(folder)).items():
            cost = median([measure(command) for _ in range(options.repeats)])
            print(f"| {name} | {cost.wall:.1f} | {cost.cpu:.1f} |", flush=True)


if __name__ == "__main__":
    main()

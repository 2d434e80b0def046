"""What does a GPU give? One run of at most eight minutes, which needs PyTorch and this repository's `model`, no Ray.

    python -m benchmarks.gpu --output gpu

Operations are counted first, then measured: the two ceilings (matrix products, copies), how right float16 and bfloat16
are, real pages from memory to memory, the parts of the models, training, windows a second by length and batch (as it
comes, with CUDA graphs, compiled), pictures, and PP-OCR. Each section has its seconds. The run always ends with the
table of what was done and the list of what was left out; `gpu.json` and `gpu.txt` hold both, and `jobs.plan --measured`
takes the first. `--device cpu --quick` runs all of it small.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.accelerator.report import report_as_text

FORMAT = "layoutlmv2 gpu 1"
"""Of `gpu.json`."""

SECTIONS = {
    "ceilings": 15.0,
    "correctness": 60.0,
    "pages": 60.0,
    "parts": 25.0,
    "training": 60.0,
    "inference": 90.0,
    "pictures": 10.0,
    "reading": 25.0,
    "compile": 90.0,
}
"""Seconds of each section, in the order of their worth."""

GRACE_SECONDS, END_SECONDS = 10.0, 5.0
"""How long a case that began in time may take beyond its section; what is kept for the end."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.gpu`."""

    output: Path = Path("gpu")
    """Folder for gpu.json and gpu.txt."""
    device: str = "auto"
    """cuda, cpu, or auto: a GPU if there is one."""
    quick: bool = False
    """Everything small, to see that all of it runs."""
    seconds: float = 480.0
    """Of the whole run."""
    sections: str = ",".join(SECTIONS)
    """Those to measure, separated by commas."""


@dataclass
class Measured:
    """What came of a run so far.

    Attributes:
        machine, operations: as the worker tells them.
        rows: by section.
        left_out: section, case and reason.
    """

    machine: dict[str, Any] = field(default_factory=dict)
    operations: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    left_out: list[dict[str, str]] = field(default_factory=list)

    def leave_out(self, section: str, cases: Sequence[str], reason: str) -> None:
        """Record that cases were not measured."""
        self.left_out += [{"section": section, "case": case, "reason": reason} for case in cases]


class Worker:
    """A process that measures, and the lines that it writes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def next_event(self, until: float) -> dict[str, Any]:
        """The next event; "late" at the time `until` of `time.monotonic`, "died" when the process has ended."""
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return {"event": "late"}
            if line is None:
                return {"event": "died", "status": self._process.wait()}
            if line.startswith("{"):
                return dict(json.loads(line))
            print(line, end="", file=sys.stderr)  # of a library

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def worker_command(sections: Mapping[str, float], device: str, quick: bool) -> list[str]:
    """The command of a worker that measures sections, each with its seconds."""
    task = json.dumps({"sections": dict(sections), "device": device, "quick": quick})
    return [sys.executable, "-m", "benchmarks.accelerator.worker", task]


def measure(
    sections: Mapping[str, float],
    seconds: float,
    command: Callable[[Mapping[str, float]], Sequence[str]],
    grace: float = GRACE_SECONDS,
) -> Measured:
    """Measure sections within so many seconds, in a new process whenever one died or had to be ended.

    Args:
        command: of a worker, by the sections that are left.
        grace: seconds that the last case of a section may take beyond it.
    """
    until = time.monotonic() + seconds - END_SECONDS
    measured, left = Measured(), dict(sections)
    while left and time.monotonic() < until:
        worker = Worker(command(left))
        try:
            began = follow(worker, measured, left, until, grace)
        finally:
            worker.stop()
        if not began:  # it would not begin the next time either
            break
    for section in left:
        measured.leave_out(section, ["everything"], "the time was over, or the process did not start")
    return measured


def follow(worker: Worker, measured: Measured, left: dict[str, float], until: float, grace: float) -> bool:
    """Take what a worker tells until it ends; sections leave `left` when they begin. Returns whether it began one."""
    section, waiting, began, deadline = "", list[str](), False, until
    while True:
        event = worker.next_event(deadline)
        kind = event["event"]
        if kind == "machine":
            measured.machine, measured.operations = event["machine"], event["operations"]
        elif kind == "section":
            section, waiting, began = event["section"], event["cases"], True
            deadline = min(until, time.monotonic() + left.pop(section) + grace)
            measured.rows[section] = []
        elif kind in ("row", "left_out"):
            waiting.remove(event["case"])
            print(f"{section}: {event['case']}: {event.get('row') or event['reason']}", file=sys.stderr, flush=True)
            if kind == "row":
                measured.rows[section].append(event["row"])
            else:
                measured.leave_out(section, [event["case"]], event["reason"])
        elif kind == "end":
            section, deadline = "", until
            if not left:
                return True
        else:
            late = f"the section took {grace:g} s more than it had, or the run was over"
            reason = late if kind == "late" else f"the process ended with {event['status']}"
            measured.leave_out(section or "start", waiting or ["everything"], reason)
            return began


def best_device() -> str:
    """The GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def parse(arguments: Sequence[str] | None) -> Options:
    """The options, by the standard library: the machine may have nothing else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in fields(Options):
        name, default = f"--{option.name}", option.default
        if isinstance(default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(default) if not isinstance(default, Path) else Path, default=default)
    options = Options(**vars(parser.parse_args(arguments)))
    unknown = set(options.sections.split(",")) - set(SECTIONS)
    if unknown:
        parser.error(f"--sections has {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns 0 if anything was measured."""
    options = parse(arguments)
    started = time.monotonic()
    names = [name for name in SECTIONS if name in options.sections.split(",")]
    chosen = {name: options.seconds if options.quick else SECTIONS[name] for name in names}
    device = best_device() if options.device == "auto" else options.device
    command = partial(worker_command, device=device, quick=options.quick)
    measured = measure(chosen, options.seconds, command)
    result = {
        "format": FORMAT,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quick": options.quick,
        "seconds": round(time.monotonic() - started, 1),
        **asdict(measured),
    }
    text = report_as_text(result)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "gpu.txt").write_text(text + "\n")
    return 0 if any(measured.rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

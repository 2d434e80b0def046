"""CPU seconds of this process and all its descendants, by kind: what a run costs, whoever else uses the machine.

On a busy machine the clock tells little and CPU seconds still compare two runs. Processes that start and end between
two samples are missed. What the samples themselves take does not count: it grows with the number of processes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

SAMPLE_SECONDS = 0.5

KINDS = {
    "parsers": "pipelines.stages.sandbox_worker",
    "actors": "ray::MapWorker",
    "tasks": "ray::",
    "raylet": "raylet/raylet",
    "gcs": "gcs_server",
    "Ray's other processes": "/ray/",
    "pool": "multiprocessing",
}
"""By a part of the command line, the first that fits; else a process is of kind "driver" if it samples, or "other"."""

GENERIC = {"other", "Ray's other processes", "tasks"}
"""Kinds of processes that may become another one: Ray names its workers when they are given work."""


def cpu_seconds(itself: bool = True) -> float:
    """User and system time up to now of the processes below this one, and of this one itself.

    Those that have ended count too, once they have been waited for.
    """
    this = psutil.Process()
    total = 0.0
    for process in (*([this] if itself else []), *this.children(recursive=True)):
        with suppress(psutil.Error):  # it has just ended
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class CpuTime:
    """Samples the processes until `stop`; `by_kind` are the seconds since the last `mark`, and before the first all."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._spent: dict[tuple[int, float], float] = {}
        self._kinds: dict[tuple[int, float], str] = {}
        self._before: dict[tuple[int, float], float] = {}
        self._sampling = 0.0
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="cpu-time", daemon=True)
        self._thread.start()

    def mark(self) -> None:
        """Count from now on."""
        with self._lock:
            self._sample()
            self._before = dict(self._spent)

    def by_kind(self) -> Counter[str]:
        """Seconds by kind of process since `mark`."""
        with self._lock:
            self._sample()
            seconds = Counter[str]()
            for process, spent in self._spent.items():
                seconds[self._kinds[process]] += spent - self._before.get(process, 0.0)  # type: ignore[assignment]
            return seconds

    def stop(self) -> None:
        """Sample no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            with self._lock:
                self._sample()

    def _sample(self) -> None:
        started = time.thread_time()
        for process in (self._own, *self._own.children(recursive=True)):
            try:
                key, times = (process.pid, process.create_time()), process.cpu_times()
                if self._kinds.get(key, "other") in GENERIC:
                    self._kinds[key] = "driver" if process == self._own else _kind(" ".join(process.cmdline()))
            except psutil.Error:
                continue  # it has just ended
            self._spent[key] = times.user + times.system - (self._sampling if process == self._own else 0.0)
        self._sampling += time.thread_time() - started


@contextmanager
def measured_cpu_time() -> Iterator[CpuTime]:
    """Samples while the block runs."""
    cpu = CpuTime()
    try:
        yield cpu
    finally:
        cpu.stop()


def _kind(command: str) -> str:
    return next((kind for kind, part in KINDS.items() if part in command), "other")

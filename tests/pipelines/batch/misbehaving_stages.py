"""Stages that do to their process what hostile files do to a parser."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed

POISONED: list[object] = []


class Misbehave:
    """Does what `uri` says, and gives rows whose `width` is the process and `height` the row's number in it."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.number += 1
            try:
                act(row["uri"])
            except ProcessingError as error:
                yield mark_failed(row, error)
                continue
            yield {**row, "width": os.getpid(), "height": self.number, "status": "ok", "document_id": "another"}


class Observe:
    """Gives rows whose `width` is the process."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield {**row, "width": os.getpid()}


class NoStage:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("the tessdata is gone")


class DieOnce(Misbehave):
    """Is killed while it is made, the first time."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def start_child(file_of_pid: str, megabytes: int = 0) -> None:
    """Start a process that holds memory and does not end; its number goes into a file."""
    pid = os.fork()
    if pid == 0:
        held = bytearray(os.urandom(1 << 20)) * megabytes
        time.sleep(60)
        os._exit(len(held) > 0)
    with open(file_of_pid, "w") as file:
        file.write(str(pid))


def act(uri: str) -> None:
    """What a row's `uri` asks for."""
    what, _, detail = uri.partition(":")
    if what == "refuse":
        raise ProcessingError("encrypted", "wants a password")
    if what == "signal":
        os.kill(os.getpid(), getattr(signal, detail))
    if what == "null":
        ctypes.string_at(0)
    if what == "exit":
        os._exit(int(detail))
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    if what == "spin":  # in native code, which holds the interpreter's lock
        ctypes.PyDLL(None).sleep(60)
    if what == "fill":
        blocks = []
        while True:
            blocks.append(bytearray(20_000_000))
            time.sleep(0.001)
    if what == "grab":
        bytearray(int(detail) * 1_000_000)
    if what == "child":
        start_child(detail)
        time.sleep(60)
    if what == "child fills":
        start_child(detail, megabytes=400)
        time.sleep(60)
    if what == "orphan":
        start_child(detail)
        os.abort()
    if what == "poison":  # a later page crashes
        POISONED.append(uri)
    if what == "victim" and POISONED:
        os.abort()
    if what == "hoard":
        POISONED.append(b"x" * (int(detail) * 1_000_000))
    if what == "killed":  # by somebody else, as often as the file still has lines
        with open(detail) as file:
            times = file.read().splitlines()
        with open(detail, "w") as file:
            file.writelines(line + "\n" for line in times[1:])
        if times:
            os.kill(os.getpid(), signal.SIGKILL)

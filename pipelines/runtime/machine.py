"""The machine that a measurement is of."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> dict[str, str | int]:
    """The processor of this machine, and the cores that this process may use."""
    return {"processor": processor_name(), "cores": available_cores()}


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def processor_name(description: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as Linux gives it; where it gives none, the kind of processor."""
    lines = description.read_text(errors="replace").splitlines() if description.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

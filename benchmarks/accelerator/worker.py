"""The process that measures: one JSON object a line on stdout, so that what is done survives its end.

`benchmarks.gpu` starts it and ends it when a section takes too long: a compiler that hangs, or a fault after which a
GPU answers nothing more, then costs a section and not the rest.
"""

from __future__ import annotations

import gc
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.accelerator.ceilings import ceiling_cases
from benchmarks.accelerator.correctness import correctness_cases
from benchmarks.accelerator.inference import compile_cases, inference_cases, part_cases
from benchmarks.accelerator.mixed_pages import mixed_cases, picture_cases
from benchmarks.accelerator.operations import count_operations
from benchmarks.accelerator.reading import reading_cases
from benchmarks.accelerator.setting import MODELS, Case, NotHereError, Setting, model_config
from benchmarks.accelerator.training import training_cases
from pipelines.runtime.machine import describe_machine

MAKERS: dict[str, Callable[[Setting], Sequence[Case]]] = {
    "ceilings": ceiling_cases,
    "correctness": correctness_cases,
    "pages": mixed_cases,
    "parts": part_cases,
    "training": training_cases,
    "inference": inference_cases,
    "pictures": picture_cases,
    "reading": reading_cases,
    "compile": compile_cases,
}


@dataclass(frozen=True)
class Task:
    """What a worker is told: the sections with their seconds, and where and how large to measure."""

    sections: dict[str, float]
    device: str
    quick: bool


def tell(event: str, **content: Any) -> None:
    """Write a line."""
    print(json.dumps({"event": event, **content}), flush=True)


def machine(setting: Setting) -> dict[str, Any]:
    """What was measured on."""
    about: dict[str, Any] = {
        "device": setting.device,
        "torch": torch.__version__,
        "python": platform.python_version(),
        **describe_machine(),
    }
    if setting.on_gpu:
        properties = torch.cuda.get_device_properties(0)
        about |= {
            "gpu": properties.name,
            "gpu_megabytes": properties.total_memory // 1_000_000,
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda,
        }
    return about


def operations(setting: Setting) -> dict[str, dict[str, Any]]:
    """Of a full window, by model."""
    configs = {name: model_config(name, setting.quick) for name in MODELS}
    counted = {name: count_operations(config, setting.lengths[-1], setting.side) for name, config in configs.items()}
    return {name: {**asdict(one), "total": one.total} for name, one in counted.items()}


def work(task: Task) -> None:
    """Measure the sections in turn; a case that begins in time is done to its end."""
    setting = Setting(task.device, task.quick)
    torch.manual_seed(0)
    tell("machine", machine=machine(setting), operations=operations(setting))
    for section, seconds in task.sections.items():
        until = time.monotonic() + seconds
        cases = MAKERS[section](setting)
        tell("section", section=section, cases=[case.name for case in cases])
        for case in cases:
            if time.monotonic() > until:
                tell("left_out", section=section, case=case.name, reason=f"the section's {seconds:g} s were over")
                continue
            measure(section, case)
            gc.collect()
        tell("end", section=section)


def measure(section: str, case: Case) -> None:
    """One case: its row, or why there is none."""
    try:
        tell("row", section=section, case=case.name, row=case.measure())
    except NotHereError as reason:
        tell("left_out", section=section, case=case.name, reason=str(reason))
    except Exception as error:  # out of memory, or an operator that a device lacks: the next case may fit
        reason_given = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        tell("left_out", section=section, case=case.name, reason=reason_given)


if __name__ == "__main__":
    work(Task(**json.loads(sys.argv[1])))

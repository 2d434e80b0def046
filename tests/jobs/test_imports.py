"""A job explains and refuses its options at once: what takes seconds to import is imported when there is work."""

from __future__ import annotations

import json
import subprocess
import sys

JOBS = (
    "read",
    "extract",
    "serve",
    "finetune",
    "evaluate",
    "calibrate",
    "export",
    "plan",
    "forms_model",
    "multilingual_model",
)
REFUSED = {
    "read": ("x.png",),
    "extract": ("--input", "x", "--output", "y"),
    "serve": (),
    "finetune": ("--dataset", "funsd", "--data", "x", "--output", "y"),
    "evaluate": ("--dataset", "funsd", "--data", "x", "--split", "test"),
    "calibrate": ("--dataset", "funsd", "--data", "x"),
}
"""Jobs with arguments that make sense, to which `--stride 900` is added."""

RUN_ALL = """
import importlib, json, sys
calls, heavy = json.loads(sys.argv[1]), []
for job, arguments in calls:
    module = importlib.import_module(f"jobs.{job}")
    try:
        status = module.main(arguments)
    except SystemExit as ended:
        status = ended.code
    heavy.append([job, status, sorted({"ray", "torch"} & sys.modules.keys())])
print("loaded:" + json.dumps(heavy))
"""


def run_all(calls: list[tuple[str, list[str]]]) -> list[list[object]]:
    """Each job, its exit status, and what of Ray and PyTorch is loaded when it and those before it have ended."""
    command = [sys.executable, "-c", RUN_ALL, json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told: list[list[object]] = json.loads(done.stdout.rpartition("loaded:")[2])
    return told


def test_help_loads_neither_ray_nor_pytorch() -> None:
    assert run_all([(job, ["--help"]) for job in JOBS]) == [[job, 0, []] for job in JOBS]


def test_options_are_refused_without_loading_ray_or_pytorch() -> None:
    calls = [(job, [*arguments, "--stride", "900"]) for job, arguments in REFUSED.items()]
    assert run_all(calls) == [[job, 2, []] for job in REFUSED]

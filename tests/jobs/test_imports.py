"""A job explains and refuses its options at once: what takes seconds to import is imported when there is work."""

from __future__ import annotations

import subprocess
import sys

import pytest

REFUSED = ("--stride", "900")


def heavy_modules_of(job: str, arguments: tuple[str, ...]) -> list[str]:
    """Of Ray and PyTorch, those that are loaded when the job has ended."""
    code = (
        "import importlib, sys\n"
        f"job = importlib.import_module('jobs.{job}')\n"
        "try:\n"
        f"    job.main({list(arguments)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print(*{'ray', 'torch'} & sys.modules.keys(), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    "job",
    [
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
    ],
)
def test_help_loads_neither_ray_nor_pytorch(job: str) -> None:
    assert heavy_modules_of(job, ("--help",)) == []


@pytest.mark.parametrize(
    ("job", "arguments"),
    [
        ("read", ("x.png",)),
        ("extract", ("--input", "x", "--output", "y")),
        ("serve", ()),
        ("finetune", ("--dataset", "funsd", "--data", "x", "--output", "y")),
        ("evaluate", ("--dataset", "funsd", "--data", "x", "--split", "test")),
        ("calibrate", ("--dataset", "funsd", "--data", "x")),
    ],
)
def test_options_are_refused_without_loading_ray_or_pytorch(job: str, arguments: tuple[str, ...]) -> None:
    assert heavy_modules_of(job, (*arguments, *REFUSED)) == []

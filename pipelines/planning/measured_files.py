"""Files with measured seconds: the `run.json` of an output, and the `gpu.json` of `benchmarks.gpu`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

GPU_FORMAT = "layoutlmv2 gpu 1"
"""What `format` says in a `gpu.json`."""

BATCH_TOKENS = 4096
"""Tokens of a batch by default, in `jobs.extract`: the row of a `gpu.json` that a plan takes if there is one."""

GpuModel = Literal["bundled", "base"]


@dataclass(frozen=True)
class GpuSeconds:
    """What a `gpu.json` says of one of its models.

    Attributes:
        scanned_page, layer_page: seconds of a GPU for a page that OCR read, and for one with a text layer.
        windows_per_second: that a GPU learns; None where training was not measured.
        source: what was measured and when.
        machine: the GPU.
    """

    scanned_page: float
    layer_page: float
    windows_per_second: float | None
    source: str
    machine: str


@dataclass(frozen=True)
class MeasuredFiles:
    """The content of the files; None for one that was not given."""

    run: Mapping[str, Any] | None = None
    gpu: Mapping[str, Any] | None = None


def read_measured_files(paths: Sequence[Path]) -> MeasuredFiles:
    """Read the files and tell them apart.

    Raises:
        ValueError: a file is neither of the two, or there are two of a kind.
        OSError: a file cannot be read.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON ({error}): give the run.json of an output, or a gpu.json") from error
        kind = _kind(content)
        if kind is None:
            raise ValueError(f"{path} is neither the run.json of an output nor the gpu.json of benchmarks.gpu")
        if kind in found:
            raise ValueError(f"{path} is the second {kind}.json: give one of each, those of the machines to plan for")
        found[kind] = content
    return MeasuredFiles(**found)


def _kind(content: Any) -> str | None:
    if not isinstance(content, Mapping):
        return None
    if content.get("format") == GPU_FORMAT:
        return "gpu"
    return "run" if "run_id" in content else None


def gpu_seconds(content: Mapping[str, Any], model: GpuModel) -> GpuSeconds:
    """The seconds of a GPU for one of the models.

    Args:
        content: of a `gpu.json`.
        model: which of its two models.

    Raises:
        ValueError: it was measured on a CPU or in its small form, or lacks the pages of that model.
    """
    machine = content.get("machine") or {}
    if content.get("quick") or not machine.get("gpu"):
        raise ValueError(
            "this gpu.json was measured on a CPU, or with --quick, and says nothing of a GPU: run "
            "python -m benchmarks.gpu on a machine like those to plan for"
        )
    rows = [row for row in _rows(content, "pages") if row.get("model") == model and row.get("way") == "eager"]
    if not rows:
        raise ValueError(f"this gpu.json has no pages of the {model} model: run benchmarks.gpu --sections pages")
    row = min(rows, key=lambda row: abs(row.get("batch_tokens", 0) - BATCH_TOKENS))
    scanned, layer = (positive(row, f"{kind}_page_seconds") for kind in ("scanned", "layer"))
    learned = [positive(row, "windows_per_second") for row in _rows(content, "training") if row.get("model") == model]
    return GpuSeconds(
        scanned,
        layer,
        max(learned, default=None),
        f"benchmarks.gpu of {content.get('finished', 'an unknown day')}, the {model} model in {row.get('dtype')}",
        f"{machine['gpu']}, PyTorch {machine.get('torch', 'of an unknown version')}",
    )


def positive(content: Mapping[str, Any], name: str, least: float = 0.0) -> float:
    """A number of JSON that must be above `least`.

    Raises:
        ValueError: it is missing, no number, or not above that.
    """
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= least:
        raise ValueError(f"{name} is {value!r} in a measured file; it must be a number above {least:g}")
    return float(value)


def _rows(content: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    sections = content.get("rows")
    rows = sections.get(section, []) if isinstance(sections, Mapping) else []
    return [row for row in rows if isinstance(row, Mapping)]

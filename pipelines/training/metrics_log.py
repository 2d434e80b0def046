"""The log of a training run: metrics.jsonl, curve.png and the line of progress."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Sequence
from typing import Any

from pipelines.storage.files import Storage, join_uri

METRICS = "metrics.jsonl"
CURVE = "curve.png"
FLUSH_SECONDS = 2.0
LOG_SCALE_FROM = 10
"""The loss is drawn on a logarithmic scale if its highest value is more than this many times its lowest."""

Line = dict[str, Any]


class MetricsLog:
    """Lines of metrics.jsonl, one JSON object for each logged step or evaluation, in the order of steps.

    A resumed run drops the lines after its checkpoint and writes them again: no line occurs twice.
    """

    def __init__(self, storage: Storage, output: str, step: int) -> None:
        """`step`: the step of the checkpoint to resume from; lines of later steps are dropped."""
        self.storage, self.uri = storage, join_uri(output, METRICS)
        self.lines = [line for line in read_metrics(storage, output) if line["step"] <= step]
        self._flushed = -math.inf

    def add(self, line: Line) -> None:
        """Add a line; lines are written every few seconds, and by `flush`."""
        self.lines.append(line)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write all lines."""
        self.storage.write(self.uri, "".join(json.dumps(line) + "\n" for line in self.lines).encode())
        self._flushed = time.monotonic()


def read_metrics(storage: Storage, output: str) -> list[Line]:
    """The lines that have been written."""
    uri = join_uri(output, METRICS)
    if not storage.exists(uri):
        return []
    return [json.loads(line) for line in storage.read(uri).decode().splitlines()]


def progress_line(lines: Sequence[Line], steps: int) -> str:
    """`step 40/480, epoch 2.1, loss 0.512, f1 0.410 (best 0.450 at 30), 6.1 windows/s, 74 s left`."""
    logged = [line for line in lines if "loss" in line]
    evaluated = [line for line in lines if "dev" in line]
    if not logged and not evaluated:
        return f"step 0/{steps}"
    step = max(line["step"] for line in (*logged, *evaluated))
    parts = [f"step {step}/{steps}"]
    if logged:
        last = logged[-1]
        parts += [f"epoch {last['epoch']:.1f}", f"loss {last['loss']:.4g}"]
    if evaluated:
        best = max(evaluated, key=lambda line: line["dev"])
        parts.append(
            f"{evaluated[-1]['dev_name']} {evaluated[-1]['dev']:.3f} (best {best['dev']:.3f} at {best['step']})"
        )
    if logged:
        parts.append(f"{last['windows_per_second']:.1f} windows/s")
        if step < steps and last["seconds_per_step"] > 0:
            parts.append(f"{(steps - step) * last['seconds_per_step']:.0f} s left")
    return ", ".join(parts)


def draw_curve(lines: Sequence[Line], title: str) -> bytes:
    """Loss and dev metric by step, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    losses = figure.add_subplot()
    logged = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    evaluated = [(line["step"], line["dev"]) for line in lines if "dev" in line]
    losses.set_title(title, loc="left", fontsize=10)
    losses.set_xlabel("step")
    losses.set_ylabel("training loss", color="tab:blue")
    losses.tick_params(axis="y", labelcolor="tab:blue")
    losses.grid(alpha=0.25)
    if logged:
        losses.plot(*zip(*logged, strict=True), color="tab:blue", linewidth=1.2)
        lowest, highest = min(loss for _, loss in logged), max(loss for _, loss in logged)
        if 0 < lowest < highest / LOG_SCALE_FROM:
            losses.set_yscale("log")
    if evaluated:
        name = next(line["dev_name"] for line in lines if "dev" in line)
        scores = losses.twinx()
        scores.set_ylabel(f"dev {name}", color="tab:orange")
        scores.tick_params(axis="y", labelcolor="tab:orange")
        scores.set_ylim(0, 1)
        scores.plot(*zip(*evaluated, strict=True), color="tab:orange", marker="o", markersize=3, linewidth=1.2)
        step, best = max(evaluated, key=lambda point: point[1])
        scores.annotate(f"{best:.3f}", (step, best), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=8)
    drawn = io.BytesIO()
    canvas.print_png(drawn)
    return drawn.getvalue()

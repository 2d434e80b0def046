"""How pre-training is going, for people: the line of progress, and a picture with a panel for each objective."""

from __future__ import annotations

import io
from collections.abc import Sequence

from pipelines.training.metrics_log import Line, progress_line


def pretraining_progress(lines: Sequence[Line], steps: int) -> str:
    """`step 40/480, ..., held out: masked-words loss 5.12 (chance 6.90), accuracy 0.210 (chance 0.045); ...`."""
    evaluated = [line["held_out"] for line in lines if "held_out" in line]
    progress = progress_line(lines, steps)
    if not evaluated:
        return progress
    objectives = "; ".join(
        f"{name} loss {figures['loss']:.3g} (chance {figures['chance_loss']:.3g}), "
        f"accuracy {figures['accuracy']:.3f} (chance {figures['chance_accuracy']:.3f})"
        for name, figures in evaluated[-1].items()
    )
    return f"{progress}, held out: {objectives}"


def draw_pretraining_curve(lines: Sequence[Line], title: str) -> bytes:
    """Of each objective the loss, learned and held out, and the held-out accuracy by step, as a PNG.

    Dashed lines are what the best answer without looking at the page would reach.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logged = [(line["step"], _losses(line)) for line in lines if "loss" in line]
    evaluated = [(line["step"], line["held_out"]) for line in lines if "held_out" in line]
    objectives = list(dict.fromkeys(name for _, named in (*evaluated, *logged) for name in named)) or ["loss"]
    figure = Figure(figsize=(1 + 4 * len(objectives), 4.5), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(1, len(objectives), squeeze=False)[0]
    for panel, name in zip(panels, objectives, strict=True):
        panel.set_title(name, loc="left", fontsize=10)
        panel.set_xlabel("step")
        panel.set_ylabel("loss", color="tab:blue")
        panel.grid(alpha=0.25)
        learned = [(step, named[name]) for step, named in logged if name in named]
        if learned:
            panel.plot(*zip(*learned, strict=True), color="tab:blue", alpha=0.35, linewidth=1, label="learned")
        measured = [(step, named[name]) for step, named in evaluated if name in named]
        if measured:
            steps = [step for step, _ in measured]
            losses = [figures["loss"] for _, figures in measured]
            panel.plot(steps, losses, color="tab:blue", marker="o", markersize=3, label="held out")
            panel.axhline(measured[-1][1]["chance_loss"], color="tab:blue", linestyle="--", linewidth=0.8)
            accuracies = panel.twinx()
            accuracies.set_ylim(0, 1)
            accuracies.set_ylabel("held-out accuracy", color="tab:orange")
            right = [figures["accuracy"] for _, figures in measured]
            accuracies.plot(steps, right, color="tab:orange", marker="o", markersize=3)
            accuracies.axhline(measured[-1][1]["chance_accuracy"], color="tab:orange", linestyle="--", linewidth=0.8)
        if learned or measured:
            panel.set_ylim(bottom=0)
            panel.legend(loc="upper right", fontsize=8)
    drawn = io.BytesIO()
    canvas.print_png(drawn)
    return drawn.getvalue()


def _losses(line: Line) -> dict[str, float]:
    """The losses of a line by objective; a run of one objective logs its loss alone."""
    return line.get("losses") or {"loss": line["loss"]}

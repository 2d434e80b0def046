"""A plot of cost against hours."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipelines.planning.search import Plan

MAX_LABELS = 8


def plot_plan(plan: Plan, deadline_hours: float, title: str, path: Path) -> None:
    """Draw the curve of the cheapest fleets, the plan and the deadline into a PNG file."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    hours = [point.outcome.hours for point in plan.curve]
    axes.plot(hours, [point.outcome.cost for point in plan.curve], "o-", color="tab:blue", label="cheapest fleets")
    for point in plan.curve[:: max(1, len(plan.curve) // MAX_LABELS)]:
        label = f"{point.fleet.ocr} ocr" + (f" + {point.fleet.gpu} gpu" if point.fleet.gpu else "")
        position = (point.outcome.hours, point.outcome.cost)
        axes.annotate(label, position, xytext=(4, 6), textcoords="offset points", fontsize=8)
    best = plan.best.outcome
    axes.plot([best.hours], [best.cost], "*", markersize=16, color="tab:orange", label="the plan")
    axes.axvline(deadline_hours, color="tab:red", linestyle="--", linewidth=1, label="deadline")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="hours from the submission to the last page", ylabel="cost, US dollars", title=title)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)

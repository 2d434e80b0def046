"""The plot of an evaluation's scores: risk against coverage, and the share that is right against the score."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

COLORS = {"words": "tab:blue", "entities": "tab:orange", "pairs": "tab:green"}


def plot_calibration(figures: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A PNG file.

    Args:
        figures: `calibration_figures` of "words", "entities" and "pairs", those that there are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    risk, reliability = figure.subplots(1, 2)
    for unit, of_unit in figures.items():
        curve, bins = of_unit["risk_coverage"], of_unit["reliability"]
        risk.plot(curve["coverage"], curve["risk"], color=COLORS[unit], label=f"{unit}, area {curve['area']:.3f}")
        label = f"{unit}, error {of_unit['ece']:.3f}"
        scores, shares = [row["score"] for row in bins], [row["right"] for row in bins]
        reliability.plot(scores, shares, "o-", markersize=4, color=COLORS[unit], label=label)
    reliability.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="as the scores say")
    risk.set(xlabel="coverage: share accepted, highest scores first", ylabel="risk: share of them that is wrong")
    reliability.set(xlabel="mean score of a bin", ylabel="share that is right")
    risk.set_ylim(bottom=0)
    for axes in (risk, reliability):
        axes.set_xlim(0, 1)
        axes.grid(True, alpha=0.3)
        axes.legend(fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()

"""What pre-training on extracted pages takes: GPU hours, dollars, and the cores that load the windows.

This is arithmetic, not a simulation: all workers take part in every step, so nothing queues.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

WINDOWS_PER_SECOND = 200.0
"""Windows that one GPU learns in a second, in the published base model's sizes and bfloat16: an assumption."""

LOADING_SECONDS = 0.013
"""Seconds of a core to make a window: reading, decoding, tokenizing, covering. Measured on samples/ (46 pages of 700
words in the mean; 2 virtual cores of an AMD EPYC with AVX2, 2026-11-29)."""

PICTURE_BYTES = 29_500
"""Of one kept picture, in the mean of the 46 pages of samples/documents."""


@dataclass(frozen=True)
class PretrainingWork:
    """A pre-training.

    Attributes:
        pages: that are learned; one window of each in an epoch.
        epochs: passes over them.
        gpus: that compute together.
        windows_per_second: of one GPU.
        gpu_price: US dollars an hour for one GPU and its share of a machine.
        speed_source: where `windows_per_second` comes from; empty for the assumed one.
    """

    pages: int
    epochs: float
    gpus: int
    windows_per_second: float
    gpu_price: float
    speed_source: str = ""

    @property
    def gpu_hours(self) -> float:
        """Hours of one GPU."""
        return self.pages * self.epochs / self.windows_per_second / 3600

    @property
    def hours(self) -> float:
        """From the first step to the last."""
        return self.gpu_hours / self.gpus

    @property
    def cost(self) -> float:
        """US dollars."""
        return self.gpu_hours * self.gpu_price

    @property
    def loading_cores_per_gpu(self) -> float:
        """Cores that are busy making windows for one GPU."""
        return self.windows_per_second * LOADING_SECONDS

    def as_json(self) -> dict[str, Any]:
        """The work, what it takes, and what that assumes."""
        return {
            **asdict(self),
            "gpu_hours": round(self.gpu_hours, 2),
            "hours": round(self.hours, 3),
            "cost": round(self.cost, 2),
            "loading_cores_per_gpu": round(self.loading_cores_per_gpu, 2),
            "picture_gigabytes": round(self.pages * PICTURE_BYTES / 1e9, 3),
            "assumptions": [
                f"pre-training: {self.windows_per_second:g} windows a second and GPU: "
                + (self.speed_source or "not measured, do so with jobs.pretrain or benchmarks.gpu"),
                f"pre-training: {self.gpus} GPUs {self.gpus} times as fast as one",
                f"pre-training: {LOADING_SECONDS:g} s of a core to make a window, {PICTURE_BYTES:,} bytes a picture",
            ],
        }


def pretraining_as_text(planned: dict[str, Any]) -> list[str]:
    """The main points of `as_json` as lines."""
    return [
        f"  windows              {planned['pages'] * planned['epochs']:,.0f}  ({planned['epochs']:g} epochs)",
        f"  gpu hours            {planned['gpu_hours']:,.1f}",
        f"  hours                {planned['hours']:.2f}  (on {planned['gpus']} GPUs)",
        f"  cost                 ${planned['cost']:,.2f}",
        f"  cores for loading    {planned['loading_cores_per_gpu']:.1f} a GPU",
        f"  pictures             {planned['picture_gigabytes']:,.0f} GB of the extraction's output",
    ]

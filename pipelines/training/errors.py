"""Why a training run ends without a model."""

from __future__ import annotations

from pipelines.errors import JobError


class TrainingError(JobError):
    """Training ended without a model; the message says why."""


class DivergedError(TrainingError):
    """The loss is NaN or infinite."""

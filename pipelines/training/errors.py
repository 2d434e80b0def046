"""Why a training run ends without a model."""

from __future__ import annotations

from model.checkpoint_source import CheckpointError
from model.ocr.engine import OcrUnavailableError
from pipelines.datasets.types import BrokenAnnotationError
from pipelines.errors import ProcessingError
from pipelines.runtime.output_record import OutputConflictError
from pipelines.stages.sandbox import SandboxError


class TrainingError(Exception):
    """Training ended without a model; the message says why."""


class DivergedError(TrainingError):
    """The loss is NaN or infinite."""


RUN_ERRORS = (
    TrainingError,
    ProcessingError,
    OutputConflictError,
    BrokenAnnotationError,
    CheckpointError,
    OcrUnavailableError,
    SandboxError,
    ConnectionError,
    ValueError,
)
"""What `finetune` raises, beside Ray's own errors, for a reason that its user can remove."""

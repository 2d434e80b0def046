"""A training job on Ray Train: workers, checkpoints and what happens when a worker dies."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow.fs
import ray.train
import ray.train.torch
from ray.exceptions import RayTaskError
from ray.train.v2.api.exceptions import TrainingFailedError

from pipelines.errors import ProcessingError, infrastructure_error
from pipelines.storage.files import Storage, is_s3
from pipelines.training.errors import TrainingError
from pipelines.training.output import CHECKPOINTS

CPU_WORKER_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""By default glibc returns large blocks to the system after each step and faults them in again in the next. Kept, they
make a step of a small model on two cores a quarter shorter (0.129 s a window instead of 0.180)."""

KEPT_CHECKPOINTS = 2
"""Checkpoints with the best scores that stay, beside the last one: if the last is damaged, there is one before it."""

WORKER_FAILURES = 3
"""How often the workers are started again from the last checkpoint after one of them died."""


def fit(
    loop: Callable[[], str | None], storage: Storage, output: str, scaling: ray.train.ScalingConfig
) -> list[tuple[ray.train.Checkpoint, dict[str, Any]]]:
    """Train, from the last checkpoint under `output` if there is one; returns the kept checkpoints and their metrics.

    Args:
        loop: what each worker runs; it returns None, or why it cannot continue.

    Raises:
        TrainingError: a worker cannot continue, the workers failed too often, or there is no checkpoint in the end.
    """
    filesystem, path = storage_filesystem(storage, output)
    environment: Any = {} if scaling.use_gpu else {"worker_runtime_env": {"env_vars": CPU_WORKER_ENVIRONMENT}}
    trainer = ray.train.torch.TorchTrainer(
        loop,  # type: ignore[arg-type]
        scaling_config=scaling,
        run_config=ray.train.RunConfig(
            name=CHECKPOINTS,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=ray.train.FailureConfig(max_failures=WORKER_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(
                num_to_keep=KEPT_CHECKPOINTS, checkpoint_score_attribute="score"
            ),
            **environment,
        ),
    )
    with _default_interrupts():
        try:
            result: Any = trainer.fit()
        except TrainingFailedError as error:
            raise TrainingError(failure_message(error)) from error
    if result.return_value is not None:
        raise TrainingError(str(result.return_value))
    if not result.best_checkpoints:
        raise TrainingError("training ended without a checkpoint")
    return list(result.best_checkpoints)


def failure_message(error: TrainingFailedError) -> str:
    """Why the workers failed, in one line: the errors that they raised, without what Ray wraps them in."""
    failures: dict[int, BaseException] = getattr(error, "worker_failures", {})
    reasons = {_reason(failure) for failure in failures.values()} or {str(error).strip().splitlines()[-1]}
    return "training failed: " + "; ".join(sorted(reasons))


def _reason(error: BaseException) -> str:
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    error = infrastructure_error(error) or error
    if isinstance(error, ProcessingError):
        return f"{error.label}: {error.message}"
    return str(error).strip() or type(error).__name__


@contextmanager
def _default_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C: Ray Train ends the process with status 0, and leaves its handler behind."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def storage_filesystem(storage: Storage, uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """Where Ray Train writes checkpoints: the folder or bucket that `storage` reaches, through the same endpoint."""
    if not is_s3(uri):
        return pyarrow.fs.LocalFileSystem(), uri
    client = storage.client
    endpoint = str(client.meta.endpoint_url)
    custom = None if ".amazonaws.com" in endpoint else endpoint
    region = client.meta.region_name or "us-east-1"
    return pyarrow.fs.S3FileSystem(endpoint_override=custom, region=region), uri.removeprefix("s3://").rstrip("/")

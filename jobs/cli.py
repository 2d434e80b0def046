"""What every job does first and last: options, the log, the Ray cluster, and from errors to exit statuses.

Ray is imported where a job connects to it, so that `--help` and refusals of options come at once.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import tyro

from model.checkpoint_source import CheckpointError
from model.ocr.tessdata import OcrUnavailableError
from pipelines.errors import JobError, ProcessingError
from pipelines.runtime.scratch_folder import remove_leftovers

DONE, FAILED, BAD_OPTIONS, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""

Options = TypeVar("Options")
Checked = TypeVar("Checked")


def parse_options(kind: type[Options], description: str | None, arguments: Sequence[str] | None) -> Options:
    """The options of a job from its command line; `--help` and errors end the process (status 0 and 2)."""
    module = sys.modules["__main__"].__spec__
    program = f"python -m {module.name}" if module is not None and module.name.startswith("jobs.") else None
    return tyro.cli(kind, prog=program, args=arguments, description=description)


def require_positive(options: object, names: Iterable[str]) -> None:
    """Refuse numbers that are not above 0; an option that is None passes.

    Args:
        names: of attributes of `options`.

    Raises:
        ValueError: one of them is 0, negative, infinite or NaN.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"--{name.replace('_', '-')} is {value:g}; it must be a number above 0")


def run_job(check: Callable[[], Checked], work: Callable[[Checked], int], *, interrupted: str) -> int:
    """Check the options, do the work, disconnect from Ray; errors that the user can mend become one line and a status.

    Args:
        check: turns the options of the command line into what `work` takes; should not load Ray or PyTorch.
        work: does the job and returns the exit status.
        interrupted: message for the user after Ctrl-C.

    Returns:
        The exit status: 0 done, 1 failed, 2 the options make no sense, 130 interrupted.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    was_connected = _is_connected()
    try:
        checked = check()
    except (CheckpointError, JobError) as error:
        return _fail(error, FAILED)
    except (ValueError, OcrUnavailableError) as error:
        return _fail(error, BAD_OPTIONS)
    except KeyboardInterrupt:
        return _interrupt(interrupted)
    try:
        return work(checked)
    except KeyboardInterrupt:
        return _interrupt(interrupted)
    except Exception as error:
        if not _can_be_mended(error):
            raise
        return _fail(error, FAILED)
    finally:
        if _is_connected() and not was_connected:
            import ray

            ray.shutdown()
            remove_leftovers()  # Ray's workers are killed at the end


def connect_to_ray(address: str | None, *, workers_log: bool = True) -> None:
    """Connect to the cluster at `address`, else to the one this process runs in, else start one on this machine.

    A Ray that is started here has no dashboard, sends no usage statistics, and answers on this machine only, to those
    who have its token (see `local_ray`).

    Args:
        workers_log: show what the workers print and log; it is kept in Ray's own log files in any case.

    Raises:
        ConnectionError: it cannot be reached, or not be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from pipelines.runtime.local_ray import finds_no_cluster, kept_to_this_machine

    with kept_to_this_machine() if finds_no_cluster(address) else nullcontext():
        _init_ray(address, workers_log)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # it says that there are no Ray bars


def _init_ray(address: str | None, workers_log: bool) -> None:
    import ray

    try:
        ray.init(address=address, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=workers_log)
    except Exception as error:  # Ray raises bare exceptions here, among others
        what = "started" if address is None else f"reached at {address}"
        raise ConnectionError(f"Ray cannot be {what}: {error}") from error


def describe_failure(error: BaseException) -> str:
    """Why a job failed, in one line: what Ray's workers raised is taken out of what Ray wraps it in."""
    if "ray" in sys.modules:
        from ray.exceptions import RayTaskError

        if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
            error = error.cause
    if isinstance(error, ProcessingError):
        return f"{error.label}: {error.message}"
    return str(error).strip() or type(error).__name__


def _is_connected() -> bool:
    if "ray" not in sys.modules:
        return False
    import ray

    return ray.is_initialized()


def _can_be_mended(error: Exception) -> bool:
    if isinstance(error, (JobError, CheckpointError, OcrUnavailableError, ConnectionError, ValueError)):
        return True
    if "ray" not in sys.modules:
        return False
    from ray.exceptions import RayError

    return isinstance(error, RayError)


def _fail(error: Exception, status: int) -> int:
    print(f"error: {describe_failure(error)}", file=sys.stderr)
    return status


def _interrupt(message: str) -> int:
    print(message, file=sys.stderr)
    return INTERRUPTED

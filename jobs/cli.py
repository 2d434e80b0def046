"""What every job does first: parse its options, set up its log, find its Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TypeVar

import ray
import tyro
from ray.exceptions import RayTaskError

from pipelines.errors import ProcessingError

Options = TypeVar("Options")


def parse_options(kind: type[Options], description: str | None, arguments: Sequence[str] | None) -> Options:
    """The options of a job from its command line; `--help` and errors end the process (status 0 and 2)."""
    return tyro.cli(kind, args=arguments, description=description)


def require_positive(options: object, names: Iterable[str]) -> None:
    """Refuse numbers that make no sense; None, where an option may be that, does.

    Args:
        names: of attributes of `options`.

    Raises:
        ValueError: one of them is 0, negative, infinite or not a number.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"--{name.replace('_', '-')} is {value:g}; it must be a number above 0")


def connect_to_ray(address: str | None, *, workers_log: bool = True) -> None:
    """Connect to the cluster at `address`, else to the one this process runs in, else start one on this machine.

    Args:
        workers_log: show what the workers print and log; it is kept in Ray's own log files in any case.

    Raises:
        ConnectionError: it cannot be reached, or not be started.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    try:
        ray.init(address=address, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=workers_log)
    except Exception as error:  # Ray raises bare exceptions here, among others
        what = "started" if address is None else f"reached at {address}"
        raise ConnectionError(f"Ray cannot be {what}: {error}") from error
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # it says that there are no Ray bars


def reason(error: BaseException) -> str:
    """Why a run failed, in a line: what Ray's workers raised is taken out of what Ray wraps it in."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    if isinstance(error, ProcessingError):
        return f"{error.kind}: {error.message}"
    return str(error).strip() or type(error).__name__

"""What every job does first: parse its options, set up its log, find its Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TypeVar

import ray
import tyro

Options = TypeVar("Options")


def parse_options(kind: type[Options], description: str | None, arguments: Sequence[str] | None) -> Options:
    """The options of a job from its command line; `--help` and errors end the process (status 0 and 2)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    return tyro.cli(kind, args=arguments, description=description)


def connect_to_ray(address: str | None) -> None:
    """Connect to the cluster at `address`, else to the one this process runs in, else start one on this machine."""
    ray.init(address=address, logging_level=logging.WARNING, log_to_driver=True)
    logging.getLogger("ray.data").setLevel(logging.WARNING)

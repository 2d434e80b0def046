"""Seeds of every random generator that a program of this package uses."""

from __future__ import annotations

import random

import numpy as np
import torch


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Seed Python's `random`, NumPy and PyTorch, on all devices.

    Args:
        seed: 0 to 2^32 - 1.
        deterministic: also allow only deterministic algorithms of PyTorch; those that have none raise an error.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True)

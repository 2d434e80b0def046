"""The feed-forward activations that `hidden_act` can name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from model.config_rules import ACTIVATION_NAMES


class Elementwise(nn.Module):
    """An activation without weights, from a function of one tensor."""

    def __init__(self, name: str, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.name = name
        self.function = function

    def extra_repr(self) -> str:
        return self.name

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.function(values)


_gelu_by_tanh = functools.partial(functional.gelu, approximate="tanh")

# The reference's names. Several are one function computed in different ways, equal up to rounding.
_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu_python": functional.gelu,
    "gelu_10": lambda x: functional.gelu(x).clip(-10, 10),
    "gelu_new": _gelu_by_tanh,
    "gelu_fast": _gelu_by_tanh,
    "gelu_accurate": _gelu_by_tanh,
    "gelu_pytorch_tanh": _gelu_by_tanh,
    "gelu_python_tanh": _gelu_by_tanh,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "hardswish": functional.hardswish,
    "laplace": lambda x: 0.5 * (1 + torch.erf((x - 0.707107) / (0.282095 * math.sqrt(2)))),
    "leaky_relu": functional.leaky_relu,
    "linear": lambda x: x,
    "mish": functional.mish,
    "relu": functional.relu,
    "relu2": lambda x: functional.relu(x).square(),
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
}


def activation(name: str) -> nn.Module:
    """The activation called `name`, one of `ACTIVATION_NAMES`; only "prelu" has a weight.

    Raises:
        ValueError: there is no such activation.
    """
    if name == "prelu":
        return nn.PReLU()
    if name not in _FUNCTIONS:
        raise ValueError(f"hidden_act {name!r} is unknown; choose one of {', '.join(ACTIVATION_NAMES)}")
    return Elementwise(name, _FUNCTIONS[name])

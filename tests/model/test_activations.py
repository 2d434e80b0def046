from __future__ import annotations

import pytest
import torch

from model.activations import activation
from model.config_rules import ACTIVATION_NAMES


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_every_activation_keeps_the_shape_and_passes_gradients(name: str) -> None:
    values = torch.linspace(-3, 3, 12).reshape(3, 4).requires_grad_()
    result = activation(name)(values)
    result.sum().backward()
    assert result.shape == (3, 4)
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert values.grad.abs().max() > 0


def test_some_values() -> None:
    at = torch.tensor([-20.0, -1.0, 0.0, 1.0, 20.0])
    expected = {
        "relu": [0.0, 0.0, 0.0, 1.0, 20.0],
        "relu2": [0.0, 0.0, 0.0, 1.0, 400.0],
        "gelu": [0.0, -0.158655, 0.0, 0.841345, 20.0],
        "gelu_new": [0.0, -0.158808, 0.0, 0.841192, 20.0],
        "gelu_10": [0.0, -0.158655, 0.0, 0.841345, 10.0],
        "quick_gelu": [0.0, -0.154204, 0.0, 0.845796, 20.0],
        "laplace": [0.0, 0.0, 0.006094, 0.850430, 1.0],
    }
    for name, values in expected.items():
        torch.testing.assert_close(activation(name)(at), torch.tensor(values), rtol=1e-4, atol=1e-5, msg=name)


def test_an_unknown_activation_is_rejected_with_the_valid_names() -> None:
    with pytest.raises(ValueError, match=r"hidden_act.*'gelo'.*gelu_new"):
        activation("gelo")

"""PyTorch's runtime gives the logits of the model that it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from model.runtimes.probe_page import load_probe_page
from model.runtimes.torch_runtime import TorchRuntime
from tests.model.small_model import HEADS, small_model


def windows(lengths: tuple[int, ...]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    batch, longest = len(lengths), max(lengths)
    corners = np.sort(random.integers(0, 1001, (batch, longest, 2, 2)), axis=2)
    return {
        "input_ids": random.integers(1000, 30000, (batch, longest)),
        "token_type_ids": np.zeros((batch, longest), np.int64),
        "attention_mask": (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int64),
        "bbox": corners.reshape(batch, longest, 4),
    }


@pytest.mark.parametrize("task", HEADS)
def test_logits_equal_those_of_the_plain_model(task: Any) -> None:
    plain = small_model(task)
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 224, 224), dtype=np.uint8)
    inputs, image_of_row = windows((24, 9, 17)), np.array([1, 0, 1])
    with torch.no_grad():
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        output = plain(**tensors, image=torch.from_numpy(images), image_of_row=torch.from_numpy(image_of_row))
    expected = output.start_logits if task == "question-answering" else output.logits
    runtime = TorchRuntime(plain, task)
    logits = runtime.logits(inputs, runtime.image_features(images), image_of_row)
    assert logits.dtype == np.float32
    if task == "question-answering":
        np.testing.assert_allclose(logits[..., 1], output.end_logits.numpy(), atol=1e-4)
        logits = logits[..., 0]
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


def test_the_probe_page_fits_the_model() -> None:
    page = load_probe_page()
    assert page.image.shape == (1, 3, 224, 224) and page.image.dtype == np.uint8
    assert len(page.words) == len(page.boxes) > 100
    boxes = np.array(page.boxes)
    assert boxes.min() >= 0 and boxes.max() <= 1000 and (boxes[:, :2] <= boxes[:, 2:]).all()

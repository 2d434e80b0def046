"""Runs a model with PyTorch, on a CPU or a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from model.pretrained import LayoutLMv2PreTrainedModel
from model.runtimes.freed_memory import keep_freed_memory
from model.runtimes.inference_backbone import prepare

IMAGES_AT_ONCE = 32
"""Images of a pass through the backbone: its activations take up to 30 MB each."""


class TorchRuntime:
    """A model in evaluation mode; see `Runtime` for the calls."""

    def __init__(
        self,
        model: LayoutLMv2PreTrainedModel,
        task: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        shared: bool = False,
    ) -> None:
        """`model` has the head of `task`; it is moved, cast and set to evaluation mode in place.

        Unless it is `shared`, with a training for example, its float32 weights are laid out anew on a CPU, and it
        cannot be saved any more.
        """
        self.device = torch.device(device)
        self.on_gpu = self.device.type != "cpu"
        if not self.on_gpu:
            keep_freed_memory()
        self.task = task
        self.model = model.eval().to(device=self.device, dtype=dtype)
        if dtype == torch.float32 and not (shared or self.on_gpu):
            lay_out_for_products(self.model)
        base: Any = self.model.base_model
        self._backbone = prepare(base.visual)
        self._projection = base.visual_proj

    def set_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)  # applies to the calling thread only

    def image_features(self, images: np.ndarray) -> torch.Tensor:
        """[pages, visual_tokens, hidden_size] on the model's device."""
        with torch.inference_mode():
            parts = torch.from_numpy(images).split(IMAGES_AT_ONCE)
            return torch.cat([self._projection(self._backbone(part.to(self.device))) for part in parts])

    def logits(self, windows: dict[str, np.ndarray], features: torch.Tensor, image_of_row: np.ndarray) -> np.ndarray:
        tensors = {name: torch.from_numpy(array) for name, array in windows.items()}
        tensors["image_of_row"] = torch.from_numpy(image_of_row)
        with torch.inference_mode():
            output = self.model(
                **{name: tensor.to(self.device) for name, tensor in tensors.items()}, image_features=features
            )
            if self.task == "question-answering":
                logits = torch.stack([output.start_logits, output.end_logits], dim=-1)
            else:
                logits = output.logits
            return logits.float().cpu().numpy()


def lay_out_for_products(model: torch.nn.Module) -> None:
    """Store the weights of linear layers column by column, in place: MKL multiplies faster so, above all few tokens."""
    for part in model.modules():
        if isinstance(part, torch.nn.Linear):
            part.weight = torch.nn.Parameter(part.weight.detach().t().contiguous().t(), requires_grad=False)

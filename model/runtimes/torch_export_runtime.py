"""Runs an exported program of PyTorch, on a CPU."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from model.config import LayoutLMv2Config
from model.runtimes.graph_inputs import TEXT_INPUTS
from model.runtimes.window_values import check_window_values

IMAGES_AT_ONCE = 32
"""Images of a pass through the backbone: its activations take up to 30 MB each."""


class TorchExportRuntime:
    """Two exported programs; see `Runtime` for the calls."""

    on_gpu = False

    def __init__(self, folder: Path, config: LayoutLMv2Config) -> None:
        """
        Raises:
            ValueError: a program cannot be read.
        """
        try:
            self._image, self._text = (torch.export.load(folder / f"{name}.pt2").module() for name in ("image", "text"))
        except (RuntimeError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"PyTorch cannot read the programs in {folder} ({error}): export them again") from error
        self._config = config

    def set_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)  # applies to the calling thread only

    def image_features(self, images: np.ndarray) -> torch.Tensor:
        """float32 [pages, visual_tokens, hidden_size]."""
        with torch.inference_mode():
            return torch.cat([self._image(images=part) for part in torch.from_numpy(images).split(IMAGES_AT_ONCE)])

    def logits(self, windows: dict[str, np.ndarray], features: torch.Tensor, image_of_row: np.ndarray) -> np.ndarray:
        check_window_values(self._config, windows)
        inputs = {name: torch.from_numpy(array) for name, array in windows.items()}
        inputs |= {"features": features, "image_of_row": torch.from_numpy(image_of_row)}
        with torch.inference_mode():
            logits: torch.Tensor = self._text(**{name: inputs[name] for name in TEXT_INPUTS})
        return logits.numpy()

"""Runs an exported model with ONNX Runtime on a CPU: each call on the thread that makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.config import LayoutLMv2Config
from model.runtimes.graph_inputs import TEXT_INPUTS
from model.runtimes.window_values import check_window_values

IMAGES_AT_ONCE = 32
"""Images of a pass through the backbone: its activations take up to 30 MB each."""

INSTALL_ONNXRUNTIME = "pip install 'layoutlmv2-ray[export]' (or pip install onnxruntime)"


class OnnxRuntime:
    """Two sessions that any number of threads share; see `Runtime` for the calls. `set_threads` has no effect."""

    on_gpu = False

    def __init__(self, folder: Path, config: LayoutLMv2Config) -> None:
        """
        Raises:
            ValueError: ONNX Runtime is not installed, or a graph cannot be read.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(f"this model needs ONNX Runtime, which is missing: {INSTALL_ONNXRUNTIME}") from error

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        try:
            self._image, self._text = (
                onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), settings, providers=["CPUExecutionProvider"])
                for name in ("image", "text")
            )
        except Exception as error:  # its errors have no common class
            raise ValueError(f"ONNX Runtime cannot read the model in {folder} ({error}): export it again") from error
        self._config = config

    def set_threads(self, threads: int) -> None:
        """Without effect: each call runs on the calling thread."""

    def image_features(self, images: np.ndarray) -> np.ndarray:
        """float32 [pages, visual_tokens, hidden_size]."""
        parts = [images[first : first + IMAGES_AT_ONCE] for first in range(0, len(images), IMAGES_AT_ONCE)]
        return np.concatenate([self._image.run(None, {"images": part})[0] for part in parts])

    def logits(self, windows: dict[str, np.ndarray], features: np.ndarray, image_of_row: np.ndarray) -> np.ndarray:
        check_window_values(self._config, windows)
        inputs = {**windows, "features": features, "image_of_row": image_of_row}
        result: np.ndarray = self._text.run(None, {name: inputs[name] for name in TEXT_INPUTS})[0]
        return result

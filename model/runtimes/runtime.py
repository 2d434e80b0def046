"""What every runtime can do: the interface through which the pipeline runs a model.

Nothing is imported here but NumPy: a process that runs one runtime does not load the others.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]

RuntimeChoice = Literal["auto", "torch", "openvino", "onnxruntime"]
"""auto: what the model is made for, which is PyTorch for a checkpoint."""


class Runtime(Protocol):
    """Runs a model's network: image features once a page, then logits of windows. Safe to call from several threads at
    once.

    Attributes:
        on_gpu: whether it runs on a GPU, where large batches pay; on a CPU, one page a core does.
    """

    on_gpu: bool

    def set_threads(self, threads: int) -> None:
        """Let calls from the calling thread use so many threads of the CPU; without effect where it is fixed."""

    def image_features(self, images: np.ndarray) -> Any:
        """The runtime's own features of pages, to be given to `logits` any number of times.

        Args:
            images: uint8 [pages, 3, 224, 224], BGR.
        """

    def logits(self, windows: dict[str, np.ndarray], features: Any, image_of_row: np.ndarray) -> np.ndarray:
        """The scores of a batch of windows.

        Args:
            windows: int64 `input_ids`, `token_type_ids`, `attention_mask` [b, t] and `bbox` [b, t, 4].
            features: what `image_features` returned.
            image_of_row: int64 [b], the index in `features` of each window's page.

        Returns:
            float32, by the model's task: token classification [b, t, labels], sequence classification [b, labels],
            question answering [b, t, 2] (start, end).

        Raises:
            ValueError: an id or a box is out of range; the message names the row and token.
        """

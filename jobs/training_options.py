"""How the weights are trained: the options that fine-tuning and pre-training have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.training.options import OptimizerOptions


@dataclass(frozen=True)
class TrainingLoopOptions:
    """Options of a job that trains on Ray's workers."""

    warmup_fraction: float = 0.1
    """Share of the steps, 0 to 1, in which the learning rates rise; then they fall linearly."""
    weight_decay: float = 0.01
    """Weight decay of matrices and tables; biases and norms have none."""
    gradient_clip: float = 1.0
    """The largest norm of a step's gradients; 0 clips nothing."""
    average_weights: float = 0.0
    """Decay of the moving average of the weights, below 1, which is then evaluated and saved; 0 keeps none."""
    freeze_backbone: bool = False
    """Do not train the visual backbone."""
    freeze_word_embeddings: bool = False
    """Do not train the table of word embeddings."""
    gradient_checkpointing: bool = False
    """Recompute each layer in the backward pass: less memory, more time."""
    synchronize_batch_norm: bool = False
    """Train the normalisation of the backbone with statistics shared by all workers; GPUs only."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of the arithmetic (autocast); weights stay float32."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    workers: int = 1
    """Processes that train together; each takes a GPU where the cluster has them."""
    threads: int | None = None
    """Threads of PyTorch in each worker; by default the workers share the cores of a machine."""
    overwrite: bool = False
    """Remove what an earlier run wrote to --output and start again."""
    address: str | None = None
    """Address of a Ray cluster; by default the cluster that this runs in, or else a local one is started."""

    def optimizer_options(self, learning_rate: float, new_parts_learning_rate: float) -> OptimizerOptions:
        """How the weights change, at these peak rates of loaded and of new parameters."""
        return OptimizerOptions(
            learning_rate=learning_rate,
            new_parts_learning_rate=new_parts_learning_rate,
            warmup_fraction=self.warmup_fraction,
            weight_decay=self.weight_decay,
            gradient_clip=self.gradient_clip,
            average_weights=self.average_weights,
            freeze_backbone=self.freeze_backbone,
            freeze_word_embeddings=self.freeze_word_embeddings,
        )

    def check_optimizer(self) -> None:
        """Refuse what is outside its range.

        Raises:
            ValueError: the message names the option.
        """
        for name, most in (("warmup_fraction", 1.0), ("average_weights", 1.0), ("weight_decay", float("inf"))):
            value = getattr(self, name)
            if not 0 <= value < most:
                raise ValueError(f"--{name.replace('_', '-')} is {value:g}; it must be from 0 to below {most:g}")
        if not 0 <= self.gradient_clip < float("inf"):
            raise ValueError(f"--gradient-clip is {self.gradient_clip:g}; it must be 0 or above")

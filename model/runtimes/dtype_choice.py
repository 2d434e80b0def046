"""Which floating-point type PyTorch runs a model in."""

from __future__ import annotations

import torch

from model.runtimes.runtime import DtypeChoice


def choose_dtype(choice: DtypeChoice, device: torch.device) -> torch.dtype:
    """The dtype for an option; "auto" is float32 on a CPU, bfloat16 on a GPU that supports it, float16 on others."""
    if choice != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[choice]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16

"""Training steps a second, with and without gradient checkpointing, and the memory that each takes."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.accelerator.operations import count_operations
from benchmarks.accelerator.setting import MODELS, Case, Row, Setting, full_batch, make_model

LEARNING_RATE = 5e-5


def training_cases(setting: Setting) -> list[Case]:
    """The base model first, which is the one that needs the memory; batches of 8 full windows, and of 32."""
    batches = setting.batches[-1:] if setting.quick else setting.batches[1:]
    return [
        Case(
            f"{model} batch {batch}, {'with' if kept else 'without'} checkpointing",
            partial(step_seconds, setting, model, batch, kept),
        )
        for model in reversed(MODELS)
        for batch in batches
        for kept in (False, True)
    ]


def step_seconds(setting: Setting, name: str, batch: int, checkpointing: bool) -> Row:
    """The row of a model: weights and AdamW in float32, the network in bfloat16 by autocast, a picture a window."""
    tokens = setting.lengths[-1]
    model = make_model(name, setting, torch.float32).train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=setting.on_gpu)
    inputs = full_batch(setting, setting.pages(), batch, tokens)
    labels = torch.randint(0, model.config.num_labels, (batch, tokens), device=setting.device)
    autocast = torch.autocast("cuda" if setting.on_gpu else "cpu", torch.bfloat16, enabled=setting.on_gpu)

    def step() -> None:
        with autocast:
            loss = model(**inputs, labels=labels).loss
        assert loss is not None
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    setting.forget_peak()
    seconds = setting.seconds(step, spent=2.0)
    counted = count_operations(model.config, tokens, setting.side)
    done = 3 * counted.total + (counted.encoder if checkpointing else 0)
    return {
        "model": name,
        "dtype": "bfloat16" if setting.on_gpu else "float32",
        "tokens": tokens,
        "batch": batch,
        "gradient_checkpointing": checkpointing,
        "steps_per_second": round(1 / seconds, 3),
        "windows_per_second": round(batch / seconds, 2),
        "teraflops": round(2 * batch * done / seconds / 1e12, 4),
        "peak_megabytes": setting.peak_megabytes(),
    }

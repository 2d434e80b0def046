"""Batches of windows of made-up pages."""

from __future__ import annotations

import numpy as np

from model.export.check import CheckedBatch


def batch(windows: int, tokens: int, pages: int = 1) -> CheckedBatch:
    """Windows of which the last one is half as long, over pages in turn."""
    random = np.random.default_rng(1000 * windows + tokens)
    mask = np.ones((windows, tokens), dtype=np.int64)
    mask[-1, (tokens + 1) // 2 :] = 0
    corners = np.sort(random.integers(0, 1001, (windows, tokens, 2, 2)), axis=2)
    return CheckedBatch(
        images=random.integers(0, 256, (pages, 3, 224, 224), dtype=np.uint8),
        windows={
            "input_ids": random.integers(0, 30000, (windows, tokens)),
            "token_type_ids": random.integers(0, 2, (windows, tokens)),
            "attention_mask": mask,
            "bbox": corners.reshape(windows, tokens, 4),
        },
        image_of_row=np.arange(windows) % pages,
    )


BATCHES = (batch(1, 8), batch(3, 40, pages=2), batch(1, 131), batch(2, 512))
"""Other numbers of windows, tokens and pages than those that the graphs are traced with."""

"""Batches of windows of made-up pages, and a small model with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import model
from model.config import LayoutLMv2Config
from model.export.check import CheckedBatch
from model.untrained import untrained_config

HEADS = {
    "token-classification": "LayoutLMv2ForTokenClassification",
    "sequence-classification": "LayoutLMv2ForSequenceClassification",
    "question-answering": "LayoutLMv2ForQuestionAnswering",
}


LEVELS = ["res2", "res3"]
"""Two levels have all that a pyramid consists of, and half of the operations of four: conversion takes as long as a
graph has operations."""


def small_config(task: str = "token-classification") -> LayoutLMv2Config:
    """One layer over a pyramid of two levels."""
    config = untrained_config(task)
    pyramid = {**config.detectron2_config_args, "MODEL.FPN.IN_FEATURES": LEVELS, "MODEL.RESNETS.OUT_FEATURES": LEVELS}
    return config.replace(architectures=[HEADS[task]], num_hidden_layers=1, detectron2_config_args=pyramid)


def small_model(task: str = "token-classification") -> Any:
    """A model of `small_config` in evaluation mode; the same weights at each call."""
    torch.manual_seed(0)
    return getattr(model, HEADS[task])(small_config(task)).eval()


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

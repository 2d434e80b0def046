"""The smallest model that has all parts, with random weights."""

from __future__ import annotations

from typing import Any

import torch

import model
from model.config import LayoutLMv2Config
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

"""A small model with random weights, to check that everything runs."""

from __future__ import annotations

from typing import Any

from model.config import LayoutLMv2Config

UNTRAINED = "untrained"
"""The name by which users select this model."""

FORM_LABELS = ("O", "B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER")
CLASS_LABELS = ("form", "receipt", "contract", "letter")

_SEED = 0
_LABELS = {
    "token-classification": FORM_LABELS,
    "sequence-classification": CLASS_LABELS,
    "question-answering": ("START", "END"),
}


def untrained_config(task: str) -> LayoutLMv2Config:
    """Two layers of width 128 over a ResNet-18 pyramid, with labels for the task ("token-classification", ...)."""
    labels = _LABELS[task]
    return LayoutLMv2Config(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        coordinate_size=20,
        shape_size=24,
        image_feature_pool_shape=[7, 7, 64],
        detectron2_config_args={
            "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
            "MODEL.FPN.IN_FEATURES": ["res2", "res3", "res4", "res5"],
            "MODEL.FPN.OUT_CHANNELS": 64,
            "MODEL.PIXEL_STD": [57.375, 57.12, 58.395],
            "MODEL.RESNETS.DEPTH": 18,
            "MODEL.RESNETS.OUT_FEATURES": ["res2", "res3", "res4", "res5"],
            "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
        },
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )


def untrained_model(model_class: Any, task: str) -> Any:
    """A model of the class, in evaluation mode; the same weights in every process."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return model_class(untrained_config(task)).eval()

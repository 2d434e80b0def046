"""Learns which segments belong together, from labelled pages and what a model says about their words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.decode import Box, labelled_entities
from model.segment_decoding import label_segments
from model.segment_joins import FEATURES, JoinClassifier, join_candidates, join_features
from model.segments import page_rectangles

HIDDEN_UNITS = 24
STEPS = 400
LEARNING_RATE = 0.01
WEIGHT_DECAY = 0.03

MIN_PAIRS = 50
"""Fewer joined pairs than this teach nothing."""


class TooFewPairsError(ValueError):
    """The pages hold too few joined segments to learn from."""


@dataclass(frozen=True)
class WordPredictions:
    """A labelled page and what a model says about its words.

    Attributes:
        words, boxes: in reading order; boxes in thousandths of the page's width and height.
        width_to_height: of the page.
        probabilities: float32 [words, labels].
        true_labels: BIO, one a word; None for a word without one.
    """

    words: Sequence[str]
    boxes: Sequence[Box]
    width_to_height: float
    probabilities: NDArray[np.float32]
    true_labels: Sequence[str | None]


def fit_joins(pages: Iterable[WordPredictions], labels: Sequence[str], seed: int = 0) -> JoinClassifier:
    """Fit the classifier by its log loss, with weight decay, on all pairs of neighbouring segments of the pages.

    A pair counts as joined if both segments lie in one true entity. Pairs of which one lies in none are left out.

    Args:
        labels: BIO, in the order of the probabilities.
        seed: of the first weights.

    Raises:
        TooFewPairsError: fewer than `MIN_PAIRS` pairs are joined.
    """
    features, joined = join_examples(pages, labels)
    if joined.sum() < MIN_PAIRS:
        raise TooFewPairsError(
            f"the pages hold {int(joined.sum())} joined pairs of segments, and the joins need {MIN_PAIRS}: give more "
            "pages with entities of several lines"
        )
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-6] = 1.0
    inputs = torch.from_numpy((features - mean) / scale)
    targets = torch.from_numpy(joined.astype(np.float64))
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(len(FEATURES), HIDDEN_UNITS), nn.ReLU(), nn.Linear(HIDDEN_UNITS, 1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            spread = 1 / np.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * spread)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(inputs)[:, 0], targets).backward()
        optimizer.step()
    hidden, output = (
        {name: tensor.detach().numpy() for name, tensor in layer.named_parameters()}
        for layer in (network[0], network[2])
    )
    return JoinClassifier(
        features=FEATURES,
        mean=mean,
        scale=scale,
        hidden_weight=hidden["weight"],
        hidden_bias=hidden["bias"],
        output_weight=output["weight"][0],
        output_bias=float(output["bias"][0]),
    )


def join_examples(
    pages: Iterable[WordPredictions], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The candidates: their features, float64 [pairs, features], and whether they are joined, bool [pairs]."""
    rows: list[list[float]] = []
    joined: list[bool] = []
    for page in pages:
        rectangles = page_rectangles(page.boxes, page.width_to_height)
        segments = label_segments(page.probabilities, labels, page.words, rectangles)
        entities = _entity_of_words(page)
        for first, second in join_candidates(segments):
            ends = entities[segments[first].words[-1]], entities[segments[second].words[0]]
            if min(ends) < 0:
                continue
            features = join_features(page.words, rectangles, segments[first], segments[second])
            rows.append([features[name] for name in FEATURES])
            joined.append(ends[0] == ends[1])
    return np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES)), np.array(joined, dtype=np.bool_)


def _entity_of_words(page: WordPredictions) -> list[int]:
    """The number of each word's true entity; -1 outside."""
    numbers = [-1] * len(page.words)
    for number, entity in enumerate(labelled_entities(page.true_labels, page.words, page.boxes)):
        for word in entity.words:
            numbers[word] = number
    return numbers

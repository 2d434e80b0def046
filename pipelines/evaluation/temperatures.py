"""Temperatures of a model's labels, fitted to labelled words.

Each label's logit is divided by its temperature before the softmax (temperature scaling of Guo et al., 2017: with one
temperature a label it is their vector scaling without the bias, with the same one for all labels it is their plain
form, which leaves every prediction as it is). The temperatures minimise the mean negative log-likelihood of the words'
true labels. Whether they help is measured on words that they were not fitted to: the documents are halved, and each
half is judged with the temperatures of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.decode import word_logits
from pipelines.errors import JobError
from pipelines.evaluation.metrics.entities import plain_labels
from pipelines.schema import Row
from pipelines.stages.merge import page_windows

TEMPERATURES = (0.05, 20.0)
"""The least and the highest temperature."""

MIN_WORDS = 30
"""A label with fewer true words has no temperature of its own."""

Scaling = Literal["per_label", "shared"]
"""One temperature for each label, or the same one for all."""


class CalibrationError(JobError):
    """The labelled pages are too few to calibrate on."""


@dataclass(frozen=True)
class LabelledWords:
    """Words with their logits and their true labels.

    Attributes:
        labels: of the model, in the order of the logits.
        logits: float64 [words, labels].
        true: int64 [words], indices of `labels`.
        half: int64 [words], 0 or 1; the words of a document are in the same one.
        left_out: words whose true label is none of the model's, or that have no tokens.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float64]
    true: NDArray[np.int64]
    half: NDArray[np.int64]
    left_out: int = 0

    def counts(self) -> dict[str, int]:
        """True words by label."""
        return dict(zip(self.labels, np.bincount(self.true, minlength=len(self.labels)).tolist(), strict=True))

    def of_half(self, half: int) -> LabelledWords:
        """The words of one half."""
        chosen = self.half == half
        return LabelledWords(self.labels, self.logits[chosen], self.true[chosen], self.half[chosen])


@dataclass(frozen=True)
class TemperatureFit:
    """The temperatures that make held-out words most likely.

    Attributes:
        scaling: None if the words are most likely with the temperatures as they were.
        temperatures: by label, as fitted to all words.
        too_few: labels that have no temperature of their own, with their numbers of true words.
        held_out: mean negative log-likelihood of a word that was held out, in nats: "before", and for each scaling.
    """

    scaling: Scaling | None
    temperatures: Mapping[str, float]
    too_few: Mapping[str, int]
    held_out: Mapping[str, float]


def labelled_words(rows: Iterable[Row], labels: Sequence[str]) -> LabelledWords:
    """The labelled words of pages.

    Documents go into the two halves in turn; the pages of a single document do.

    Args:
        rows: with the columns of `INFERRED` and `true_labels`; pages that failed or have no labels are passed over.
        labels: of the model.

    Raises:
        CalibrationError: fewer than two pages have labelled words.
    """
    index = {label: place for place, label in reversed(list(enumerate(plain_labels(labels))))}
    logits: list[NDArray[np.float64]] = []
    true: list[NDArray[np.int64]] = []
    documents: list[str] = []
    left_out = 0
    for row in rows:
        if row["status"] != "ok" or not row["true_labels"]:
            continue
        words = len(row["true_labels"])
        windows = page_windows(row)
        if not windows:
            left_out += words
            continue
        of_page, has_tokens = word_logits(windows, words)
        places = np.array([index.get(label, -1) for label in plain_labels(row["true_labels"])])
        usable = has_tokens & (places >= 0)
        left_out += int(words - usable.sum())
        if usable.any():
            logits.append(of_page[usable].astype(np.float64))
            true.append(places[usable])
            documents.append(row["document_id"])
    if len(logits) < 2:
        raise CalibrationError(
            f"{len(logits)} pages have words with labels of the model; temperatures need two at least, and a hundred "
            "for good ones: give a corpus that labels words, or a larger split"
        )
    places_of = {document: place for place, document in enumerate(dict.fromkeys(documents))}
    halves = (
        [places_of[document] % 2 for document in documents]
        if len(places_of) > 1
        else [page % 2 for page in range(len(documents))]
    )
    return LabelledWords(
        tuple(labels),
        np.concatenate(logits),
        np.concatenate(true),
        np.repeat(halves, [len(of_page) for of_page in true]),
        left_out,
    )


def negative_log_likelihood(words: LabelledWords, temperatures: NDArray[np.float64]) -> float:
    """The mean over words, in nats.

    Args:
        temperatures: float64 [labels], above 0.
    """
    return _likelihood_and_gradient(words, np.log(temperatures))[0]


def fit_temperatures(words: LabelledWords, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 [labels]: the temperatures, within `TEMPERATURES`, under which the words' labels are most likely.

    Args:
        groups: int64 [labels]; labels of a group, counted from 0, have the same temperature, and those of -1 have 1.
    """
    from scipy.optimize import minimize

    fitted, count = groups >= 0, int(groups.max()) + 1

    def loss(logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = _likelihood_and_gradient(words, np.where(fitted, logarithms[groups], 0.0))
        return value, np.array([gradient[groups == group].sum() for group in range(count)])

    bounds = [tuple(np.log(TEMPERATURES))] * count
    found = minimize(loss, np.zeros(count), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.where(fitted, np.clip(np.exp(found.x), *TEMPERATURES)[groups], 1.0)


def fit_and_judge(words: LabelledWords, before: NDArray[np.float64]) -> TemperatureFit:
    """Temperatures, if they help on words that were held out; one for each label if that helps more than one for all.

    Args:
        before: float64 [labels], the temperatures to compare with.

    Raises:
        CalibrationError: no label has words enough.
    """
    counts = words.counts()
    enough = np.array([counts[label] >= MIN_WORDS for label in words.labels])
    if not enough.any():
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        raise CalibrationError(
            f"no label has {MIN_WORDS} labelled words ({told}), too few to fit a temperature: give more pages"
        )
    groups: dict[Scaling, NDArray[np.int64]] = {
        "per_label": np.where(enough, np.cumsum(enough) - 1, -1),
        "shared": np.zeros(len(words.labels), dtype=np.int64),
    }
    held_out = {"before": negative_log_likelihood(words, before)}
    held_out |= {scaling: _held_out(words, of_scaling) for scaling, of_scaling in groups.items()}
    best: Scaling = min(groups, key=lambda scaling: held_out[scaling])
    helps = held_out[best] < held_out["before"]
    found = fit_temperatures(words, groups[best]) if helps else before
    return TemperatureFit(
        best if helps else None,
        dict(zip(words.labels, found.tolist(), strict=True)),
        {label: counts[label] for label, is_enough in zip(words.labels, enough, strict=True) if not is_enough},
        held_out,
    )


def _held_out(words: LabelledWords, groups: NDArray[np.int64]) -> float:
    """The mean negative log-likelihood of all words, each with temperatures fitted to the other half."""
    halves = words.of_half(0), words.of_half(1)
    losses = [
        negative_log_likelihood(half, fit_temperatures(other, groups))
        for half, other in zip(halves, reversed(halves), strict=True)
    ]
    return float(np.average(losses, weights=[len(half.true) for half in halves]))


def _likelihood_and_gradient(
    words: LabelledWords, logarithms: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The mean negative log-likelihood, and its derivative by the logarithm of each temperature."""
    scaled = words.logits * np.exp(-logarithms)
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1)
    rows = np.arange(len(words.true))
    value = float((np.log(totals) - shifted[rows, words.true]).mean())
    excess = exponentials / totals[:, None]
    excess[rows, words.true] -= 1
    return value, -(excess * scaled).mean(axis=0)

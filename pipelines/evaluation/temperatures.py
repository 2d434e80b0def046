"""Temperatures of a model's labels, fitted to labelled words.

Each label's logit is divided by its temperature before the softmax (temperature scaling of Guo et al., 2017, with one
temperature a label: their vector scaling without the bias). The temperatures minimise the mean negative log-likelihood
of the words' true labels. Whether they help is measured on words that they were not fitted to: the documents are
halved, and each half is judged with the temperatures of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
"""A label with fewer true words keeps the temperature 1."""


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
    """Temperatures, and what they do to words that they were not fitted to.

    Attributes:
        temperatures: by label, as fitted to all words; without the labels that keep 1.
        kept: labels that keep 1, with their numbers of true words.
        held_out_before, held_out_after: mean negative log-likelihood of a word, in nats.
    """

    temperatures: Mapping[str, float]
    kept: Mapping[str, int]
    held_out_before: float
    held_out_after: float

    @property
    def helps(self) -> bool:
        """Whether the words that were held out are more likely with the temperatures."""
        return self.held_out_after < self.held_out_before


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


def fit_temperatures(words: LabelledWords, fitted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64 [labels]: the temperatures, within `TEMPERATURES`, under which the words' labels are most likely.

    Args:
        fitted: bool [labels]; the others have the temperature 1.
    """
    from scipy.optimize import minimize

    logarithms = np.zeros(len(words.labels))

    def loss(chosen: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logarithms[fitted] = chosen
        value, gradient = _likelihood_and_gradient(words, logarithms)
        return value, gradient[fitted]

    bounds = [tuple(np.log(TEMPERATURES))] * int(fitted.sum())
    found = minimize(loss, np.zeros(int(fitted.sum())), jac=True, method="L-BFGS-B", bounds=bounds)
    logarithms[fitted] = found.x
    return np.clip(np.exp(logarithms), *TEMPERATURES)


def fit_and_judge(words: LabelledWords, before: NDArray[np.float64]) -> TemperatureFit:
    """Temperatures for the labels that have words enough, and whether they help on words that were held out.

    Args:
        before: float64 [labels], the temperatures to compare with.

    Raises:
        CalibrationError: no label has words enough.
    """
    counts = words.counts()
    fitted = np.array([counts[label] >= MIN_WORDS for label in words.labels])
    if not fitted.any():
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        raise CalibrationError(
            f"no label has {MIN_WORDS} labelled words ({told}), too few to fit a temperature: give more pages"
        )
    halves = [words.of_half(half) for half in (0, 1)]
    shares = [len(half.true) / len(words.true) for half in halves]
    crossed = [fit_temperatures(halves[1 - half], fitted) for half in (0, 1)]
    after = [negative_log_likelihood(half, found) for half, found in zip(halves, crossed, strict=True)]
    found = fit_temperatures(words, fitted)
    return TemperatureFit(
        {label: float(value) for label, value, is_fitted in zip(words.labels, found, fitted, strict=True) if is_fitted},
        {label: counts[label] for label, is_fitted in zip(words.labels, fitted, strict=True) if not is_fitted},
        negative_log_likelihood(words, before),
        float(np.dot(shares, after)),
    )


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

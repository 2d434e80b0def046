"""Calibration: from labelled pages to temperatures and score curves in a checkpoint's `decoding.json`.

    labelled pages -> [ read -> align labels -> tokenize ] -> [ infer ] -> logits -> temperatures
                                                                           logits -> merge, before and after -> scores

The model runs once; the logits of all pages are kept, about 30 kB a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from model.decoding import Decoding
from model.score_curve import CONFIDENCE, ScoreCurve, point_for_precision, score_curve
from pipelines.datasets.types import Corpus
from pipelines.evaluation.corpus import check_scores
from pipelines.evaluation.evaluate import KEPT, extract_options, infer_labelled, labelled_dataset, page_rows
from pipelines.evaluation.metrics.scored_items import PageItems
from pipelines.evaluation.metrics.scores import Scores, score_pages
from pipelines.evaluation.options import EvaluateOptions
from pipelines.evaluation.temperatures import (
    LabelledWords,
    TemperatureFit,
    fit_and_judge,
    labelled_words,
    negative_log_likelihood,
)
from pipelines.extract import merge_options
from pipelines.schema import Row
from pipelines.stages.merge import Merge, MergeOptions
from pipelines.stages.model_loader import model_name

PRECISIONS = (0.8, 0.9, 0.95, 0.99)
"""Precisions whose thresholds the record tells."""


@dataclass(frozen=True)
class Calibration:
    """A calibrated decoding, and the record of how it came about, ready for JSON."""

    decoding: Decoding
    record: dict[str, Any]


def calibrate(options: EvaluateOptions, corpus: Corpus) -> Calibration:
    """Fit the temperatures of a model's labels on the connected Ray cluster, and measure its scores.

    The temperatures stay as they are where new ones would not make the words that were held out more likely.

    Raises:
        CalibrationError: too few labelled words.
        MissingPagesError: a page was lost on the way.
        CheckpointError: the model or its decoding cannot be read.
    """
    pages = corpus.pages[: options.limit]
    merge = merge_options(extract_options(options))
    dataset, pools = labelled_dataset(pages, options)
    inferred = infer_labelled(dataset, options, pools)
    tables: list[pa.Table] = []
    for _ in page_rows(_kept(inferred.iter_batches(batch_size=None, batch_format="pyarrow"), tables), len(pages)):
        pass
    words = labelled_words(_rows(tables), merge.labels)
    present = merge.decoding.temperature_vector(merge.labels).astype(np.float64)
    fit = fit_and_judge(words, present)
    decoding = replace(merge.decoding, temperatures=dict(fit.temperatures)) if fit.scaling else merge.decoding
    before, _ = _scored(options, tables, merge)
    check_scores(options, before, len(pages))
    after, items = _scored(options, tables, replace(merge, decoding=decoding))
    curves: dict[str, ScoreCurve] = {
        unit: score_curve(items.items[unit].scores, items.items[unit].is_right)
        for unit in ("entities", "pairs")
        if len(items.items[unit])
    }
    decoding = replace(decoding, score_curves=curves)
    chosen = decoding.temperature_vector(merge.labels).astype(np.float64)
    record = {
        "dataset": options.dataset,
        "split": options.split,
        **({} if options.language is None else {"language": options.language}),
        "data": options.data,
        "model": model_name(options.model),
        "pages": len(pages),
        "failed_pages": before.values["failed_pages"],
        **_fit_record(words, fit),
        "temperatures": dict(fit.temperatures),
        "before": _figures(words, present, before),
        "after": _figures(words, chosen, after),
        "thresholds": {unit: _thresholds(curve) for unit, curve in curves.items()},
        "confidence": CONFIDENCE,
        "problems": len(corpus.problems),
    }
    return Calibration(decoding, record)


def _kept(tables: Iterable[pa.Table], kept: list[pa.Table]) -> Iterator[pa.Table]:
    """The same tables, which are also kept; only their status is passed on."""
    for table in tables:
        kept.append(table)
        yield table.select(["status"])


def _rows(tables: Sequence[pa.Table]) -> Iterator[Row]:
    for table in tables:
        yield from table.to_pylist()


def _scored(options: EvaluateOptions, tables: Sequence[pa.Table], merge: MergeOptions) -> tuple[Scores, PageItems]:
    """The scores of the pages as `merge` decodes them, and their scored words, entities and pairs."""
    items = PageItems()

    def counted() -> Iterator[Row]:
        for row in Merge(merge, KEPT)(_rows(tables)):
            if row["true_labels"] is not None:
                items.add(row)
            yield row

    return score_pages(options.dataset, options.task, counted()), items


def _fit_record(words: LabelledWords, fit: TemperatureFit) -> dict[str, Any]:
    return {
        "words": len(words.true),
        "words_left_out": words.left_out,
        "words_by_label": words.counts(),
        "scaling": fit.scaling,
        "labels_with_too_few_words": dict(fit.too_few),
        "held_out": dict(fit.held_out),
    }


def _figures(words: LabelledWords, temperatures: np.ndarray, scores: Scores) -> dict[str, Any]:
    entities = scores.values.get("entities", scores.values)
    return {
        "nll": negative_log_likelihood(words, temperatures),
        "ece": scores.values["ece"],
        "right": {unit: figures["right"] for unit, figures in scores.calibration.items()},
        "entity_f1": entities["f1"],
    }


def _thresholds(curve: ScoreCurve) -> dict[str, Any]:
    """For each of `PRECISIONS` the score from which it holds, and the share of predictions at or above it, or None."""
    points = {f"{wanted:g}": point_for_precision(curve, wanted) for wanted in PRECISIONS}
    total = curve[-1].predictions
    return {
        wanted: point and {"min_score": point.min_score, "accepted": point.predictions / total}
        for wanted, point in points.items()
    }

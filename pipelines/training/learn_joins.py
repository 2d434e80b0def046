"""The joins of a model's segments, learned on labelled pages that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from model.decode import softmax, word_logits
from model.segment_joins import JoinClassifier
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.evaluate import infer_labelled, labelled_dataset
from pipelines.evaluation.options import EvaluateOptions
from pipelines.stages.merge import page_windows, width_to_height
from pipelines.stages.model_loader import model_labels
from pipelines.training.segment_joins import WordPredictions, fit_joins


def learn_joins(corpora: Sequence[EvaluateOptions]) -> JoinClassifier:
    """Run a model over labelled pages on the connected Ray cluster, and fit the joins of its segments.

    Args:
        corpora: pages that the model has not seen; all name the same model.

    Raises:
        TooFewPairsError: the pages hold too few joined segments.
        The errors of `read_split`.
    """
    labels = model_labels(corpora[0].model, "token-classification")
    return fit_joins((page for options in corpora for page in predicted_words(options)), labels)


def predicted_words(options: EvaluateOptions) -> Iterator[WordPredictions]:
    """What a model says about the words of labelled pages; failed pages are left out."""
    pages = read_split(options).pages[: options.limit]
    dataset, pools = labelled_dataset(pages, options)
    inferred = infer_labelled(dataset, options, pools)
    tables: Iterable[pa.Table] = inferred.iter_batches(batch_size=None, batch_format="pyarrow")
    for table in tables:
        for row in table.to_pylist():
            if row["status"] == "ok" and row["true_labels"] and row["windows"]:
                logits, has_tokens = word_logits(page_windows(row), len(row["words"]))
                yield WordPredictions(
                    words=row["words"],
                    boxes=row["boxes"],
                    width_to_height=width_to_height(row),
                    probabilities=(softmax(logits) * has_tokens[:, None]).astype(np.float32),
                    true_labels=row["true_labels"],
                )

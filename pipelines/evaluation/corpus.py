"""The corpus of an evaluation, and the checks that its figures mean something: before it runs, and after."""

from __future__ import annotations

from collections.abc import Sequence

from model.decode import split_label
from pipelines.datasets.preprocess import check_ocr
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import Corpus
from pipelines.errors import JobError
from pipelines.evaluation.metrics.scores import Scores
from pipelines.evaluation.options import EvaluateOptions
from pipelines.evaluation.read_words import without_words
from pipelines.schema import Task
from pipelines.stages.model_loader import check_task, load_tokenizer, model_labels
from pipelines.stages.runtime_choice import check_graph_files, choose_runtime
from pipelines.storage.files import Storage

LABELS_NAMED = 8
"""Labels of a misfit that its message lists."""


class EmptyCorpusError(JobError):
    """The corpus has no ground truth for the task."""


class MissingPagesError(JobError):
    """Not every page came back from the cluster: figures over the others would be wrong."""


def read_split(options: EvaluateOptions) -> Corpus:
    """The pages to evaluate on; `read_corpus` logs their problems.

    Raises:
        ValueError: there is no such data set or split, it does not serve the task or has no page, or the model's labels
            do not fit.
        ProcessingError: the data cannot be accessed.
        BrokenAnnotationError: a broken annotation, and `options.strict`.
        CheckpointError: the model cannot be read.
        OcrUnavailableError: words have to be read, and OCR is not installed.
    """
    check_task(options.model, options.task)
    choose_runtime(options.model, options.infer)
    check_graph_files(options.model)
    longest = load_tokenizer(options.model).model_max_length
    if not 0 <= options.stride < longest // 2:
        raise ValueError(f"--stride is {options.stride}; it must be from 0 to {longest // 2 - 1}")
    corpus = read_corpus(
        options.dataset,
        options.data,
        options.split,
        options.task,
        language=options.language,
        storage=Storage(),
        strict=options.strict,
    )
    check_labels(options, corpus.labels)
    if options.words == "ocr":
        if options.task != "token-classification":
            raise ValueError("--words ocr compares the texts of entities, so it is for --task token-classification")
        corpus = without_words(corpus)
    check_ocr(corpus.pages, options.preprocess)
    return corpus


def check_labels(options: EvaluateOptions, labels: Sequence[str]) -> None:
    """Refuse a model that cannot predict some of the corpus's labels: its figures would say nothing.

    Labels of words are compared by their kinds, so a model without `B-` and `I-`, or with its labels in another order,
    fits. Labels that only the model has are accepted: where it predicts them, they count as mistakes.

    Raises:
        ValueError: the labels do not fit; the message names both sides.
    """
    of_model = model_labels(options.model, options.task)
    known, needed = (_kinds(side, options.task) for side in (of_model, labels))
    missing = [label for label in needed if label not in known]
    if missing:
        raise ValueError(
            f"{options.model} cannot give {len(missing)} of the {len(needed)} labels of {options.dataset} "
            f"({', '.join(missing[:LABELS_NAMED])}{', ...' if len(missing) > LABELS_NAMED else ''}): the model's "
            f"labels are {', '.join(of_model)}; the data set's are {', '.join(labels)}. "
            "Give a model that was fine-tuned for this data set, or fine-tune it with jobs.finetune"
        )


def _kinds(labels: Sequence[str], task: Task) -> list[str]:
    if task != "token-classification":
        return list(labels)
    kinds = dict.fromkeys(split_label(label)[1] for label in labels)
    return [kind for kind in kinds if kind]


def check_scores(options: EvaluateOptions, scores: Scores, expected: int) -> None:
    """Refuse figures that leave out pages, or that have nothing to measure.

    Args:
        expected: pages that were evaluated.

    Raises:
        MissingPagesError: a page was lost on the way.
        EmptyCorpusError: no page has ground truth for the task.
    """
    if scores.values["pages"] != expected:
        raise MissingPagesError(f"{expected} pages went in and {scores.values['pages']} came out; run it again")
    if scores.values["pages_without_truth"] == expected:
        raise EmptyCorpusError(f"none of the {expected} pages of {options.dataset} has ground truth for {options.task}")

"""The data sets by name, and one function that reads any of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.datasets import class_folders, cord, docvqa, funsd, kleister_nda, labelled_pages, rvl_cdip, sroie, xfund
from pipelines.datasets.types import AnnotationIssue, BrokenAnnotationError, Corpus, LabelledPage, Report
from pipelines.schema import Row, Task
from pipelines.storage.files import Storage, normalise_uri

logger = logging.getLogger(__name__)

PROBLEMS_SHOWN = 20

Read = Callable[[Storage, str, str, Task, Report], tuple[LabelledPage, ...]]
ReadLanguage = Callable[[Storage, str, str, Task, Report, str | None], tuple[LabelledPage, ...]]
Labels = Callable[[Storage, str, Task], tuple[str, ...]]
Locate = Callable[[Row], Row]


@dataclass(frozen=True)
class Dataset:
    """A data set before it is read.

    Attributes:
        tasks: the tasks that its annotations serve.
        splits: names of the splits.
        read: returns the pages of a split.
        labels: returns the labels of a task, in the order of the model's logits.
        locate: for values without positions: returns `true_labels` and `questions` of a row with its words. None if the
            annotations have positions.
        read_language: `read` for a corpus in several languages, with the ones that are wanted; None for others.
    """

    tasks: tuple[Task, ...]
    splits: tuple[str, ...]
    read: Read
    labels: Labels
    locate: Locate | None = None
    read_language: ReadLanguage | None = None


def _always(labels: Sequence[str]) -> Labels:
    """The same labels for any data; none for question answering."""

    def fixed(storage: Storage, data: str, task: Task) -> tuple[str, ...]:
        return () if task == "question-answering" else tuple(labels)

    return fixed


def _locate_in_contract(row: Row) -> Row:
    keys = [(pair["key"], pair["value"]) for pair in row["keys"]]
    return {
        "true_labels": kleister_nda.label_words(row["words"], row["boxes"], keys),
        "questions": kleister_nda.locate_answers(row["words"], row["questions"]),
    }


DATASETS: dict[str, Dataset] = {
    "funsd": Dataset(funsd.TASKS, funsd.SPLITS, funsd.read, _always(funsd.LABELS)),
    "xfund": Dataset(xfund.TASKS, xfund.SPLITS, xfund.read, _always(xfund.LABELS), read_language=xfund.read),
    "cord": Dataset(cord.TASKS, cord.SPLITS, cord.read, _always(cord.LABELS)),
    "sroie": Dataset(sroie.TASKS, sroie.SPLITS, sroie.read, _always(sroie.LABELS)),
    "kleister-nda": Dataset(
        kleister_nda.TASKS,
        kleister_nda.SPLITS,
        kleister_nda.read,
        _always(kleister_nda.LABELS),
        _locate_in_contract,
    ),
    "docvqa": Dataset(docvqa.TASKS, docvqa.SPLITS, docvqa.read, _always(())),
    "rvl-cdip": Dataset(rvl_cdip.TASKS, rvl_cdip.SPLITS, rvl_cdip.read, _always(rvl_cdip.LABELS)),
    "class-folders": Dataset(class_folders.TASKS, class_folders.SPLITS, class_folders.read, class_folders.labels),
    "labelled-pages": Dataset(labelled_pages.TASKS, labelled_pages.SPLITS, labelled_pages.read, labelled_pages.labels),
}


def read_corpus(
    dataset: str,
    data: str,
    split: str,
    task: Task,
    *,
    language: str | None = None,
    storage: Storage | None = None,
    strict: bool = False,
) -> Corpus:
    """One split of a labelled corpus, for a task.

    Problems with the annotations are logged, and part of the result.

    Args:
        dataset: one of `DATASETS`.
        data: folder or s3:// URI of the corpus as it is published.
        split: one of the dataset's splits.
        language: of a corpus in several languages those that are wanted, as in `xfund.read`.
        strict: raise an error if there are problems.

    Raises:
        ValueError: no such dataset, split, task or language, or the data is not laid out as it should be.
        BrokenAnnotationError: there are problems, and `strict`.
    """
    if dataset not in DATASETS:
        raise ValueError(f"there is no dataset {dataset!r}; choose one of {', '.join(DATASETS)}")
    known = DATASETS[dataset]
    if task not in known.tasks:
        raise ValueError(f"{dataset} is not labelled for {task}; it serves {', '.join(known.tasks)}")
    if split not in known.splits:
        raise ValueError(f"{dataset} has no split {split!r}; choose one of {', '.join(known.splits)}")
    if language is not None and known.read_language is None:
        raise ValueError(f"--language is {language!r}, and {dataset} has one language; only xfund takes it")
    storage, data = storage or Storage(), normalise_uri(data)
    problems: list[AnnotationIssue] = []

    def report(uri: str, message: str) -> None:
        problems.append(AnnotationIssue(uri, message))

    if known.read_language is not None:
        pages = known.read_language(storage, data, split, task, report, language)
    else:
        pages = known.read(storage, data, split, task, report)
    if not pages:
        raise ValueError(f"{data}: no page of {dataset}'s split {split} could be read{_listed(problems)}")
    if problems:
        message = f"{dataset}, split {split}: {len(problems)} annotations are not as they should be{_listed(problems)}"
        if strict:
            raise BrokenAnnotationError(message)
        logger.warning("%s", message)
    return Corpus(pages, known.labels(storage, data, task), tuple(problems))


def _listed(problems: Sequence[AnnotationIssue]) -> str:
    lines = [f"{issue.uri}: {issue.message}" for issue in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        lines.append(f"and {len(problems) - PROBLEMS_SHOWN} more")
    return "".join(f"\n  {line}" for line in lines)

"""Measure a model on a labelled corpus: entities, fields of receipts and contracts, answers, or classes.

Figures go to standard output, and the last line is one JSON object with all of them; with --output they also go to
metrics.json and to a report with the worst pages drawn. Exit status: 0 done (failed pages count as missed), 1 failed, 2
invalid options or a model that does not fit the data set, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jobs.cli import DONE, connect_to_ray, parse_options, run_job
from jobs.labelled_options import LabelledPagesOptions
from model.checkpoint_source import BUNDLED_FORMS
from model.untrained import UNTRAINED
from pipelines.datasets.types import Corpus
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.options import EvaluateOptions, WordChoice
from pipelines.schema import Task
from pipelines.storage.files import join_uri, normalise_uri


@dataclass(frozen=True)
class EvaluatedOptions:
    """What is evaluated on what: a class of its own, because `--help` begins with it."""

    dataset: str
    """Format of the corpus: funsd, xfund, cord, sroie, kleister-nda, docvqa, rvl-cdip, class-folders or
    labelled-pages."""
    data: str
    """Folder or s3://bucket/prefix of the corpus, laid out as it is published."""
    split: str
    """Split to evaluate on, such as dev or test."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of a checkpoint that was fine-tuned for the task and the labels of the data set. The
    default comes with this package and has FUNSD's labels."""
    task: Task = "token-classification"
    """The task that the model was fine-tuned for."""
    output: str | None = None
    """Folder or s3://bucket/prefix for metrics.json, report.html and pictures/ of the worst pages."""
    predictions: bool = False
    """Also write every page with its words, predictions and ground truth to predictions/*.parquet under --output."""
    report_pages: int = 24
    """Pages that are drawn, the worst first."""
    words: WordChoice = "corpus"
    """corpus: the words of the annotations where there are any; ocr: all pages are read, and a predicted entity is
    right if its label and its text agree with a true one's, without regard to case, white space and punctuation."""


@dataclass(frozen=True)
class Options(LabelledPagesOptions, EvaluatedOptions):
    """Options of `python -m jobs.evaluate`."""

    def checked(self) -> tuple[EvaluateOptions, Corpus]:
        """The options of the evaluation, and the pages to evaluate on.

        Raises:
            ValueError: invalid options, or a data set, split or model that do not fit each other.
            ProcessingError: the data cannot be accessed.
            BrokenAnnotationError: a broken annotation, and `strict`.
            CheckpointError: the model cannot be read.
            OcrUnavailableError: Tesseract, or the data of a language, is not installed.
        """
        options = self.evaluate_options()
        return options, read_split(options)

    def evaluate_options(self) -> EvaluateOptions:
        """The options of the evaluation.

        Raises:
            ValueError: invalid options.
        """
        options = self.options_for(self.dataset, self.data, self.split, self.model, self.task)
        if self.report_pages < 0:
            raise ValueError(f"--report-pages is {self.report_pages}; it must be 0 or more")
        if self.predictions and self.output is None:
            raise ValueError("--predictions are written under --output, which is missing")
        return replace(
            options,
            output=normalise_uri(self.output) if self.output is not None else None,
            predictions=self.predictions,
            report_pages=self.report_pages,
            words=self.words,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(options.checked, partial(evaluate_corpus, address=options.address), interrupted="interrupted")


def evaluate_corpus(checked: tuple[EvaluateOptions, Corpus], address: str | None) -> int:
    """Evaluate on the cluster at `address` and print the figures; returns the exit status."""
    from pipelines.evaluation.evaluate import evaluate

    options, corpus = checked
    connect_to_ray(address)
    record = evaluate(options, corpus)
    print(summary(record))
    if options.output is not None:
        print(f"report: {join_uri(options.output, 'report.html')}")
    print(json.dumps(record, allow_nan=False))
    return DONE


def summary(record: Mapping[str, Any]) -> str:
    """The figures as a table for the terminal, by label or key and overall."""
    lines = []
    for title, figures in (("by label", record.get("by_label")), ("by key", record.get("by_key"))):
        if figures:
            lines += _table(title, {**figures, "overall": record})
    if record.get("entities", {}).get("by_label"):
        lines += _table("entities", {**record["entities"]["by_label"], "overall": record["entities"]})
    pairs = record.get("pairs", record.get("entities", {}).get("pairs"))
    if pairs:
        lines += _table("pairs", {name.replace("_", " "): figures for name, figures in pairs.items()})
    names = [record["metric"], *(name for name in ("exact_match", "accuracy", "macro_f1") if name in record)]
    lines.append(", ".join(f"{name} {record[name]:.4f}" for name in dict.fromkeys(names)))
    errors = {unit: error for unit, error in record.get("ece", {}).items() if error is not None}
    if errors:
        lines.append("calibration error: " + ", ".join(f"{unit} {error:.4f}" for unit, error in errors.items()))
    lines.append(
        f"{record['pages']} pages of {record['documents']} documents ({record['failed_pages']} failed), "
        f"{record['words']} words, {record['problems']} problems with annotations"
    )
    if record["model"] == UNTRAINED:
        lines.append("the model is small and untrained: these figures are those of chance")
    return "\n".join(lines)


def _table(title: str, figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names = ("precision", "recall", "f1", "support")
    width = max(map(len, (title, *figures)))
    lines = [f"{title:{width}}  " + "  ".join(f"{name:>9}" for name in names)]
    for label, row in figures.items():
        cells = (row.get(name) for name in names)
        texts = ("" if cell is None else f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append(f"{label:{width}}  " + "  ".join(f"{text:>9}" for text in texts))
    return [*lines, ""]


if __name__ == "__main__":
    sys.exit(main())

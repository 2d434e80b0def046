"""Calibrate the scores of a model on labelled pages: a temperature for each label, and how often each score is right.

Without --output the result is only shown; with it a checkpoint is written whose decoding.json holds the temperatures
and the score curves, which jobs.extract --accept-precision uses. Figures go to standard output, and the last line is
one JSON object with all of them. Exit status: 0 done, 1 failed or too few labelled words, 2 invalid options or a model
that does not fit the data set, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jobs.cli import DONE, connect_to_ray, parse_options, run_job
from jobs.labelled_options import LabelledPagesOptions
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.datasets.types import Corpus
from pipelines.evaluation.calibrated_checkpoint import check_output, write_calibrated
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.options import EvaluateOptions
from pipelines.stages.model_loader import load_model_decoding


@dataclass(frozen=True)
class CalibratedOptions:
    """What is calibrated on what: a class of its own, because `--help` begins with it."""

    dataset: str
    """Format of the corpus, whose words are labelled: funsd, xfund, cord, sroie, kleister-nda or labelled-pages."""
    data: str
    """Folder or s3://bucket/prefix of the corpus, laid out as it is published."""
    split: str = "dev"
    """Split to calibrate on: pages that the model has not learned from, and that no figure is reported on later."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of a checkpoint that was fine-tuned for the labels of the data set."""
    output: str | None = None
    """Folder for the calibrated checkpoint: a new one gets a copy of the model's files, the model's own folder only a
    new decoding.json. Without it nothing is written."""


@dataclass(frozen=True)
class Options(LabelledPagesOptions, CalibratedOptions):
    """Options of `python -m jobs.calibrate`."""

    def checked(self) -> tuple[EvaluateOptions, Corpus]:
        """The options of the evaluation that the temperatures are fitted with, and its pages.

        Raises:
            ValueError: invalid options, or a data set, split or model that do not fit each other.
            ProcessingError: the data cannot be accessed.
            BrokenAnnotationError: a broken annotation, and `strict`.
            CheckpointError: the model cannot be read.
            OcrUnavailableError: Tesseract, or the data of a language, is not installed.
        """
        options = self.options_for(self.dataset, self.data, self.split, self.model, "token-classification")
        load_model_decoding(self.model)  # a damaged one is said at once
        if self.output is not None:
            check_output(self.model, self.output)
        return options, read_split(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    work = partial(calibrate_model, output=options.output, address=options.address)
    return run_job(options.checked, work, interrupted="interrupted; nothing was written")


def calibrate_model(checked: tuple[EvaluateOptions, Corpus], output: str | None, address: str | None) -> int:
    """Calibrate on the cluster at `address`, write to `output` and print the figures; returns the exit status."""
    from pipelines.evaluation.calibrate import calibrate

    options, corpus = checked
    connect_to_ray(address)
    calibration = calibrate(options, corpus)
    folder = None if output is None else str(write_calibrated(options.model, output, calibration.decoding))
    print(summary(calibration.record, folder))
    print(json.dumps({**calibration.record, "output": folder}, allow_nan=False))
    return DONE


def summary(record: Mapping[str, Any], folder: str | None) -> str:
    """The figures as tables for the terminal, and what to do next."""
    counts, temperatures = record["words_by_label"], record["temperatures"]
    width = max(len("entities, calibration error"), *map(len, counts))
    lines = [f"{'label':{width}}  {'words':>9}  {'temperature':>11}"]
    for label, count in counts.items():
        lines.append(f"{label:{width}}  {count:>9}  {temperatures.get(label, 1.0):>11.3f}")
    lines += ["", f"{'':{width}}  {'before':>9}  {'after':>11}"]
    held_out, sides = record["held_out"], (record["before"], record["after"])
    rows = [("words, nats held out", held_out["before"], held_out[record["scaling"] or "before"])]
    rows.append(("words, nats", *(side["nll"] for side in sides)))
    for name, key in (("right", "right"), ("calibration error", "ece")):
        rows += [(f"{unit}, {name}", *(side[key].get(unit) for side in sides)) for unit in sides[0][key]]
    rows.append(("entities, F1", *(side["entity_f1"] for side in sides)))
    lines += [f"{name:{width}}  {_cell(before):>9}  {_cell(after):>11}" for name, before, after in rows]
    lines += ["", *_thresholds(record), *_remarks(record), _next_step(record, folder)]
    return "\n".join(lines)


def _thresholds(record: Mapping[str, Any]) -> list[str]:
    """What can be accepted at which precision."""
    lines = []
    for unit, thresholds in record["thresholds"].items():
        reached = [
            f"{wanted} from score {point['min_score']:.3f} ({point['accepted']:.0%} of them)"
            for wanted, point in thresholds.items()
            if point is not None
        ]
        lines.append(f"precision of {unit}: " + ("; ".join(reached) or f"none of {', '.join(thresholds)} is certain"))
    return lines


def _remarks(record: Mapping[str, Any]) -> list[str]:
    remarks = [f"{record['pages']} pages ({record['failed_pages']} failed), {record['words']} labelled words"]
    if record["words_left_out"]:
        remarks.append(f"{record['words_left_out']} words were left out: no tokens, or a label that the model has not")
    held_out = record["held_out"]
    told = f"(nats: {held_out['per_label']:.4f} with one for each label, {held_out['shared']:.4f} with one for all)"
    if record["scaling"] is None:
        remarks.append(f"the temperatures stay as they were: held-out words are not more likely with others {told}")
    elif record["scaling"] == "shared":
        remarks.append(f"all labels have the same temperature: held-out words are more likely so {told}")
    else:
        remarks += [
            f"{label} keeps the temperature 1: it has {count} words, too few to fit one"
            for label, count in record["labels_with_too_few_words"].items()
        ]
    return remarks


def _next_step(record: Mapping[str, Any], folder: str | None) -> str:
    if folder is None:
        return "nothing was written: give --output FOLDER for a checkpoint with this calibration"
    thresholds = record["thresholds"].get("pairs")
    if thresholds is None:
        return f"the model: {folder}; it has no curve of pairs, as these pages tell no links of keys and values"
    reached = [wanted for wanted, point in thresholds.items() if point is not None]
    if not reached:
        return f"the model: {folder}; its pairs are not surely right often enough for jobs.extract --accept-precision"
    return f"the model: {folder}; next: jobs.extract --model {folder} --accept-precision {reached[-1]}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())

"""What does each part of the bundled model's recipe bring? Entity F1 on FUNSD's dev forms, which no run learns.

    python -m jobs.forms_model --text-model DIR --funsd DIR [--sroie DIR] [--kleister-nda DIR] --output RECIPE
    python -m benchmarks.forms_model --text-model DIR --funsd DIR --recipe RECIPE

The second command takes what the first one trained, and trains the missing rows under RECIPE/parts, each for as many
steps as the recipe's last one; it continues where it was interrupted. All rows start from the same text model and seed.
F1 is that of the last step, without choosing among checkpoints; `best` is the highest on the way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from jobs.cli import connect_to_ray
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.options import EvaluateOptions
from pipelines.storage.files import Storage
from pipelines.training.augment import AugmentOptions
from pipelines.training.forms_recipe import FORMS, FORMS_STEPS, run_step, step_options, text_start
from pipelines.training.initialization import ModelInit, choose_init
from pipelines.training.metrics_log import read_metrics
from pipelines.training.options import TrainingOptions
from pipelines.training.page_mixing import PageMixingOptions

UNMIXED = replace(FORMS, page_mixing=PageMixingOptions())
PLAIN = replace(UNMIXED, augment=AugmentOptions())
EVALUATIONS = 6
LABELS = ("HEADER", "QUESTION", "ANSWER")


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.forms_model`."""

    text_model: str
    """The text model that the recipe started from."""
    funsd: str
    """Folder of FUNSD."""
    recipe: Path
    """The --output of `jobs.forms_model`, run with --split train."""
    steps: int = FORMS_STEPS
    """Updates of the weights of every row that is trained here."""
    workers: int = 1
    """Processes that train together."""


def rows(options: Options) -> list[tuple[str, dict[str, Any]]]:
    """Name and figures of each row."""
    text = text_start(options.recipe, options.text_model)
    after_words = choose_init(str(options.recipe / "words" / "model"), None, None)
    return [
        ("FUNSD's forms as they are", trained(options, "plain", text, PLAIN)),
        ("+ windows changed", trained(options, "changed", text, UNMIXED)),
        ("+ pages mixed", trained(options, "remixed", text, FORMS)),
        ("+ hidden words first", trained(options, "after-words", after_words, FORMS)),
        ("+ drawn forms before FUNSD's: the recipe", curve(options.recipe / "forms-train")),
        ("hidden words and drawn forms, FUNSD's labels unseen", evaluated(options, options.recipe / "drawn" / "model")),
    ]


def trained(options: Options, name: str, start: ModelInit, training: TrainingOptions) -> dict[str, Any]:
    """The figures of a training run on FUNSD, which is done now if it is not yet."""
    folder = options.recipe / "parts" / name
    step = step_options(
        folder,
        start,
        training,
        "funsd",
        options.funsd,
        options.steps,
        evaluations=EVALUATIONS,
        workers=options.workers,
    )
    run_step(step)
    return curve(folder)


def curve(folder: Path) -> dict[str, Any]:
    """The figures of the last evaluation of a run, and the best one."""
    lines = [line for line in read_metrics(Storage(), str(folder)) if "dev" in line]
    return {**lines[-1]["dev_values"], "best": max(line["dev"] for line in lines)}


def evaluated(options: Options, model: Path) -> dict[str, Any]:
    """The figures of a model that was trained elsewhere."""
    to_evaluate = EvaluateOptions(dataset="funsd", data=options.funsd, split="dev", model=str(model))
    return evaluate(to_evaluate, read_split(to_evaluate))


def main() -> None:
    """Train what is missing and print the table."""
    options = tyro.cli(Options, description=__doc__)
    connect_to_ray(None, workers_log=False)
    found = rows(options)
    print("| learned | F1 | P | R | header | question | answer | best |\n|---|---|---|---|---|---|---|---|")
    for name, figures in found:
        by_label = [figures["by_label"].get(label, {}).get("f1", 0.0) for label in LABELS]
        cells = [figures["f1"], figures["precision"], figures["recall"], *by_label]
        best = figures.get("best")
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} | {f'{best:.3f}' if best else ''} |")
    print(json.dumps(dict(found), default=float))


if __name__ == "__main__":
    main()

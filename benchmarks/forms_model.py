"""What does each part of the bundled model's recipe bring? Entity F1 on FUNSD's dev forms, which no run learns.

    python -m jobs.forms_model --text-model DIR --funsd DIR [--sroie DIR] [--kleister-nda DIR] --output RECIPE
    python -m benchmarks.forms_model --text-model DIR --funsd DIR --recipe RECIPE

The second command takes what the first one trained, and trains the rows that are missing under RECIPE/parts, each as
many steps as the recipe's last one; cut off, it goes on where it was. All rows start from the same text model and seed.
F1 is that of the last step, without choosing among checkpoints; `best` is the highest seen on the way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from jobs.cli import connect_to_ray
from jobs.forms_model import COMMON, FORMS, MOVED, REMIXED, run_step, text_start
from jobs.forms_model import Options as RecipeOptions
from pipelines.evaluation.evaluate import EvaluateOptions, evaluate, read_split
from pipelines.storage.files import Storage
from pipelines.training.metrics_log import read_metrics

CHANGES = {"mask_words", *MOVED, *REMIXED}
PLAIN = {name: value for name, value in {**COMMON, **FORMS}.items() if name not in CHANGES}
LABELS = ("HEADER", "QUESTION", "ANSWER")


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.forms_model`."""

    text_model: str
    """The text model that the recipe started from."""
    funsd: str
    """Folder of FUNSD."""
    recipe: Path
    """What `jobs.forms_model` wrote for --split train."""
    steps: int = RecipeOptions.forms_steps
    """Updates of the weights of every row that is trained here."""
    workers: int = 1
    """Processes that train together."""


def rows(options: Options) -> list[tuple[str, dict[str, Any]]]:
    """Name and figures of each row."""
    text = text_start(options.recipe, options.text_model)
    changed = {**PLAIN, **MOVED, "mask_words": FORMS["mask_words"]}
    whole = {**COMMON, **FORMS}
    after_words = {"model": str(options.recipe / "words" / "model")}
    return [
        ("FUNSD's forms as they are", trained(options, "plain", {**PLAIN, **text})),
        ("+ windows changed", trained(options, "changed", {**changed, **text})),
        ("+ pages remixed", trained(options, "remixed", {**whole, **text})),
        ("+ hidden words first", trained(options, "after-words", {**whole, **after_words})),
        ("+ drawn forms before FUNSD's: the recipe", curve(options.recipe / "forms-train")),
        ("hidden words and drawn forms, FUNSD's labels unseen", evaluated(options, options.recipe / "drawn" / "model")),
    ]


def trained(options: Options, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run of `jobs.finetune` on FUNSD, which is done now if it is not yet."""
    folder = options.recipe / "parts" / name
    every = max(1, options.steps // 6)
    run_step(folder, **values, data=options.funsd, steps=options.steps, evaluate_every=every, workers=options.workers)
    return curve(folder)


def curve(folder: Path) -> dict[str, Any]:
    """The figures of the last evaluation of a run, and the best one."""
    lines = [line for line in read_metrics(Storage(), str(folder)) if "dev" in line]
    return {**lines[-1]["dev_values"], "best": max(line["dev"] for line in lines)}


def evaluated(options: Options, model: Path) -> dict[str, Any]:
    """The figures of a model that was trained elsewhere."""
    asked = EvaluateOptions(dataset="funsd", data=options.funsd, split="dev", model=str(model))
    return evaluate(asked, read_split(asked))


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

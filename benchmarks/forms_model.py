"""How well do the bundled models' recipes find entities and pairs? On FUNSD's dev forms, which no run here learns.

    python -m jobs.forms_model --text-model DIR --funsd DIR [--kleister-nda DIR] --output RECIPE
    python -m benchmarks.forms_model --funsd DIR --recipe RECIPE

The second command takes what the first one trained with --split train, and repeats its last step with other seeds under
RECIPE/seeds; it continues where it was interrupted. Every model is decoded by words and by segments, from the words of
the annotations; with --ocr also from those that OCR reads. The figures are those of the last step, without choosing
among checkpoints.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import tyro

from jobs.cli import connect_to_ray
from model.checkpoint_source import DECODING_NAME
from model.decoding import DecodeMethod
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.options import EvaluateOptions, WordChoice
from pipelines.training.forms_recipe import FORMS, FORMS_STEPS, run_step, step_options
from pipelines.training.initialization import choose_init

LABELS = ("HEADER", "QUESTION", "ANSWER")
METHODS: tuple[DecodeMethod, ...] = ("words", "segments")


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.forms_model`."""

    funsd: str
    """Folder of FUNSD."""
    recipe: Path
    """The --output of `jobs.forms_model`, run with --split train."""
    seeds: int = 3
    """Seeds of the last step; the recipe's own is the first."""
    ocr: bool = False
    """Also read the forms by OCR, with the default engine."""


@dataclass(frozen=True)
class Row:
    """What was measured, and its figures as of `jobs.evaluate`."""

    name: str
    decode: DecodeMethod
    words: WordChoice
    figures: dict[str, Any]

    def cells(self) -> list[float]:
        """F1, precision, recall, F1 by label, and of pairs end to end."""
        by_label = [self.figures["by_label"].get(label, {}).get("f1", 0.0) for label in LABELS]
        pairs = self.figures["pairs"]["end_to_end"]["f1"]
        return [self.figures["f1"], self.figures["precision"], self.figures["recall"], *by_label, pairs]


def rows(options: Options) -> Iterator[Row]:
    """The figures of every model."""
    for method in METHODS:
        yield from evaluated(options, "drawn forms, FUNSD unseen", options.recipe / "bundle", method)
    for seed in range(options.seeds):
        model = with_seed(options, seed)
        for method in METHODS:
            yield from evaluated(options, f"+ FUNSD's forms, seed {seed}", model, method)


def with_seed(options: Options, seed: int) -> Path:
    """The recipe's last step with a seed, which is run now if it is not done yet, with the joins of the recipe."""
    joins = options.recipe / "bundle-research" / DECODING_NAME
    if seed == 0:
        return joins.parent
    start = choose_init(str(options.recipe / "drawn" / "model"), None, None)
    folder = options.recipe / "seeds" / str(seed)
    step = step_options(folder, start, FORMS, "funsd", options.funsd, FORMS_STEPS, evaluations=6, seed=seed)
    trained = Path(run_step(step).source)
    shutil.copy(joins, trained)
    return trained


def evaluated(options: Options, name: str, model: Path, method: DecodeMethod) -> Iterator[Row]:
    """The figures of a model from given words, and with `ocr` from those that are read."""
    sources: tuple[WordChoice, ...] = ("corpus", "ocr") if options.ocr else ("corpus",)
    for words in sources:
        asked = EvaluateOptions(
            dataset="funsd", data=options.funsd, split="dev", model=str(model), decode=method, words=words
        )
        yield Row(name, method, words, evaluate(asked, read_split(asked)))


def main() -> None:
    """Train what is missing and print the table."""
    options = tyro.cli(Options, description=__doc__)
    print(f"load before the run: {os.getloadavg()[0]:.2f}")
    connect_to_ray(None, workers_log=False)
    found = list(rows(options))
    print("| learned | decoded by | words | F1 | P | R | header | question | answer | pairs |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in found:
        print(table_row(row.name, row.decode, row.words, row.cells()))
    for method in METHODS:
        seeds = [row.cells() for row in found if row.decode == method and "seed" in row.name and row.words == "corpus"]
        if seeds:
            means = [mean(column) for column in zip(*seeds, strict=True)]
            print(table_row(f"+ FUNSD's forms, mean of {len(seeds)} seeds", method, "corpus", means))
    print(json.dumps([{**vars(row)} for row in found], default=float))


def table_row(name: str, decode: str, words: str, cells: list[float]) -> str:
    """A line of the table."""
    return f"| {name} | {decode} | {words} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"


if __name__ == "__main__":
    main()

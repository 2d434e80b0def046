"""What does each objective of pre-training bring to FUNSD's dev forms? A table of F1 after the same fine-tuning.

    python -m jobs.extract --input DIR... --output PAGES --keep-pictures
    python -m benchmarks.pretraining --data PAGES --funsd DIR --output OUTPUT --init-text DIR

A model is pre-trained with each set of objectives, fine-tuned on FUNSD's training forms with several seeds, and
measured on the dev forms, which no step learns, decoded by words and by segments. Everything but the objectives is
equal; "none" is fine-tuned as it starts. The figures are those of the last step, without choosing among checkpoints.
The command continues where it was interrupted: what is done lies under OUTPUT, a file a cell.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

import tyro

from jobs.cli import connect_to_ray
from model.decoding import DecodeMethod
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.options import EvaluateOptions
from pipelines.storage.files import normalise_uri
from pipelines.training.forms_recipe import FORMS, FORMS_STEPS, WORDS, run_step, step_options, text_start
from pipelines.training.initialization import ModelInit, choose_init
from pipelines.training.options import BatchOptions
from pipelines.training.pretrain import pretrain
from pipelines.training.pretraining_inputs import OBJECTIVES, PretrainingObjective
from pipelines.training.pretraining_options import PretrainingOptions, PretrainOptions

SETS: dict[str, tuple[PretrainingObjective, ...]] = {
    "none": (),
    "masked-words": ("masked-words",),
    "masked-words, alignment": ("masked-words", "alignment"),
    "masked-words, matching": ("masked-words", "matching"),
    "all": OBJECTIVES,
}
METHODS: tuple[DecodeMethod, ...] = ("words", "segments")
EVALUATIONS = 5
"""Measurements of a pre-training on its held-out pages."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.pretraining`."""

    data: tuple[str, ...]
    """Folders or s3:// prefixes that jobs.extract --keep-pictures wrote."""
    funsd: str
    """Folder of FUNSD."""
    output: Path
    """Folder for the runs and their figures."""
    init_text: str | None = None
    """BERT-like text model to start from, with the sizes of the bundled models."""
    config: str | None = None
    """With --init-text: a config.json with other sizes of what is new."""
    model: str | None = None
    """LayoutLMv2 checkpoint to start from instead."""
    sets: tuple[str, ...] = tuple(SETS)
    """Sets of objectives, by their names in the table."""
    seeds: int = 3
    """Seeds of fine-tuning."""
    pretraining_seeds: int = 1
    """Seeds of pre-training; fine-tuning takes them in turn."""
    pretraining_steps: int = 500
    """Updates of the weights in pre-training."""
    finetuning_steps: int = FORMS_STEPS
    """Updates of the weights in fine-tuning."""
    batch_size: int = 8
    """Pages of one update in pre-training, and windows in fine-tuning."""
    learning_rate: float = WORDS.optimizer.learning_rate
    """Peak learning rate of loaded parameters in pre-training."""
    new_parts_learning_rate: float = WORDS.optimizer.new_parts_learning_rate
    """Peak learning rate of new parameters in pre-training."""
    held_out_fraction: float = 0.05
    """Share of the documents that pre-training measures on."""
    stride: int = 128
    """Tokens that neighbouring windows share; less than half of the model's positions."""
    average_weights: float = FORMS.optimizer.average_weights
    """Decay of the moving average of fine-tuned weights: 1 / (1 - decay) steps should be a part of the steps."""
    dtype: Literal["float32", "bfloat16"] = WORDS.dtype
    """Of the computation; float32 on a CPU without AMX or AVX512-BF16, which would emulate bfloat16."""
    threads: int | None = None
    """Threads of PyTorch; 1 on a machine that is busy with other work, where threads wait for one another."""


@dataclass(frozen=True)
class Cell:
    """A fine-tuned model: what it was pre-trained on, and the seed of fine-tuning."""

    objectives: str
    seed: int

    def folder(self, options: Options) -> Path:
        """Of its fine-tuning run."""
        return options.output / "finetuned" / f"{_file_name(self.objectives)}-{self.seed}"


def main() -> None:
    """Train what is missing and print the tables."""
    options = tyro.cli(Options, description=__doc__)
    unknown = set(options.sets) - SETS.keys()
    if unknown:
        raise SystemExit(f"--sets has {', '.join(sorted(unknown))}; it takes some of: {'; '.join(SETS)}")
    options.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    connect_to_ray(None, workers_log=False)
    figures = {
        cell: measured(options, cell)
        for cell in (Cell(name, seed) for seed, name in product(range(options.seeds), options.sets))
    }
    for line in (*held_out_table(options), "", *f1_table(options, figures)):
        print(line)
    print(json.dumps([{**vars(cell), **found} for cell, found in figures.items()]))


def measured(options: Options, cell: Cell) -> dict[str, Any]:
    """The figures of a cell, which is computed now if it is not done yet: F1 by method, seconds, load before."""
    stored = cell.folder(options).with_suffix(".json")
    if stored.exists():
        return dict(json.loads(stored.read_text()))
    load, started = os.getloadavg()[0], time.monotonic()
    optimizer = replace(FORMS.optimizer, average_weights=options.average_weights)
    finetuning = step_options(
        cell.folder(options),
        start_of(options, cell),
        replace(FORMS, dtype=options.dtype, optimizer=optimizer),
        "funsd",
        options.funsd,
        options.finetuning_steps,
        evaluations=1,
        batch_size=options.batch_size,
        seed=cell.seed,
    )
    cache = normalise_uri(str(options.output / "examples"))
    preprocess = replace(finetuning.preprocess, stride=options.stride)
    model = run_step(replace(finetuning, preprocess=preprocess, cache=cache, threads=options.threads)).source
    asked = EvaluateOptions(dataset="funsd", data=options.funsd, split="dev", model=model, stride=options.stride)
    found = {method: evaluate(replace(asked, decode=method), read_split(asked))["f1"] for method in METHODS}
    figures = {"f1": found, "seconds": round(time.monotonic() - started), "load_before": round(load, 2)}
    stored.write_text(json.dumps(figures) + "\n")
    print(f"{cell.objectives}, seed {cell.seed}: {json.dumps(figures)}", flush=True)
    return figures


def start_of(options: Options, cell: Cell) -> ModelInit:
    """The model that a cell is fine-tuned from, pre-trained now if it is not yet."""
    if not SETS[cell.objectives]:
        return first_start(options)
    record = pretrain(pretraining_of(options, cell.objectives, cell.seed % options.pretraining_seeds))
    return choose_init(record["model"], None, None)


def first_start(options: Options) -> ModelInit:
    """The model that is pre-trained."""
    if options.init_text is not None and options.model is None and options.config is None:
        return text_start(options.output, options.init_text)
    return choose_init(options.model, options.init_text, options.config)


def pretraining_of(options: Options, objectives: str, seed: int) -> PretrainOptions:
    """The pre-training with a set of objectives."""
    steps = options.pretraining_steps
    optimizer = replace(
        WORDS.optimizer,
        learning_rate=options.learning_rate,
        new_parts_learning_rate=options.new_parts_learning_rate,
    )
    return PretrainOptions(
        data=tuple(normalise_uri(uri) for uri in options.data),
        output=normalise_uri(str(options.output / "pretrained" / f"{_file_name(objectives)}-{seed}")),
        start=first_start(options),
        held_out_fraction=options.held_out_fraction,
        training=PretrainingOptions(
            steps=steps,
            dtype=options.dtype,
            seed=seed,
            stride=options.stride,
            evaluate_every=max(1, steps // EVALUATIONS),
            checkpoint_every=100,
            batches=BatchOptions(options.batch_size, options.batch_size, seed),
            optimizer=optimizer,
            objectives=SETS[objectives],
        ),
        threads=options.threads,
    )


def held_out_table(options: Options) -> Iterator[str]:
    """The figures of each pre-training on its held-out pages, beside their chance."""
    yield "| pre-trained with | seed | objective | loss | chance | accuracy | chance | balanced accuracy |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, seed in product(options.sets, range(min(options.seeds, options.pretraining_seeds))):
        if not SETS[name]:
            continue
        record = Path(pretraining_of(options, name, seed).output, "pretrain.json")
        for objective, figures in (json.loads(record.read_text())["held_out"] or {}).items():
            columns = [figures[key] for key in ("loss", "chance_loss", "accuracy", "chance_accuracy")]
            balanced = f"{figures['balanced_accuracy']:.3f}" if "balanced_accuracy" in figures else ""
            yield f"| {name} | {seed} | {objective} | {' | '.join(f'{each:.3f}' for each in columns)} | {balanced} |"


def f1_table(options: Options, figures: dict[Cell, dict[str, Any]]) -> Iterator[str]:
    """F1 of each set by method and seed, with mean and standard deviation."""
    seeds = range(options.seeds)
    yield f"| pre-trained with | decoded by | {' | '.join(f'seed {seed}' for seed in seeds)} | mean | deviation |"
    yield f"|---|---|{'---|' * (options.seeds + 2)}"
    for method, name in product(METHODS, options.sets):
        found = [figures[Cell(name, seed)]["f1"][method] for seed in seeds]
        spread = f"{stdev(found):.3f}" if len(found) > 1 else ""
        columns = " | ".join(f"{each:.3f}" for each in (*found, mean(found)))
        yield f"| {name} | {method} | {columns} | {spread} |"


def _file_name(objectives: str) -> str:
    return objectives.replace(", ", "+")


if __name__ == "__main__":
    main()

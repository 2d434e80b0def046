"""Train a small model for forms in several languages, without a published multilingual one to start from.

Forms are drawn in each language, a SentencePiece vocabulary is trained on their words, and a model learns their labels:
from the English model with new word embeddings, from random weights, or both for comparison. At the end each model is
evaluated on other drawn forms, language by language. The same command continues an interrupted one. Exit status: 0
done, 1 failed, 2 invalid options, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from jobs.cli import DONE, connect_to_ray, parse_options, require_positive, run_job
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.storage.files import is_s3

if TYPE_CHECKING:
    from pipelines.training.multilingual_recipe import MultilingualOptions

MIN_FORMS = 5
"""Fewer forms in a language hold out none as dev."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.multilingual_model`."""

    output: str
    """Folder for the forms, the vocabulary, the runs and results.json."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of an English model for forms with a WordPiece vocabulary: its weights to start from,
    and the sizes of a model from nothing."""
    start: Literal["english", "nothing", "both"] = "english"
    """english: all weights of --model, with word embeddings made anew; nothing: random weights; both: one after the
    other."""
    languages: str = "en,de,fr,es,it,pt,zh,ja"
    """Languages of the forms by their two letters."""
    forms: int = 400
    """Forms to draw in each language to learn; every fifth one of them is for comparing checkpoints."""
    test_forms: int = 50
    """Further forms to draw in each language to measure on."""
    vocabulary_size: int = 16_000
    """The most pieces of the vocabulary."""
    steps: int = 2000
    """Updates of the weights."""
    batch_size: int = 8
    """Windows of one update."""
    workers: int = 1
    """Processes that train together."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of the arithmetic (autocast); bfloat16 is faster where the CPU or GPU has it, and much slower where not."""
    threads: int | None = None
    """Threads of PyTorch in each worker; by default the workers share the cores of a machine."""
    seed: int = 0
    """Seed of everything that is drawn at random."""
    address: str | None = None
    """Address of a Ray cluster; by default the cluster that this runs in, or else a local one is started."""

    def recipe_options(self) -> MultilingualOptions:
        """The options of the recipe.

        Raises:
            ValueError: invalid options.
        """
        require_positive(self, ("test_forms", "vocabulary_size", "steps", "batch_size", "workers", "threads"))
        if self.forms < MIN_FORMS:
            raise ValueError(f"--forms is {self.forms}; it must be {MIN_FORMS} or more, of which one is held out")
        if is_s3(self.output):
            raise ValueError("--output is a folder; the result can be copied to S3")
        from pipelines.training.multilingual_pages import LANGUAGES

        languages = tuple(dict.fromkeys(code.strip() for code in self.languages.split(",") if code.strip()))
        unknown = [code for code in languages if code not in LANGUAGES]
        if unknown or not languages:
            raise ValueError(f"--languages is {self.languages!r}; forms are drawn in {', '.join(LANGUAGES)}")
        from pipelines.training.multilingual_recipe import MultilingualOptions

        return MultilingualOptions(
            output=self.output,
            model=self.model,
            languages=languages,
            starts=("english", "nothing") if self.start == "both" else (self.start,),
            forms=self.forms,
            test_forms=self.test_forms,
            vocabulary_size=self.vocabulary_size,
            steps=self.steps,
            batch_size=self.batch_size,
            workers=self.workers,
            dtype=self.dtype,
            threads=self.threads,
            seed=self.seed,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(
        options.recipe_options,
        partial(train, address=options.address),
        interrupted="interrupted; the same command goes on from the last checkpoint",
    )


def train(options: MultilingualOptions, address: str | None) -> int:
    """Train on the cluster at `address`, print the figures and where the models are; returns the exit status."""
    from pipelines.training.multilingual_recipe import results_table, train_multilingual_models

    connect_to_ray(address, workers_log=False)  # as jobs.finetune does
    results = train_multilingual_models(options)
    print(results_table(results))
    for result in results["starts"].values():
        print(f"a model: {result['model']}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())

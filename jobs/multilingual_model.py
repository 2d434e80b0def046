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

from jobs.cli import DONE, connect_to_ray, parse_options, require_positive, run_job
from pipelines.storage.files import is_s3
from pipelines.training.multilingual_options import MIN_FORMS, MultilingualOptions


@dataclass(frozen=True)
class Options(MultilingualOptions):
    """Options of `python -m jobs.multilingual_model`."""

    address: str | None = None
    """Address of a Ray cluster; by default the cluster that this runs in, or else a local one is started."""

    def check(self) -> None:
        """
        Raises:
            ValueError: invalid options.
        """
        require_positive(self, ("test_forms", "vocabulary_size", "steps", "batch_size", "workers", "threads"))
        if self.forms < MIN_FORMS:
            raise ValueError(f"--forms is {self.forms}; it must be {MIN_FORMS} or more, of which one is held out")
        if is_s3(self.output):
            raise ValueError("--output is a folder; the result can be copied to S3")
        _ = self.language_codes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(
        options.check,
        lambda _: train(options),
        interrupted="interrupted; the same command goes on from the last checkpoint",
    )


def train(options: Options) -> int:
    """Train, print the figures and where the models are; returns the exit status."""
    from pipelines.training.multilingual_recipe import results_table, train_multilingual_models

    connect_to_ray(options.address, workers_log=False)  # as jobs.finetune does
    results = train_multilingual_models(options)
    print(results_table(results))
    for result in results["starts"].values():
        print(f"a model: {result['model']}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())

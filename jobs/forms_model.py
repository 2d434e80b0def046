"""Train the models that come with this package, from a text model and forms, in one command.

    words:  predict hidden words, on drawn pages and on pages of the corpora given, labels unseen
    drawn:  headers, questions and answers on forms that are drawn by program; OUTPUT/bundle is the result
    forms:  the same on FUNSD's forms, mixed with one another; OUTPUT/bundle-research is the result

Each step is a training run, as of jobs.finetune, in a folder of its own under --output; the same command continues an
interrupted one. The bundles are folders that --model takes, with weights in float16. Exit status: 0 done, 1 failed, 2
invalid options, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from jobs.cli import DONE, connect_to_ray, parse_options, run_job
from pipelines.storage.files import is_s3
from pipelines.training.recipe_pages import DRAWN_DEV_PAGES

if TYPE_CHECKING:
    from pipelines.training.forms_recipe import RecipeOptions


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.forms_model`."""

    text_model: str
    """Folder, hub id or s3:// URI of the BERT-like text model to start from."""
    output: str
    """Folder for the runs and the result."""
    funsd: str | None = None
    """Folder or s3:// prefix of FUNSD as it is published, for the last step; without it the step is left out."""
    sroie: str | None = None
    """Folder or s3:// prefix of SROIE, whose pages are more to learn words from."""
    kleister_nda: str | None = None
    """Folder or s3:// prefix of Kleister-NDA, likewise."""
    split: str = "train"
    """FUNSD's forms to learn: train leaves the dev forms to measure on; train+dev learns them too."""
    drawn_forms: int = 4000
    """Forms to draw."""
    read_forms: int = 500
    """Further forms that are drawn and then read by Tesseract, for the words that OCR makes of them."""
    words_steps: int = 500
    """Updates of the weights in the first step of the recipe; 0 leaves the step out."""
    drawn_steps: int = 1600
    """Updates of the weights in the second step; 0 leaves it out."""
    forms_steps: int = 300
    """Updates of the weights in the third step; 0 leaves it out."""
    batch_size: int = 8
    """Windows of one update."""
    workers: int = 1
    """Processes that train together."""
    seed: int = 0
    """Seed of everything that is drawn at random."""
    address: str | None = None
    """Address of a Ray cluster; by default the cluster that this runs in, or else a local one is started."""

    def recipe_options(self) -> RecipeOptions:
        """The options of the recipe.

        Raises:
            ValueError: invalid options.
        """
        self._check()
        from pipelines.training.forms_recipe import RecipeOptions

        return RecipeOptions(**{field.name: getattr(self, field.name) for field in fields(RecipeOptions)})

    def _check(self) -> None:
        if self.split not in ("train", "train+dev"):
            raise ValueError(f"--split is {self.split!r}; it is train or train+dev")
        if self.drawn_steps and self.drawn_forms <= DRAWN_DEV_PAGES:
            raise ValueError(f"--drawn-forms must be over {DRAWN_DEV_PAGES}, which measure the others")
        if not self.drawn_steps and not self.forms_steps:
            raise ValueError("--drawn-steps and --forms-steps are both 0: nothing would learn what a header is")
        if not self.drawn_steps and not self.funsd:
            raise ValueError("--forms-steps learn from --funsd, which is missing; give it, or --drawn-steps above 0")
        if is_s3(self.output):
            raise ValueError("--output is a folder; the result can be copied to S3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(
        options.recipe_options,
        partial(train, address=options.address),
        interrupted="interrupted; the same command goes on from the last checkpoint",
    )


def train(options: RecipeOptions, address: str | None) -> int:
    """Train on the cluster at `address` and print where the model is; returns the exit status."""
    from pipelines.training.forms_recipe import train_forms_model

    connect_to_ray(address, workers_log=False)  # as jobs.finetune does
    for folder in train_forms_model(options):
        print(f"a model: {folder}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())

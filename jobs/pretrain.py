"""Pre-train a model on pages without labels: masked words, text-image alignment and text-image matching.

The pages come from jobs.extract --keep-pictures. The same command continues an interrupted run. Exit status: 0 done,
1 failed, 2 invalid options, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jobs.cli import DONE, connect_to_ray, parse_options, require_positive, run_job
from jobs.training_options import TrainingLoopOptions
from pipelines.storage.files import normalise_uri
from pipelines.training.initialization import (
    check_pretraining_init,
    choose_init,
    init_tokenizer,
    pretraining_config,
)
from pipelines.training.options import BatchOptions
from pipelines.training.pretraining_inputs import OBJECTIVES, PretrainingObjective, PretrainingShares
from pipelines.training.pretraining_options import PretrainingOptions, PretrainOptions


@dataclass(frozen=True)
class PretrainedOptions:
    """The options of the job alone."""

    data: tuple[str, ...]
    """Folders or s3://bucket/prefixes that jobs.extract --keep-pictures wrote."""
    output: str
    """Folder or s3://bucket/prefix for checkpoints/, model/, metrics.jsonl and curve.png."""
    model: str | None = None
    """Folder, hub id or s3:// URI of a LayoutLMv2 or LayoutXLM checkpoint to start from."""
    init_text: str | None = None
    """Folder, hub id or s3:// URI of a BERT-like text checkpoint to start from: the parameters for layout and image
    are then new."""
    config: str | None = None
    """Without --model: a config.json (or its folder) with the sizes of the new parameters; by default those of the
    published model with --init-text, and those of a small model without."""
    objectives: tuple[PretrainingObjective, ...] = OBJECTIVES
    """What is learned. masked-words: words that are masked, from the rest of the page. alignment: which words are
    covered in the picture. matching: whether the picture is that of the page."""
    masked_tokens: float = PretrainingShares.masked_tokens
    """Share of the tokens, 0 to 1, that are to be predicted."""
    hidden: float = PretrainingShares.hidden
    """Share of these that become [MASK]."""
    random: float = PretrainingShares.random
    """Share of these that become a random token; the rest stay as they are."""
    covered_lines: float = PretrainingShares.covered_lines
    """Share of the lines, 0 to 1, that are covered in the picture."""
    replaced_pictures: float = PretrainingShares.replaced_pictures
    """Share of the pages, 0 to 1, that get the picture of a page of another document."""
    dropped_pictures: float = PretrainingShares.dropped_pictures
    """Share of the pages, 0 to 1, that get no picture."""
    held_out_fraction: float = 0.02
    """Share of the documents, 0 to below 1, whose pages are only measured on; 0 measures nothing."""
    held_out_pages: int = 512
    """The most held-out pages that are measured on."""
    epochs: int | None = None
    """Passes over the pages; 5 where --steps is not given."""
    steps: int | None = None
    """Updates of the weights, instead of --epochs."""
    batch_size: int = 64
    """Pages of one step, over all workers; of a long page one window is drawn."""
    micro_batch_size: int = 8
    """Pages that a worker computes at once; the gradients of a step add up."""
    learning_rate: float = 2e-5
    """Peak learning rate of the parameters that a checkpoint brought."""
    new_parts_learning_rate: float | None = None
    """Peak learning rate of the new parameters; by default the same."""
    stride: int = 128
    """Tokens that neighbouring windows share on pages of more than 512 tokens."""
    seed: int = 0
    """Seed of new parameters, the order of the pages, dropout, and what is masked, covered and replaced."""
    evaluate_every: int | None = None
    """Steps between evaluations on the held-out pages; by default once an epoch."""
    checkpoint_every: int = 500
    """Steps between checkpoints; every evaluation makes one too."""


@dataclass(frozen=True)
class Options(TrainingLoopOptions, PretrainedOptions):
    """Options of `python -m jobs.pretrain`."""

    def pretrain_options(self) -> PretrainOptions:
        """The options of the run.

        Raises:
            ValueError: invalid options.
            CheckpointError: the checkpoint to start from cannot be read.
        """
        self._check_numbers()
        if not self.data:
            raise ValueError("--data is empty; it names what jobs.extract --keep-pictures wrote")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("--epochs and --steps both say how long to train; give one of them")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"--objectives are some of {', '.join(OBJECTIVES)}, each once")
        batches = BatchOptions(self.batch_size, min(self.micro_batch_size, self.batch_size), self.seed)
        batches.check(self.workers)
        shares = PretrainingShares(
            self.masked_tokens,
            self.hidden,
            self.random,
            self.covered_lines,
            self.replaced_pictures,
            self.dropped_pictures,
        )
        data, output = tuple(normalise_uri(uri) for uri in self.data), normalise_uri(self.output)
        if len({uri.rstrip("/") for uri in data}) < len(data):
            raise ValueError("--data names an output twice; its pages would count twice")
        start = choose_init(self.model, self.init_text, self.config)
        tokenizer = init_tokenizer(start, pretraining_config(start))
        if not 0 <= self.stride < tokenizer.model_max_length // 2:
            raise ValueError(f"--stride is {self.stride}; it must be from 0 to {tokenizer.model_max_length // 2 - 1}")
        check_pretraining_init(start)  # the last check: it loads PyTorch
        return PretrainOptions(
            data=data,
            output=output,
            start=start,
            training=PretrainingOptions(
                epochs=None if self.steps is not None else self.epochs or 5,
                steps=self.steps,
                dtype=self.dtype,
                gradient_checkpointing=self.gradient_checkpointing,
                synchronize_batch_norm=self.synchronize_batch_norm,
                seed=self.seed,
                evaluate_every=self.evaluate_every,
                checkpoint_every=self.checkpoint_every,
                log_every=self.log_every,
                batches=batches,
                optimizer=self.optimizer_options(
                    self.learning_rate, self.new_parts_learning_rate or self.learning_rate
                ),
                objectives=tuple(name for name in OBJECTIVES if name in self.objectives),
                shares=shares,
                stride=self.stride,
            ),
            held_out_fraction=self.held_out_fraction,
            held_out_pages=self.held_out_pages,
            workers=self.workers,
            threads=self.threads,
            overwrite=self.overwrite,
        )

    def _check_numbers(self) -> None:
        whole = ("epochs", "steps", "batch_size", "micro_batch_size", "evaluate_every", "checkpoint_every", "log_every")
        positive = (*whole, "workers", "threads", "held_out_pages", "learning_rate", "new_parts_learning_rate")
        require_positive(self, positive)
        self.check_optimizer()
        if not 0 <= self.held_out_fraction < 1:
            raise ValueError(f"--held-out-fraction is {self.held_out_fraction:g}; it must be from 0 to below 1")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed is {self.seed}; it must be from 0 to below 2**32")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(
        options.pretrain_options,
        partial(train, address=options.address),
        interrupted="interrupted; the same command goes on from the last checkpoint",
    )


def train(options: PretrainOptions, address: str | None) -> int:
    """Train on the cluster at `address` and print where the model is; returns the exit status."""
    from pipelines.training.pretrain import pretrain

    connect_to_ray(address, workers_log=False)  # as jobs.finetune does
    record = pretrain(options)
    print(json.dumps({"model": record["model"], "steps": record["steps"], "held_out": record["held_out"]}))
    return DONE


if __name__ == "__main__":
    sys.exit(main())

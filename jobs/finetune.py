"""Train a model on labelled pages: from a LayoutLMv2 checkpoint, from a text model, or from nothing.

The same command continues an interrupted run. Exit status: 0 done, 1 failed, 2 invalid options, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jobs.cli import DONE, connect_to_ray, parse_options, require_positive, run_job
from jobs.training_options import TrainingLoopOptions
from model.ocr.engine import OcrOptions
from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.datasets.registry import DATASETS
from pipelines.documents.rendering import RenderOptions
from pipelines.schema import Task
from pipelines.stages.rasterize import RasterizeOptions, TextChoice
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import normalise_uri
from pipelines.training.augment import AugmentOptions
from pipelines.training.initialization import ANY_LABELS, check_init, choose_init, init_config, init_tokenizer
from pipelines.training.options import BatchOptions, FinetuneOptions, TrainingOptions
from pipelines.training.page_mixing import PageMixingOptions
from pipelines.training.targets import Objective


@dataclass(frozen=True)
class FinetunedOptions:
    """The options of the job alone."""

    dataset: str
    """Format of the corpus: funsd, xfund, cord, sroie, kleister-nda, docvqa, rvl-cdip, class-folders or
    labelled-pages."""
    data: str
    """Folder or s3://bucket/prefix of the corpus, laid out as it is published."""
    output: str
    """Folder or s3://bucket/prefix for checkpoints/, model/, examples/, metrics.jsonl and curve.png."""
    task: Task = "token-classification"
    """The task to learn."""
    objective: Objective = "labels"
    """labels: learn the labels of the corpus. masked-words: predict the words that --mask-words hides, which needs no
    labels; it prepares a model for new kinds of pages before the labelled ones, and evaluates nothing."""
    model: str | None = None
    """Folder, hub id or s3:// URI of a LayoutLMv2 checkpoint to start from."""
    init_text: str | None = None
    """Folder, hub id or s3:// URI of a BERT-like text checkpoint to start from: the parameters for layout and image
    are then new."""
    config: str | None = None
    """Without --model: a config.json (or its folder) with the sizes of the new parameters; by default those of the
    published model with --init-text, and those of a small model without."""
    language: str | None = None
    """Languages of the forms, where the corpus has several (xfund): one such as de, several as in de,fr, or all."""
    train_split: str = "train"
    """Split to learn."""
    dev_split: str = "dev"
    """Split by which checkpoints are compared; "" for none: the last checkpoint is then the result."""
    epochs: int | None = None
    """Passes over the training split; 10 where --steps is not given."""
    steps: int | None = None
    """Updates of the weights, instead of --epochs."""
    batch_size: int = 8
    """The most windows of one step, over all workers."""
    micro_batch_size: int | None = None
    """Windows that a worker computes at once; the gradients of a step add up. By default a worker's whole share."""
    learning_rate: float = 5e-5
    """Peak learning rate of the parameters that a checkpoint brought."""
    new_parts_learning_rate: float = 5e-4
    """Peak learning rate of the new parameters."""
    mask_words: float = 0.0
    """Share of the words, 0 to 1, that are hidden or replaced by others, different ones in every epoch."""
    shift: float = 0.0
    """The farthest that a page is moved, in thousandths of its sides."""
    scale: float = 0.0
    """The most by which a page is enlarged or reduced; 0.15 is 85% to 115%."""
    jitter: int = 0
    """The farthest that each edge of a box is moved, in thousandths of the page."""
    splice: float = 0.0
    """Share of the pages, 0 to 1, whose lower part is taken from another page; this and the next four are for
    token-classification."""
    reorder: float = 0.0
    """Share of the pages, 0 to 1, whose fields are read in another order: by lines, by columns, or in pieces."""
    exchange: float = 0.0
    """Share of the fields, 0 to 1, that get the text of a field of another page with the same label and length."""
    digits: float = 0.0
    """Share of the fields, 0 to 1, whose digits are drawn anew."""
    drop: float = 0.0
    """Share of the fields, 0 to 1, that are left out."""
    seed: int = 0
    """Seed of new parameters, the order of the examples, dropout and augmentation."""
    evaluate_every: int | None = None
    """Steps between evaluations; by default once an epoch."""
    checkpoint_every: int = 200
    """Steps between checkpoints; every evaluation makes one too."""
    cache: str | None = None
    """Folder or s3:// prefix for the examples (pages as they are read), which several runs may share; by default
    OUTPUT/examples."""
    text: TextChoice = "auto"
    """Source of the words where the corpus has none. auto: a page's text layer if it can be trusted, else OCR; ocr:
    always OCR; layer: never OCR."""
    dpi: int = 200
    """Resolution at which PDF pages are rendered for OCR, in dots per inch."""
    ocr_lang: str = "eng"
    """Tesseract's languages, such as eng or deu+fra."""
    stride: int = 128
    """Tokens that neighbouring windows share on pages of more than 512 tokens."""
    page_time_limit_seconds: float = 120.0
    """The longest that reading one page may take, in seconds; then the page is left out."""
    page_memory_limit_megabytes: int = 2000
    """The most memory that reading one page may take, in millions of bytes; then the page is left out."""
    strict: bool = False
    """End at a broken annotation or a page that cannot be read, instead of leaving it out."""


@dataclass(frozen=True)
class Options(TrainingLoopOptions, FinetunedOptions):
    """Options of `python -m jobs.finetune`."""

    def finetune_options(self) -> FinetuneOptions:
        """The options of the run.

        Raises:
            ValueError: invalid options.
            CheckpointError: the checkpoint to start from cannot be read.
        """
        self._check_numbers()
        if self.dataset not in DATASETS:
            raise ValueError(f"--dataset is {self.dataset!r}; it is one of {', '.join(DATASETS)}")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("--epochs and --steps both say how long to train; give one of them")
        if self.train_split == "":
            raise ValueError("--train-split is empty; it names what is learned")
        batches = BatchOptions(
            self.batch_size, self.micro_batch_size or max(1, self.batch_size // self.workers), self.seed
        )
        batches.check(self.workers)
        page_mixing = PageMixingOptions(self.splice, self.reorder, self.exchange, self.digits, self.drop)
        if self.objective == "masked-words" and not self.mask_words:
            raise ValueError("--objective masked-words needs --mask-words, the share of the words to hide: 0.25, say")
        if self.objective == "masked-words" and self.task == "question-answering":
            raise ValueError("--objective masked-words asks no questions; choose another --task for how pages are read")
        if not page_mixing.changes_nothing and self.task != "token-classification":
            raise ValueError(f"--splice and the like mix pages with labelled words, and the task is {self.task}")
        augment = AugmentOptions(self.mask_words, self.shift, self.scale, self.jitter)
        data, output = normalise_uri(self.data), normalise_uri(self.output)
        cache = normalise_uri(self.cache) if self.cache else None
        limits = PageLimits(self.page_time_limit_seconds, self.page_memory_limit_megabytes)
        rasterize = RasterizeOptions(text=self.text, render=RenderOptions(dpi=self.dpi))
        start = choose_init(self.model, self.init_text, self.config)
        tokenizer = init_tokenizer(start, init_config(start, self.task, ANY_LABELS))
        if not 0 <= self.stride < tokenizer.model_max_length // 2:
            raise ValueError(f"--stride is {self.stride}; it must be from 0 to {tokenizer.model_max_length // 2 - 1}")
        check_init(start, self.task)  # the last check: it loads PyTorch
        return FinetuneOptions(
            data=data,
            output=output,
            start=start,
            preprocess=PreprocessOptions(
                dataset=self.dataset,
                task=self.task,
                tokenizer="",
                stride=self.stride,
                limits=limits,
                rasterize=rasterize,
                ocr=OcrOptions(language=self.ocr_lang),
            ),
            training=TrainingOptions(
                task=self.task,
                epochs=None if self.steps is not None else self.epochs or 10,
                steps=self.steps,
                dtype=self.dtype,
                gradient_checkpointing=self.gradient_checkpointing,
                synchronize_batch_norm=self.synchronize_batch_norm,
                seed=self.seed,
                evaluate_every=self.evaluate_every,
                checkpoint_every=self.checkpoint_every,
                log_every=self.log_every,
                batches=batches,
                optimizer=self.optimizer_options(self.learning_rate, self.new_parts_learning_rate),
                augment=augment,
                page_mixing=page_mixing,
                objective=self.objective,
            ),
            language=self.language,
            train_split=self.train_split,
            dev_split=self.dev_split if self.objective == "labels" else "",
            cache=cache,
            workers=self.workers,
            threads=self.threads,
            strict=self.strict,
            overwrite=self.overwrite,
        )

    def _check_numbers(self) -> None:
        whole = ("epochs", "steps", "batch_size", "micro_batch_size", "evaluate_every", "checkpoint_every", "log_every")
        positive = (*whole, "workers", "threads", "dpi", "page_time_limit_seconds", "learning_rate")
        require_positive(self, (*positive, "new_parts_learning_rate"))
        self.check_optimizer()
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed is {self.seed}; it must be from 0 to below 2**63")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(
        options.finetune_options,
        partial(train, address=options.address),
        interrupted="interrupted; the same command goes on from the last checkpoint",
    )


def train(options: FinetuneOptions, address: str | None) -> int:
    """Train on the cluster at `address` and print where the model is; returns the exit status."""
    from pipelines.training.finetune import finetune

    connect_to_ray(address, workers_log=False)  # Ray Train logs much; failures are reported in any case
    record = finetune(options)
    best = {name: value for name, value in record["best"].items() if name != "values"}
    print(json.dumps({"model": record["model"], "steps": record["steps"], "best": best}))
    return DONE


if __name__ == "__main__":
    sys.exit(main())

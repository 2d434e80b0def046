"""The options of a training run. Neither PyTorch nor Ray is imported here: a job refuses bad options without them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.schema import Task
from pipelines.training.augment import AugmentOptions
from pipelines.training.initialization import ModelInit
from pipelines.training.page_mixing import PageMixingOptions
from pipelines.training.targets import Objective


@dataclass(frozen=True)
class BatchOptions:
    """How windows are grouped.

    Attributes:
        batch_size: the most windows of one step, over all workers.
        micro_batch_size: the most windows that a worker computes at once; the gradients of a step add up.
        seed: of the order.
    """

    batch_size: int = 8
    micro_batch_size: int = 4
    seed: int = 0

    @property
    def micro_batches(self) -> int:
        """Micro batches of one step, over all workers."""
        return self.batch_size // self.micro_batch_size

    def check(self, workers: int) -> None:
        """Refuse sizes that the workers cannot share evenly.

        Raises:
            ValueError: the message names them, and a size that would do.
        """
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"--batch-size is {self.batch_size} windows, which is no multiple of --micro-batch-size "
                f"{self.micro_batch_size}"
            )
        if self.micro_batches % workers:
            raise ValueError(
                f"a step has {self.micro_batches} micro batches (--batch-size {self.batch_size} / --micro-batch-size "
                f"{self.micro_batch_size}), which {workers} workers cannot share evenly: make it a multiple of "
                f"{workers}, for instance with --micro-batch-size {max(1, self.batch_size // workers)}"
            )


@dataclass(frozen=True)
class OptimizerOptions:
    """How the weights change.

    Attributes:
        learning_rate: peak rate of the parameters that a checkpoint brought.
        new_parts_learning_rate: peak rate of the new ones.
        warmup_fraction: share (0 to 1) of all steps in which the rates rise from 0; then they fall to 0 linearly.
        weight_decay: of matrices and tables; biases and norms have none.
        gradient_clip: the largest norm of a step's gradients, over all parameters; 0 clips nothing.
        average_weights: decay of the exponential moving average of the weights, 0 to 1; 0 keeps none. The average is
            what is evaluated and saved.
        freeze_backbone: do not train the visual backbone.
        freeze_word_embeddings: do not train the table of word embeddings.
    """

    learning_rate: float = 5e-5
    new_parts_learning_rate: float = 5e-4
    warmup_fraction: float = 0.1
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    average_weights: float = 0.0
    freeze_backbone: bool = False
    freeze_word_embeddings: bool = False


@dataclass(frozen=True)
class LoopOptions:
    """How long and in which steps a model is trained, whatever it learns.

    Attributes:
        epochs, steps: how long to train; exactly one of the two is given.
        dtype: of the arithmetic; weights are float32 in any case.
        gradient_checkpointing: recompute each layer in the backward pass, which takes less memory and more time.
        synchronize_batch_norm: share batch statistics between the workers and train the normalisation; GPUs only.
        seed: of new parameters, order, dropout and augmentation.
        evaluate_every: steps between evaluations; None is once an epoch.
        checkpoint_every: steps between checkpoints; every evaluation makes one too.
        log_every: steps between lines of the log.
    """

    epochs: int | None = None
    steps: int | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    synchronize_batch_norm: bool = False
    seed: int = 0
    evaluate_every: int | None = None
    checkpoint_every: int = 500
    log_every: int = 10
    batches: BatchOptions = field(default_factory=BatchOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Updates of the weights in the whole run."""
        return self.steps if self.steps is not None else (self.epochs or 1) * steps_per_epoch


@dataclass(frozen=True)
class TrainingOptions(LoopOptions):
    """How a model is fine-tuned; two runs with equal options give equal weights.

    Attributes:
        task: which head.
        objective: "masked-words" trains the head that predicts hidden words instead, and evaluates nothing.
        augment: how windows are changed.
        page_mixing: how pages are mixed with others.
    """

    task: Task = "token-classification"
    objective: Objective = "labels"
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    page_mixing: PageMixingOptions = field(default_factory=PageMixingOptions)


@dataclass(frozen=True)
class FinetuneOptions:
    """A whole run.

    Attributes:
        data: folder or prefix of the corpus.
        output: folder or prefix; an interrupted run with the same options continues there.
        start: the model that training starts from.
        preprocess: the corpus and how its pages are read; the run sets `tokenizer` itself.
        train_split: the split to learn.
        dev_split: the split by which checkpoints are compared; empty for none.
        language: of a corpus in several languages, see `read_corpus`.
        cache: folder or prefix for the examples, which other runs may share; None is `output`/examples.
        workers: processes that train; each takes a GPU where the cluster has them.
        threads: of PyTorch in each worker; None shares a machine's cores.
        strict: end at a broken annotation or a page that cannot be read.
        overwrite: remove what an earlier run wrote, whatever its options.
    """

    data: str
    output: str
    start: ModelInit
    preprocess: PreprocessOptions
    training: TrainingOptions
    train_split: str = "train"
    dev_split: str = "dev"
    language: str | None = None
    cache: str | None = None
    workers: int = 1
    threads: int | None = None
    strict: bool = False
    overwrite: bool = False

    def result_options(self) -> dict[str, Any]:
        """The options that decide the weights, as plain JSON: a run continues only if they are equal."""
        labelled, training = asdict(self.preprocess), asdict(self.training)
        for name in ("tokenizer", "limits"):
            del labelled[name]
        for name in ("log_every", "checkpoint_every"):
            del training[name]
        del training["batches"]["micro_batch_size"]
        own = {"data": self.data, "train_split": self.train_split, "dev_split": self.dev_split}
        if self.language is not None:
            own["language"] = self.language
        return json.loads(
            json.dumps({**own, "start": self.start.described(), "labelled": labelled, "training": training})
        )

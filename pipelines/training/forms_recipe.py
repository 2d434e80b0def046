"""The recipe of the models that come with this package, from a text model and forms: runs of `finetune`.

words:  predict hidden words, on drawn pages and on pages of the corpora given, labels unseen
drawn:  headers, questions and answers on forms that are drawn by program; this is the model for everyone
forms:  the same on FUNSD's forms, mixed with one another; this is the model for research

After the last two, the joins of segments are learned (`pipelines.training.segment_joins`) from pages that the model has
not seen, and after the second the temperatures of the labels.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from model.decoding import Decoding, save_decoding
from model.segment_joins import JoinClassifier
from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.datasets.synthetic_forms.pages import LABELS
from pipelines.evaluation.calibrate import calibrate
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.options import EvaluateOptions
from pipelines.storage.files import normalise_uri
from pipelines.training.augment import AugmentOptions
from pipelines.training.finetune import finetune
from pipelines.training.initialization import ModelInit, check_init, choose_init, initialize_model
from pipelines.training.learn_joins import learn_joins
from pipelines.training.options import BatchOptions, FinetuneOptions, OptimizerOptions, TrainingOptions
from pipelines.training.page_mixing import PageMixingOptions
from pipelines.training.recipe_pages import write_drawn_pages, write_read_pages, write_unlabelled_pages
from pipelines.training.segment_joins import TooFewPairsError

logger = logging.getLogger(__name__)

SIZES: dict[str, Any] = {
    "attention_probs_dropout_prob": 0.0,
    "image_feature_pool_shape": [7, 7, 64],
    "detectron2_config_args": {
        "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
        "MODEL.BACKBONE.FREEZE_AT": 0,
        "MODEL.FPN.IN_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.FPN.OUT_CHANNELS": 64,
        "MODEL.PIXEL_STD": [57.375, 57.12, 58.395],
        "MODEL.RESNETS.DEPTH": 50,
        "MODEL.RESNETS.OUT_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
        "MODEL.RESNETS.STEM_OUT_CHANNELS": 16,
        "MODEL.RESNETS.WIDTH_PER_GROUP": 16,
        "MODEL.RESNETS.STRIDE_IN_1X1": False,
    },
}
"""What the text model does not decide: a ResNet-50 pyramid of a quarter of the usual width, 1.7 million parameters.
Dropout in the attention would cost a third of the time on a CPU."""

MOVED = AugmentOptions(shift=60.0, scale=0.15, jitter=2)
"""How every window is changed, beside its words."""

_COMMON = TrainingOptions(
    dtype="bfloat16",
    checkpoint_every=50,
    optimizer=OptimizerOptions(learning_rate=3e-4, new_parts_learning_rate=1e-3, freeze_word_embeddings=True),
)
WORDS = replace(_COMMON, objective="masked-words", augment=replace(MOVED, mask_words=0.25))
DRAWN = replace(
    _COMMON,
    optimizer=replace(_COMMON.optimizer, average_weights=0.99),
    augment=replace(MOVED, mask_words=0.15),
)
FORMS = replace(
    _COMMON,
    optimizer=replace(_COMMON.optimizer, learning_rate=2e-4, average_weights=0.99),
    augment=replace(MOVED, mask_words=0.2),
    page_mixing=PageMixingOptions(splice=0.5, reorder=0.3, exchange=0.3, digits=0.5, drop=0.05),
)
"""How each step trains; `step_options` adds for how long."""

FORMS_STEPS = 300

WORDS_SEED, JOINS_SEED, TEMPERATURES_SEED = 7, 2000, 3000
"""Seeds that keep the forms of the first step, and those that no step learns, apart from the others."""


@dataclass(frozen=True)
class RecipeOptions:
    """What the recipe is made from.

    Attributes:
        text_model: folder, hub id or s3:// URI of the BERT-like text model to start from.
        output: folder for the runs and the result.
        funsd, sroie, kleister_nda: folder or prefix of each corpus; None leaves it out. FUNSD's forms are of the last
            step alone.
        split: of FUNSD, "train" or "train+dev"; the latter leaves no dev forms to measure on.
        drawn_forms: forms to draw.
        read_forms: further forms that are drawn and then read by Tesseract, for the words that OCR makes of them.
        words_steps, drawn_steps, forms_steps: updates of the weights in each step; 0 leaves the step out.
        batch_size: windows of one update.
        workers: processes that train together.
        seed: of everything that is drawn at random.
    """

    text_model: str
    output: str
    funsd: str | None = None
    sroie: str | None = None
    kleister_nda: str | None = None
    split: str = "train"
    drawn_forms: int = 4000
    read_forms: int = 500
    words_steps: int = 500
    drawn_steps: int = 1600
    forms_steps: int = FORMS_STEPS
    batch_size: int = 8
    workers: int = 1
    seed: int = 0

    @property
    def words_forms(self) -> int:
        """Drawn forms of the first step."""
        return self.drawn_forms // 5

    @property
    def join_forms(self) -> int:
        """Drawn forms that no step learns, for the joins."""
        return self.drawn_forms * 3 // 40

    @property
    def join_read_forms(self) -> int:
        """Such forms that are read by Tesseract."""
        return self.read_forms // 5

    @property
    def temperature_forms(self) -> int:
        """Drawn forms that neither a step nor the joins learn, for the temperatures."""
        return self.drawn_forms // 40

    @property
    def unlabelled(self) -> dict[str, str]:
        """The corpora whose pages the first step takes, by the name of the data set."""
        named = {"sroie": self.sroie, "kleister-nda": self.kleister_nda}
        return {name: data for name, data in named.items() if data}


def train_forms_model(options: RecipeOptions) -> list[Path]:
    """Run the whole recipe on the connected Ray cluster; an interrupted one continues.

    Returns:
        The folders of the models: the one for everyone, and with FUNSD the one for research.

    Raises:
        The errors of `finetune`.
    """
    output = Path(normalise_uri(options.output))
    output.mkdir(parents=True, exist_ok=True)
    step = partial(step_options, batch_size=options.batch_size, workers=options.workers, seed=options.seed)
    start = text_start(output, options.text_model)
    bundles: list[Path] = []
    if options.words_steps:
        pages = output / f"words-pages-{options.words_forms}"
        write_drawn_pages(pages, options.words_forms, WORDS_SEED)
        write_unlabelled_pages(pages, options.unlabelled)
        words = step(
            output / "words", start, WORDS, "labelled-pages", str(pages), options.words_steps, train_split="all"
        )
        start = run_step(words)
    own: EvaluateOptions | None = None
    if options.drawn_steps:
        pages = output / f"drawn-pages-{options.drawn_forms}-{options.read_forms}-{options.seed}"
        write_drawn_pages(pages, options.drawn_forms, options.seed)
        write_read_pages(pages, options.read_forms, (options.seed + 1) * options.drawn_forms)
        drawn = step(output / "drawn", start, DRAWN, "labelled-pages", str(pages), options.drawn_steps, evaluations=4)
        start = run_step(drawn)
        own = write_join_pages(output, options, start.source)
        temperatures = output / f"temperature-pages-{options.temperature_forms}-{options.seed}"
        write_drawn_pages(temperatures, options.temperature_forms, TEMPERATURES_SEED + options.seed)
        calibrated = replace(own, data=str(temperatures))
        bundles.append(bundle(Path(start.source), output / "bundle", _joins([own]), calibrated))
    if options.forms_steps and options.funsd is not None:
        forms = step(
            output / f"forms-{options.split}",
            start,
            FORMS,
            "funsd",
            options.funsd,
            options.forms_steps,
            evaluations=6,
            train_split=options.split,
            dev_split="dev" if options.split == "train" else "",
        )
        start = run_step(forms)
        joins = None
        if own is not None:
            # This step's model has learned the labels of its forms; the one before it has not. The drawn pages that OCR
            # has read teach the order of words that it gives.
            unlearned = EvaluateOptions(dataset="funsd", data=options.funsd, split=options.split, model=own.model)
            joins = _joins([unlearned, own])
        bundles.append(bundle(Path(start.source), output / "bundle-research", joins, None))
    return bundles


def write_join_pages(output: Path, options: RecipeOptions, model: str) -> EvaluateOptions:
    """Draw forms that no step learns, some of them read by OCR, for the joins of a model."""
    forms, read = options.join_forms, options.join_read_forms
    folder = output / f"join-pages-{forms}-{read}-{options.seed}"
    write_drawn_pages(folder, forms, JOINS_SEED + options.seed)
    write_read_pages(folder, read, (JOINS_SEED + options.seed + 1) * forms)
    return EvaluateOptions(dataset="labelled-pages", data=str(folder), split="all", model=model)


def text_start(output: Path, text_model: str) -> ModelInit:
    """The text model as a start; the sizes of what is new are written to `output`."""
    sizes = output / "sizes.json"
    sizes.write_text(json.dumps(SIZES, indent=2) + "\n")
    return choose_init(None, text_model, str(sizes))


def step_options(
    output: Path,
    start: ModelInit,
    training: TrainingOptions,
    dataset: str,
    data: str,
    steps: int,
    *,
    evaluations: int | None = None,
    train_split: str = "train",
    dev_split: str = "dev",
    batch_size: int = 8,
    workers: int = 1,
    seed: int = 0,
) -> FinetuneOptions:
    """One step of the recipe.

    Args:
        evaluations: how often the model is evaluated on the dev split, at even distances; None is once an epoch.

    Raises:
        ValueError: the workers cannot share the batches evenly.
    """
    batches = BatchOptions(batch_size, max(1, batch_size // workers), seed)
    batches.check(workers)
    every = None if evaluations is None else max(1, steps // evaluations)
    return FinetuneOptions(
        data=normalise_uri(data),
        output=str(output),
        start=start,
        preprocess=PreprocessOptions(dataset, training.task, tokenizer=""),
        training=replace(training, steps=steps, seed=seed, batches=batches, evaluate_every=every),
        train_split=train_split,
        dev_split=dev_split if training.objective == "labels" else "",
        workers=workers,
    )


def run_step(options: FinetuneOptions) -> ModelInit:
    """Run a step; returns the start of the next one, its result."""
    logger.info("step of the recipe: %s", Path(options.output).name)
    check_init(options.start, options.training.task)
    return choose_init(finetune(options)["model"], None, None)


def _joins(unseen: Sequence[EvaluateOptions]) -> JoinClassifier | None:
    """The joins of a model's segments; None, which is said, where the pages hold too few of them."""
    try:
        return learn_joins(unseen)
    except TooFewPairsError as error:
        logger.warning("%s; the joins that come with this package serve", error)
        return None


def bundle(trained: Path, folder: Path, joins: JoinClassifier | None, calibrate_on: EvaluateOptions | None) -> Path:
    """Write a trained model as it is shipped: weights in float16, vocabulary, joins and temperatures.

    Args:
        joins: None for those that come with this package.
        calibrate_on: pages that neither the model nor the joins have seen; None fits no temperatures.

    Returns:
        `folder`.
    """
    import torch

    from model import AutoTokenizer, LayoutLMv2ImageProcessor

    # The labels of drawn pages are sorted by name; those of FUNSD are not.
    start = choose_init(str(trained), None, None)
    model = initialize_model(start, "token-classification", LABELS, seed=0).model
    model.to(torch.float16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(trained).save_pretrained(folder)
    LayoutLMv2ImageProcessor().save_pretrained(folder)
    save_decoding(Decoding("segments", joins=joins), folder)
    if calibrate_on is not None:
        options = replace(calibrate_on, model=str(folder))
        calibrated = calibrate(options, read_split(options)).decoding
        # Scores of drawn pages say nothing of how often those of real ones are right.
        save_decoding(replace(calibrated, score_curves={}), folder)
    return folder

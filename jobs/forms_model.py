"""Train the model that comes with this package, from a text model and forms, in one command.

    words:  tell hidden words, on pages of all corpora given, labels unseen   (jobs.finetune --objective masked-words)
    drawn:  headers, questions and answers on forms that are drawn by program  (jobs.finetune)
    forms:  the same on FUNSD's forms, remixed                                 (jobs.finetune)

Each step is a run of `jobs.finetune` in a folder of its own under --output; the same command again goes on where an
interrupted one stopped. At the end OUTPUT/bundle is the folder that `--model` takes, weights in float16. Exit status: 0
done, 1 failed, 2 the options make no sense, 130 interrupted.
"""

from __future__ import annotations

import io
import json
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from PIL import Image
from ray.train.v2.api.exceptions import TrainingFailedError

from jobs.cli import connect_to_ray, parse_options, reason
from jobs.finetune import FINETUNE_ERRORS, training_reason
from jobs.finetune import Options as FinetuneJobOptions
from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.preprocess import PreprocessOptions, ReadLabelled
from pipelines.datasets.registry import DATASETS, read_corpus
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.types import LabelledPage, labelled_row
from pipelines.schema import MODEL_IMAGE_SHAPE
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, is_s3, join_uri, normalise_uri
from pipelines.training.finetune import finetune

logger = logging.getLogger("jobs.forms_model")

PAGES_PER_FILE = 200
DRAWN_DEV_PAGES = 100
WORDS_PER_PAGE = 20
"""Pages with fewer words teach too little to be worth their time."""
MAX_PAGES = 240
"""Of one corpus for hidden words, spread evenly over it: a few contracts have more pages than all the forms."""

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


MOVED: dict[str, Any] = {"shift": 60.0, "scale": 0.15, "jitter": 2}
REMIXED: dict[str, Any] = {"splice": 0.5, "reorder": 0.3, "exchange": 0.3, "digits": 0.5, "drop": 0.05}
"""How windows are changed, and how pages are mixed with one another: options of `jobs.finetune`."""

COMMON: dict[str, Any] = {"dtype": "bfloat16", "freeze_word_embeddings": True, "checkpoint_every": 50, **MOVED}
WORDS: dict[str, Any] = {
    "dataset": "labelled-pages",
    "objective": "masked-words",
    "train_split": "all",
    "learning_rate": 3e-4,
    "new_parts_learning_rate": 1e-3,
    "mask_words": 0.25,
}
DRAWN: dict[str, Any] = {
    "dataset": "labelled-pages",
    "learning_rate": 3e-4,
    "new_parts_learning_rate": 1e-3,
    "mask_words": 0.15,
    "average_weights": 0.99,
}
FORMS: dict[str, Any] = {
    "dataset": "funsd",
    "learning_rate": 2e-4,
    "new_parts_learning_rate": 1e-3,
    "mask_words": 0.2,
    "average_weights": 0.99,
    **REMIXED,
}
"""The options of each step, beyond those of all."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.forms_model`."""

    text_model: str
    """Folder, hub id or s3:// URI of the BERT-like text model to start from."""
    output: str
    """Folder for the runs and the result."""
    funsd: str | None = None
    """Folder or s3:// prefix of FUNSD as it is published; without it, --forms-steps must be 0."""
    sroie: str | None = None
    """The same of SROIE, whose pages are more to learn words on."""
    kleister_nda: str | None = None
    """The same of Kleister-NDA."""
    split: str = "train"
    """FUNSD's forms to learn: train leaves the dev forms to measure on; train+dev learns them too."""
    drawn_forms: int = 6000
    """Forms to draw."""
    words_steps: int = 500
    """Updates of the weights in the first step of the recipe; 0 leaves it out."""
    drawn_steps: int = 1200
    """In the second; 0 leaves it out."""
    forms_steps: int = 300
    """In the third; 0 leaves it out."""
    batch_size: int = 8
    """Windows of one update."""
    workers: int = 1
    """Processes that train together."""
    seed: int = 0
    """Of everything that is drawn at random."""
    address: str | None = None
    """Address of a Ray cluster; by default the one this runs in, or a local one is started."""


def train_forms_model(options: Options) -> Path:
    """The whole recipe; returns the folder of the result."""
    output = Path(normalise_uri(options.output))
    output.mkdir(parents=True, exist_ok=True)
    common = {"batch_size": options.batch_size, "workers": options.workers, "seed": options.seed, **COMMON}
    start = text_start(output, options.text_model)
    if options.words_steps:
        write_unlabelled_pages(output / "words-pages", options)
        words = {"data": str(output / "words-pages"), "steps": options.words_steps}
        start = run_step(output / "words", **start, **common, **WORDS, **words)
    if options.drawn_steps:
        pages = output / f"drawn-pages-{options.drawn_forms}-{options.seed}"
        write_drawn_pages(pages, options.drawn_forms, options.seed)
        drawn = {"data": str(pages), **_evaluated(options.drawn_steps, 4)}
        start = run_step(output / "drawn", **start, **common, **DRAWN, **drawn)
    if options.forms_steps:
        assert options.funsd is not None, "checked before"
        forms = {"data": options.funsd, "train_split": options.split, **_evaluated(options.forms_steps, 6)}
        if options.split != "train":
            forms["dev_split"] = ""
        start = run_step(output / f"forms-{options.split}", **start, **common, **FORMS, **forms)
    return bundle(Path(start["model"]), output / "bundle")


def text_start(output: Path, text_model: str) -> dict[str, Any]:
    """Options of `jobs.finetune` that start from the text model; the sizes of what is new are written to `output`."""
    sizes = output / "sizes.json"
    sizes.write_text(json.dumps(SIZES, indent=2) + "\n")
    return {"init_text": text_model, "config": str(sizes)}


def _evaluated(steps: int, times: int) -> dict[str, int]:
    return {"steps": steps, "evaluate_every": max(1, steps // times)}


def run_step(folder: Path, **values: Any) -> dict[str, Any]:
    """One run of `jobs.finetune` into a folder; returns the options with which the next one starts from its result."""
    logger.info("step of the recipe: %s", folder.name)
    record = finetune(FinetuneJobOptions(output=str(folder), **values).finetune_options())
    return {"model": record["model"]}


def write_drawn_pages(folder: Path, count: int, seed: int) -> None:
    """Draw forms into Parquet files that are not there yet; the last hundred are for measuring."""
    storage = Storage()
    for first in range(0, count, PAGES_PER_FILE):
        uri = join_uri(str(folder), f"pages-{first:06d}.parquet")
        if storage.exists(uri):
            continue
        numbers = range(first, min(count, first + PAGES_PER_FILE))
        pages = drawn_pages(seed * count + number for number in numbers)
        rows = (
            (page, image, "dev" if number >= count - DRAWN_DEV_PAGES else "train")
            for number, (page, image) in zip(numbers, pages, strict=True)
        )
        write_labelled_pages(storage, uri, rows)
        logger.info("%d of %d forms drawn", numbers[-1] + 1, count)


def write_unlabelled_pages(folder: Path, options: Options) -> None:
    """The words, boxes and small pictures of the pages of all corpora, without what their annotations say.

    Of FUNSD only the training forms, so that a run that learns the dev forms too shares this step.
    """
    storage = Storage()
    corpora = [("funsd", options.funsd, "train")] if options.funsd else []
    corpora += [("sroie", options.sroie, "train+dev")] if options.sroie else []
    corpora += [("kleister-nda", options.kleister_nda, "train+dev")] if options.kleister_nda else []
    for dataset, data, split in corpora:
        if storage.exists(join_uri(str(folder), f"{dataset}-{split}-000000.parquet")):
            continue
        task = DATASETS[dataset].tasks[0]
        corpus = read_corpus(dataset, data, split, task, storage=storage)
        read = ReadLabelled(PreprocessOptions(dataset, task, "", rasterize=RasterizeOptions(text="layer")))
        pages = list(_unlabelled(read, corpus.pages))
        pages = pages[:: max(1, math.ceil(len(pages) / MAX_PAGES))]
        # The first file comes last: where it is, all are.
        for first in reversed(range(0, len(pages), PAGES_PER_FILE)):
            uri = join_uri(str(folder), f"{dataset}-{split}-{first:06d}.parquet")
            write_labelled_pages(storage, uri, pages[first : first + PAGES_PER_FILE])
        logger.info("%d pages of %s for hidden words", len(pages), dataset)


def _unlabelled(read: ReadLabelled, pages: Iterable[LabelledPage]) -> Iterator[tuple[LabelledPage, bytes, str]]:
    kept = {(page.document_id, page.page_index): page for page in pages}
    for row in read(labelled_row(page) for page in kept.values()):
        if row["status"] != "ok" or len(row["words"]) < WORDS_PER_PAGE:
            continue
        page = replace(
            kept[row["document_id"], row["page_index"]],
            words=tuple(row["words"]),
            boxes=tuple(tuple(box) for box in row["boxes"]),
            labels=("O",) * len(row["words"]),
            questions=(),
            keys=(),
        )
        picture = np.frombuffer(row["model_image"], dtype=np.uint8).reshape(MODEL_IMAGE_SHAPE)
        content = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture[::-1].transpose(1, 2, 0))).save(content, format="PNG")
        yield page, content.getvalue(), "train"


def bundle(trained: Path, folder: Path) -> Path:
    """A trained model as it is shipped: weights in float16, and its vocabulary."""
    import torch

    from model import LayoutLMv2ForTokenClassification, LayoutLMv2Tokenizer

    model = LayoutLMv2ForTokenClassification.from_pretrained(trained)
    model.to(torch.float16).save_pretrained(folder)
    LayoutLMv2Tokenizer.from_pretrained(trained).save_pretrained(folder)
    return folder


def problem_of(options: Options) -> str | None:
    """Why the options make no sense, or None."""
    if options.split not in ("train", "train+dev"):
        return f"--split is {options.split!r}; it is train or train+dev"
    if options.drawn_steps and options.drawn_forms <= DRAWN_DEV_PAGES:
        return f"--drawn-forms must be over {DRAWN_DEV_PAGES}, which measure the others"
    if not options.drawn_steps and not options.forms_steps:
        return "--drawn-steps and --forms-steps are both 0: nothing would learn what a header is"
    if options.forms_steps and not options.funsd:
        return "--forms-steps learn from --funsd, which is missing; give it, or --forms-steps 0"
    if options.words_steps and not (options.funsd or options.sroie or options.kleister_nda):
        return "--words-steps learn from the pages of --funsd, --sroie or --kleister-nda; give one, or --words-steps 0"
    if is_s3(options.output):
        return "--output is a folder; the result can be copied to S3"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    problem = problem_of(options)
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    try:
        connect_to_ray(options.address, workers_log=False)  # as jobs.finetune does
        folder = train_forms_model(options)
    except TrainingFailedError as error:
        print(f"error: {training_reason(error)}", file=sys.stderr)
        return 1
    except FINETUNE_ERRORS as error:
        print(f"error: {reason(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    finally:
        ray.shutdown()
    print(f"the model: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

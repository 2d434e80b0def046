"""Labelled pages through the stages of the batch job: the same words, image and windows, and the ground truth.

labelled pages -> [ read: image, and words if none are given -> align labels -> tokenize ]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from model.ocr.engine import OcrEngine, OcrOptions
from pipelines.datasets.labelled_reader import ReadLabelled
from pipelines.datasets.registry import DATASETS
from pipelines.datasets.types import LABELLED_PAGE, LabelledPage
from pipelines.schema import TOKENIZED, Row, Task, mark_failed
from pipelines.stages.base import StageFactory
from pipelines.stages.model_loader import load_tokenizer
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.stages.tokenize import Tokenize, TokenizeOptions

_TRUTH = ("true_labels", "true_label", "true_links", "true_pairs", "questions", "keys")
GROUND_TRUTH = [field for field in LABELLED_PAGE if field.name in _TRUTH]

EXAMPLE = pa.schema([*TOKENIZED, *GROUND_TRUTH])
"""A labelled page ready for the model: image, words, windows, and the ground truth."""


@dataclass(frozen=True)
class PreprocessOptions:
    """How labelled pages become examples.

    Attributes:
        dataset: one of `pipelines.datasets.registry.DATASETS`.
        task: what the model learns or predicts.
        tokenizer: folder, hub id or s3:// URI of the checkpoint whose tokenizer is used.
        stride: tokens that neighbouring windows of a long page share.
        limits: what reading one page may cost.
    """

    dataset: str
    task: Task
    tokenizer: str
    stride: int = 128
    limits: PageLimits = field(default_factory=PageLimits)
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)


class AlignLabels:
    """Rows of `ReadLabelled`, with labels and answers that the corpus gives by value located in the words."""

    def __init__(self, options: PreprocessOptions) -> None:
        self.dataset = DATASETS[options.dataset]

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row["status"] != "ok" or row["given_words"] is not None:
                yield row
                continue
            try:
                yield {**row, **self.dataset.locate(row)} if self.dataset.locate else row
            except Exception as error:  # one page's failure is that page's alone
                yield mark_failed(row, error)


def example_steps(options: PreprocessOptions) -> tuple[StageFactory, ...]:
    """Read, align labels, tokenize: from rows of `LABELLED_PAGE` to rows of `EXAMPLE`."""
    read = partial(ReadLabelled, options.rasterize, options.ocr, options.limits)
    return read, partial(AlignLabels, options), partial(_make_tokenize, options)


def check_ocr(pages: Iterable[LabelledPage], options: PreprocessOptions) -> None:
    """Refuse pages that OCR has to read where it is not installed.

    Raises:
        OcrUnavailableError: Tesseract, or the data of a language, is missing.
    """
    if options.rasterize.text != "layer" and any(page.words is None for page in pages):
        OcrEngine(options.ocr).close()


def _make_tokenize(options: PreprocessOptions) -> Tokenize:
    tokenizer = load_tokenizer(options.tokenizer)
    length = tokenizer.model_max_length
    return Tokenize(tokenizer, TokenizeOptions(options.task, max_length=length, stride=options.stride))

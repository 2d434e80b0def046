"""Labelled pages through the stages of the batch job: the same words, picture and windows, with what is true beside.

labelled pages -> [ read: picture, and words where none are given -> annotate -> tokenize ]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import pyarrow as pa

from model.ocr.engine import OcrOptions
from pipelines.datasets.labelled_pages import is_embedded_image, read_embedded_image
from pipelines.datasets.registry import DATASETS
from pipelines.datasets.types import LABELLED_PAGE
from pipelines.documents.document import Document
from pipelines.schema import TOKENIZED, Row, Task, mark_failed
from pipelines.stages.base import StageFactory
from pipelines.stages.fetch import Fetch
from pipelines.stages.model_loader import load_tokenizer
from pipelines.stages.ocr import Ocr
from pipelines.stages.rasterize import Rasterize, RasterizeOptions, rasterize_page
from pipelines.stages.tokenize import Tokenize, TokenizeOptions
from pipelines.storage.files import Storage

GROUND_TRUTH = [field for field in LABELLED_PAGE if field.name in ("true_labels", "true_label", "questions", "keys")]

EXAMPLE = pa.schema([*TOKENIZED, *GROUND_TRUTH])
"""A labelled page ready for the model: picture, words, windows, and what is true of it."""


@dataclass(frozen=True)
class PreprocessOptions:
    """How labelled pages become examples.

    Attributes:
        dataset: one of `pipelines.datasets.registry.DATASETS`.
        task: what the model learns or is asked.
        tokenizer: folder, hub id or s3:// URI of the checkpoint whose tokenizer is used.
        stride: tokens that neighbouring windows of a long page share.
        page_time_limit_seconds: the longest that OCR may take on one page.
    """

    dataset: str
    task: Task
    tokenizer: str
    stride: int = 128
    page_time_limit_seconds: float = 120.0
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)


class ReadLabelled:
    """Rows of `LABELLED_PAGE` in, with the columns of `PAGE_IMAGE` out.

    Where the corpus gives the words, the file is opened for its picture alone and `text_source` is "given"; else the
    page is read as the batch job reads it.
    """

    def __init__(self, options: PreprocessOptions) -> None:
        self.options = options
        self.storage = Storage()
        self._fetch = Fetch()
        self._ocr: Ocr | None = None

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in self._rasterized(rows):
            yield row if row.get("page_image") is None else self._read(row)

    def _read(self, row: Row) -> Row:
        if self._ocr is None:
            self._ocr = Ocr(self.options.ocr, self.options.page_time_limit_seconds)
        (read,) = self._ocr([row])
        return read

    def _rasterized(self, rows: Iterable[Row]) -> Iterator[Row]:
        for embedded, neighbours in groupby(rows, key=lambda row: is_embedded_image(row["uri"])):
            if not embedded:
                yield from Rasterize(self.options.rasterize)(self._fetch(neighbours))
                continue
            for row in neighbours:
                try:
                    with Document(read_embedded_image(self.storage, row["uri"])) as document:
                        rasterized = rasterize_page(document, {**row, "page_index": 0}, self.options.rasterize)
                        yield {**rasterized, "page_index": row["page_index"]}
                except Exception as error:  # one page's failure is that page's alone
                    yield mark_failed(row, error)


class AlignLabels:
    """Rows as `ReadLabelled` gives them; labels and answers that the corpus tells by value are located in the words."""

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
    """Read, annotate, tokenize: from rows of `LABELLED_PAGE` to rows of `EXAMPLE`."""
    return partial(ReadLabelled, options), partial(AlignLabels, options), partial(_make_tokenize, options)


def _make_tokenize(options: PreprocessOptions) -> Tokenize:
    tokenizer = load_tokenizer(options.tokenizer)
    length = tokenizer.model_max_length
    return Tokenize(tokenizer, TokenizeOptions(options.task, max_length=length, stride=options.stride))

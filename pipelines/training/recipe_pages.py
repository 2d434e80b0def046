"""The pages of the recipe for the bundled model: forms drawn by program, and unlabelled pages of public corpora."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from model.ocr.engine import OcrOptions
from model.ocr.page_reader import PageReader
from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.labelled_reader import ReadLabelled
from pipelines.datasets.registry import DATASETS, read_corpus
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.synthetic_forms.read_pages import read_drawn_pages
from pipelines.datasets.types import LabelledPage, labelled_row
from pipelines.documents.page_picture import encode_picture
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage, join_uri

logger = logging.getLogger(__name__)

PAGES_PER_FILE = 200

DRAWN_DEV_PAGES = 100
"""Drawn forms that are the dev split."""

MIN_WORDS = 20
"""Pages with fewer words teach too little to be worth their time."""

MAX_PAGES = 240
"""Unlabelled pages of one corpus, spread evenly over it: a few contracts have more pages than all the forms."""

UNLABELLED_SPLITS = {"sroie": "train+dev", "kleister-nda": "train+dev"}


def write_drawn_pages(folder: Path, count: int, seed: int) -> None:
    """Draw forms into Parquet files, but for those that exist; the last `DRAWN_DEV_PAGES` forms are the dev split."""
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


def write_read_pages(folder: Path, count: int, first_seed: int) -> None:
    """Draw forms and read them with Tesseract, into Parquet files, but for those that exist; all for training."""
    storage = Storage()
    wanted = [first for first in range(0, count, PAGES_PER_FILE)]
    missing = [first for first in wanted if not storage.exists(join_uri(str(folder), f"read-{first:06d}.parquet"))]
    if not missing:
        return
    reader = PageReader(OcrOptions(engine="tesserocr"))
    for first in missing:
        seeds = range(first_seed + first, first_seed + min(count, first + PAGES_PER_FILE))
        rows = ((page, image, "train") for page, image in read_drawn_pages(seeds, reader))
        write_labelled_pages(storage, join_uri(str(folder), f"read-{first:06d}.parquet"), rows)
        logger.info("%d of %d forms drawn and read", seeds[-1] + 1 - first_seed, count)


def write_unlabelled_pages(folder: Path, corpora: Mapping[str, str]) -> None:
    """Write the words, boxes and model images of the pages of corpora, without what their annotations say.

    Args:
        corpora: the folder or prefix of each data set, by its name.
    """
    storage = Storage()
    for dataset, data in corpora.items():
        split = UNLABELLED_SPLITS[dataset]
        if storage.exists(join_uri(str(folder), f"{dataset}-{split}-000000.parquet")):
            continue
        corpus = read_corpus(dataset, data, split, DATASETS[dataset].tasks[0], storage=storage)
        pages = list(_unlabelled(corpus.pages))
        pages = pages[:: max(1, math.ceil(len(pages) / MAX_PAGES))]
        # The first file is written last: where it exists, all do.
        for first in reversed(range(0, len(pages), PAGES_PER_FILE)):
            uri = join_uri(str(folder), f"{dataset}-{split}-{first:06d}.parquet")
            write_labelled_pages(storage, uri, pages[first : first + PAGES_PER_FILE])
        logger.info("%d pages of %s for hidden words", len(pages), dataset)


def _unlabelled(pages: Iterable[LabelledPage]) -> Iterator[tuple[LabelledPage, bytes, str]]:
    kept = {(page.document_id, page.page_index): page for page in pages}
    read = ReadLabelled(RasterizeOptions(text="layer"), OcrOptions(), PageLimits())
    for row in read(labelled_row(page) for page in kept.values()):
        if row["status"] != "ok" or len(row["words"]) < MIN_WORDS:
            continue
        page = replace(
            kept[row["document_id"], row["page_index"]],
            words=tuple(row["words"]),
            boxes=tuple(tuple(box) for box in row["boxes"]),
            labels=("O",) * len(row["words"]),
            questions=(),
            keys=(),
        )
        yield page, encode_picture(row["model_image"]), "train"
    read.close()

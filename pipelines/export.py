"""Exports a model for other runtimes, checked on the windows of real pages.

The pages are read by the stages of the batch job, in this process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from model.checkpoint_source import resolve_checkpoint
from model.export.record import ExportFormat, ExportRecord, Quantization
from model.untrained import UNTRAINED
from pipelines.batch.listing import list_documents, listed_row
from pipelines.batch.opening import open_in_driver
from pipelines.errors import ProcessingError
from pipelines.extract import count_steps
from pipelines.in_process import BlockReader
from pipelines.options import ExtractOptions
from pipelines.schema import MODEL_IMAGE_SHAPE, PAGE_TO_DO, Row
from pipelines.stages.count_pages import ListingOptions
from pipelines.stages.infer import collate
from pipelines.stages.model_loader import load_model
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, table_files

if TYPE_CHECKING:
    from model.export.check import CheckedBatch

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "documents"
"""The documents that come with the source tree: forms, letters, a receipt, contracts."""

WINDOWS_AT_ONCE = 4
"""Windows of a page that are compared in one batch, at most."""

PAGES_TOGETHER = 3
"""Pages whose first windows make one more batch, so that rows have different pages."""


@dataclass(frozen=True)
class ExportPages:
    """The pages that an exported model is checked on, and int8 calibrated.

    Attributes:
        source: a folder or prefix of documents, or an output of jobs.extract, whose documents are read again.
        limit: pages at most, spread over the documents.
    """

    source: str
    limit: int


def export(
    extract: ExtractOptions,
    pages: ExportPages,
    output: Path,
    format: ExportFormat,
    quantization: Quantization,
    float_layers: tuple[str, ...],
    tell: Callable[[str], None],
) -> ExportRecord:
    """Export the model of `extract` for its task into a folder.

    Raises:
        ExportCheckError: the result differs from PyTorch's.
        ValueError: no page could be read, or a package is not installed.
        CheckpointError: the model cannot be read.
    """
    from model.export.export import ExportOptions, export_model

    tell(f"reading up to {pages.limit} pages of {pages.source}")
    rows = list(read_rows(extract, pages))
    batches = checked_batches(rows)
    if not batches:
        raise ValueError(f"no page with words could be read under {pages.source}: give --calibration other documents")
    loaded = load_model(extract.model, extract.task)
    options = ExportOptions(extract.task, format, quantization, float_layers)
    if extract.model != UNTRAINED:
        checkpoint = resolve_checkpoint(extract.model)
        return export_model(loaded.model, checkpoint, loaded.name, output, batches, options, tell)
    with tempfile.TemporaryDirectory() as folder:
        loaded.model.config.replace(architectures=[type(loaded.model).__name__]).save_pretrained(folder)
        return export_model(loaded.model, Path(folder), loaded.name, output, batches, options, tell)


def read_rows(extract: ExtractOptions, pages: ExportPages) -> Iterator[Row]:
    """Rows of `TOKENIZED` of the first pages of each document in turn; documents and pages that fail are left out."""
    todo = list(islice(_spread(_documents(extract, pages)), pages.limit))
    reader = BlockReader(extract, lambda: True)
    try:
        for row in todo:
            block = pa.Table.from_pylist([row], PAGE_TO_DO)
            yield from (read for read in reader(block).to_pylist() if read["status"] == "ok" and read["windows"])
    finally:
        reader.close()


def checked_batches(rows: Sequence[Row]) -> list[CheckedBatch]:
    """A batch for the windows of each page, and one over the first windows of several pages."""
    from model.export.check import CheckedBatch

    batches = [
        CheckedBatch(_images([row]), collate(windows), np.zeros(len(windows), dtype=np.int64))
        for row in rows
        if (windows := row["windows"][:WINDOWS_AT_ONCE])
    ]
    several = rows[:PAGES_TOGETHER]
    if len(several) > 1:
        windows = [row["windows"][0] for row in several]
        batches.append(CheckedBatch(_images(several), collate(windows), np.arange(len(several), dtype=np.int64)))
    return batches


def _images(rows: Sequence[Row]) -> np.ndarray:
    images = [np.frombuffer(row["model_image"], dtype=np.uint8) for row in rows]
    return np.stack(images).reshape(-1, *MODEL_IMAGE_SHAPE)


def _documents(extract: ExtractOptions, pages: ExportPages) -> list[Row]:
    """Rows of `DOCUMENTS` that can be opened."""
    storage = Storage(s3=extract.access.s3)
    try:
        written = table_files(storage, pages.source, "documents")
    except ProcessingError:  # a document, and no folder
        written = []
    if written:
        rows = [row for _, table in read_tables(storage, written) for row in table.to_pylist()]
        return [row for row in rows if row["status"] == "ok"]
    listed = [listed_row(stored) for stored in list_documents([pages.source], storage)]
    opened = open_in_driver(listed, count_steps(ListingOptions(), extract.limits, extract.access))
    return [row for row in opened if row["status"] == "ok"]


def _spread(documents: Sequence[Row]) -> Iterator[Row]:
    """Rows of `PAGE_TO_DO`: the first page of every document, then the second of those that have one, and so on."""
    for index in range(max((document["page_count"] for document in documents), default=0)):
        for document in documents:
            if index < document["page_count"]:
                yield {**{name: document.get(name) for name in PAGE_TO_DO.names}, "page_index": index}

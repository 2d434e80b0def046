"""One document at once, without Ray: the stages of the batch job in this process, for a look or a notebook.

from pipelines.read import read_document

[page] = read_document("invoice.png")
page["entities"]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from model.checkpoint_source import BUNDLED_FORMS
from pipelines.batch.listing import listed_row
from pipelines.batch.opening import open_in_driver
from pipelines.errors import ProcessingError
from pipelines.extract import count_steps
from pipelines.in_process import extract_blocks
from pipelines.options import ExtractOptions
from pipelines.schema import PAGE_TO_DO, Row
from pipelines.stages.count_pages import ListingOptions
from pipelines.storage.files import Storage, normalise_uri


def read_document(path: str, options: ExtractOptions | None = None, *, pages: Sequence[int] | None = None) -> list[Row]:
    """Words, boxes and what the model finds on each page, as rows of `pages/` in the batch job's output.

    Args:
        path: a PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000 or HEIC file, on this machine or `s3://bucket/key`.
        options: model, task, questions and how pages are read; by default the bundled model finds entities.
        pages: indices of the pages to read, from 0; None reads all.

    Returns:
        One row a page, in the order of `pages`; a page that could not be read has status "failed" and a reason.

    Raises:
        ProcessingError: the document cannot be opened; `kind` and `message` say why.
        CheckpointError: the model cannot be read.
        ValueError: a page that the document does not have.
    """
    options = options or ExtractOptions(BUNDLED_FORMS)
    document = open_document(path, options)
    wanted = range(document["page_count"]) if pages is None else pages
    missing = [index for index in wanted if not 0 <= index < document["page_count"]]
    if missing:
        raise ValueError(f"{path} has pages 0 to {document['page_count'] - 1}, and not {missing[0]}")
    return list(read_pages([(document, index) for index in wanted], options))


def open_document(path: str, options: ExtractOptions) -> Row:
    """Open a document in a sandbox and count its pages: a row of `DOCUMENTS`.

    Raises:
        ProcessingError: it cannot be opened.
    """
    uri = normalise_uri(path)
    stored = next(iter(Storage(s3=options.access.s3).list(uri)), None)
    if stored is None or stored.uri != uri:
        raise ProcessingError("not_found", f"{path} is not a file")
    (document,) = open_in_driver([listed_row(stored)], count_steps(ListingOptions(), options.limits, options.access))
    if document["status"] == "failed":
        raise ProcessingError(document["error_kind"], document["error"])
    return document


def read_pages(pages: Sequence[tuple[Row, int]], options: ExtractOptions) -> Iterator[Row]:
    """Rows of pages as they get ready, in order.

    Args:
        pages: (row of `DOCUMENTS`, page index from 0) of each.
    """
    columns = PAGE_TO_DO.names
    blocks = [
        pa.Table.from_pylist([{**{name: document.get(name) for name in columns}, "page_index": index}], PAGE_TO_DO)
        for document, index in pages
    ]
    for table in extract_blocks(blocks, options):
        yield from table.to_pylist()

"""Rasterize: from a page to do to its text layer, its model picture and, where it must be read, its page image."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from model.ocr import normalise_boxes
from pipelines.document import Document
from pipelines.page import PageError, Row, mark_failed
from pipelines.rendering import RenderOptions, page_size, render_grey, render_picture
from pipelines.text_layer import TextLayer, read_text_layer

TextChoice = Literal["auto", "ocr", "layer"]


@dataclass(frozen=True)
class RasterizeOptions:
    """How pages become pictures and words.

    Attributes:
        text: "auto" takes a page's text layer where it can be trusted and OCR else, "ocr" always reads the picture,
            "layer" never does.
        render: resolution and engine.
    """

    text: TextChoice = "auto"
    render: RenderOptions = field(default_factory=RenderOptions)


class Rasterize:
    """Page rows (`PAGE_TO_DO` and `path`, see `Fetch`) in, the columns of `RASTERIZED` out, one for one.

    Each page is given before the next one is asked for, and pages of one document that follow each other share one
    opening of it. Rows that have failed before pass by.
    """

    def __init__(self, options: RasterizeOptions) -> None:
        self.options = options

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for (_, path), pages in groupby(rows, key=lambda row: (row["uri"], row.get("path"))):
            if path is None:
                yield from pages
                continue
            try:
                document = Document(Path(path))
            except Exception as error:  # whatever a file does, it costs that file's pages alone
                for row in pages:
                    yield mark_failed(row, error)
                continue
            with document:
                for row in pages:
                    try:
                        yield rasterize_page(document, row, self.options)
                    except Exception as error:
                        yield mark_failed(row, error)


def rasterize_page(document: Document, row: Row, options: RasterizeOptions) -> Row:
    """One page of an open document, with the columns of `RASTERIZED`.

    Raises:
        PageError: the page cannot be read or rendered.
    """
    started = time.perf_counter()
    index = row["page_index"]
    if index >= document.page_count:
        message = f"There is no page {index + 1}: the document has {document.page_count} pages, and has changed."
        raise PageError("unreadable", message)
    layer = read_text_layer(document, index) if options.text != "ocr" else None
    uses_layer = layer is not None and (layer.trusted or options.text == "layer")
    size = page_size(document, index, options.render)
    result: Row = {
        **row,
        "width": size.width,
        "height": size.height,
        "text_source": "none",
        "words": [],
        "boxes": [],
        "word_confidences": [],
        "page_image": None,
        "picture": render_picture(document, index, options.render).tobytes(),
        "status": "ok",
        "error_kind": None,
        "error": None,
    }
    if uses_layer and layer is not None:
        result |= _layer_columns(layer)
    elif options.text != "layer":
        image = render_grey(document, index, options.render)
        result |= {"width": image.width, "height": image.height, "page_image": image.tobytes()}
    result["seconds"] = {"rasterize": time.perf_counter() - started, "ocr": 0.0, "infer": 0.0}
    return result


def _layer_columns(layer: TextLayer) -> Row:
    return {
        "text_source": "layer" if layer.words else "none",
        "words": layer.words,
        "boxes": normalise_boxes(layer.boxes, 1, 1),
        "word_confidences": [None] * len(layer.words),
    }

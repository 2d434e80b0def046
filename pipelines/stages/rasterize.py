"""Rasterize: from a pending page to its model image and its words, or its image for OCR if no text layer is usable."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from model.ocr.engine import normalise_boxes
from pipelines.documents.document import Document
from pipelines.documents.rendering import RenderOptions, page_size, render_grey, render_model_image
from pipelines.documents.text_layer import read_text_layer
from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed

TextChoice = Literal["auto", "ocr", "layer"]


@dataclass(frozen=True)
class RasterizeOptions:
    """How pages become images and words.

    Attributes:
        text: "auto" uses a page's text layer if it is trusted and OCR otherwise, "ocr" always reads the image,
            "layer" never does.
        render: resolution and engine.
    """

    text: TextChoice = "auto"
    render: RenderOptions = field(default_factory=RenderOptions)


class Rasterize:
    """Page rows (`PAGE_TO_DO` and `path`, see `Fetch`) in, the columns of `RASTERIZED` out, one for one.

    Each row is yielded before the next one is read, and consecutive pages of a document share one opening of it. Failed
    rows pass through. A row can provide its words (`given_words` and `given_boxes`, x0 y0 x1 y1 from 0 to 1000 on the
    page as displayed): then only its image is rendered.
    """

    def __init__(self, options: RasterizeOptions, passwords: Sequence[str] = ()) -> None:
        """`passwords`: tried in turn on PDFs that need one."""
        self.options = options
        self._passwords = passwords

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for (_, path), pages in groupby(rows, key=lambda row: (row["uri"], row.get("path"))):
            if path is None:
                yield from pages
                continue
            try:
                document = Document(Path(path), passwords=self._passwords)
            except Exception as error:  # a bad file fails its own pages only
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
        ProcessingError: the page cannot be read or rendered.
    """
    started = time.perf_counter()
    index = row["page_index"]
    if index >= document.page_count:
        message = f"There is no page {index + 1}: the document has changed and now has {document.page_count} pages."
        raise ProcessingError("unreadable", message)
    given_words = row.get("given_words")
    layer = read_text_layer(document, index) if options.text != "ocr" and given_words is None else None
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
        "model_image": render_model_image(document, index, options.render).tobytes(),
        "status": "ok",
        "error_kind": None,
        "error": None,
    }
    if given_words is not None:
        result |= _text_columns("given", given_words, row["given_boxes"])
    elif uses_layer and layer is not None:
        result |= _text_columns("layer" if layer.words else "none", layer.words, normalise_boxes(layer.boxes, 1, 1))
    elif options.text != "layer":
        image = render_grey(document, index, options.render)
        result |= {"width": image.width, "height": image.height, "page_image": image.tobytes()}
    result["seconds"] = {"rasterize": time.perf_counter() - started, "ocr": 0.0, "infer": 0.0}
    return result


def _text_columns(source: str, words: list[str], boxes: list[list[int]]) -> Row:
    return {"text_source": source, "words": words, "boxes": boxes, "word_confidences": [None] * len(words)}

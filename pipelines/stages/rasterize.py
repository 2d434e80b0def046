"""Rasterize: from a pending page to its model image, the words of its text layer, and its image where OCR has to read.

A page whose text layer explains all its ink needs no OCR. Where images, shapes or damaged words are on the page, the
layer is held against the picture, and the regions that it leaves unread go to OCR; a layer that is not trusted at all
leaves the whole page.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np

from model.ocr.engine import normalise_boxes
from pipelines.documents.document import Document
from pipelines.documents.rendering import RenderOptions, page_size, render_grey, render_model_image
from pipelines.documents.text_layer import TextLayer, read_text_layer
from pipelines.documents.unread_ink import unread_regions
from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.stages.base import mark_unread
from pipelines.stages.read_quality import read_quality

TextChoice = Literal["auto", "ocr", "layer"]


@dataclass(frozen=True)
class RasterizeOptions:
    """How pages become images and words.

    Attributes:
        text: "auto" uses the words of a page's text layer that can be trusted, and OCR for the rest of the page, "ocr"
            always reads the image, "layer" never does.
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
                    yield mark_unread(row, error)
                continue
            with document:
                for row in pages:
                    try:
                        yield rasterize_page(document, row, self.options)
                    except Exception as error:
                        yield mark_unread(row, error)


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
    size = page_size(document, index, options.render)
    result: Row = {
        **row,
        "width": size.width,
        "height": size.height,
        **_text_columns("none", [], []),
        "ocr_engine": None,
        "ocr_language": None,
        "missing_language": None,
        "rotation": 0,
        "skew": 0.0,
        "read_quality": None,
        "form_fields": _form_fields(document, index),
        "page_image": None,
        "ocr_regions": None,
        "model_image": render_model_image(document, index, options.render).tobytes(),
        "status": "ok",
        "error_kind": None,
        "error": None,
    }
    if row.get("given_words") is not None:
        result |= _text_columns("given", row["given_words"], row["given_boxes"])
    elif options.text == "ocr":
        result |= _whole_page(document, index, options)
    else:
        result |= _from_layer(document, index, options)
    result["seconds"] = {"rasterize": time.perf_counter() - started, "ocr": 0.0, "infer": 0.0}
    return result


def _form_fields(document: Document, index: int) -> list[Row] | None:
    fields = document.form_fields(index)
    boxes = normalise_boxes([field.box for field in fields], 1, 1)
    rows = [{**asdict(field), "box": box} for field, box in zip(fields, boxes, strict=True)]
    return rows or None


def _from_layer(document: Document, index: int, options: RasterizeOptions) -> Row:
    """The columns of a page's text layer, and what OCR needs for what the layer leaves unread."""
    layer = read_text_layer(document, index)
    if options.text == "auto" and (layer is None or not layer.trusted):
        return _whole_page(document, index, options)
    if layer is None:
        return {"read_quality": 0.0}
    columns = _text_columns("layer" if layer.words else "none", layer.words, normalise_boxes(layer.boxes, 1, 1))
    if not layer.trusted:
        return columns | {"read_quality": 0.0}
    if not layer.has_drawings and not layer.damaged_boxes:
        return columns | {"read_quality": 1.0}
    image = render_grey(document, index, options.render)
    regions = unread_regions(np.asarray(image), layer)
    if regions and options.text == "auto":
        size = {"width": image.width, "height": image.height}
        return columns | size | {"page_image": image.tobytes(), "ocr_regions": [list(box) for box in regions]}
    return columns | {"read_quality": _layer_quality(layer, regions)}


def _whole_page(document: Document, index: int, options: RasterizeOptions) -> Row:
    image = render_grey(document, index, options.render)
    return {"width": image.width, "height": image.height, "page_image": image.tobytes()}


def _layer_quality(layer: TextLayer, unread: list[tuple[float, float, float, float]]) -> float:
    return read_quality(layer.words, layer.boxes, [None] * len(layer.words), unread)


def _text_columns(source: str, words: list[str], boxes: list[list[int]]) -> Row:
    return {
        "text_source": source,
        "words": words,
        "boxes": boxes,
        "word_confidences": [None] * len(words),
        "word_sources": [source] * len(words),
    }

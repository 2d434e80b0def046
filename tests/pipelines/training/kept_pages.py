"""An output of `jobs.extract --keep-pictures` as it lies in a folder or bucket, of small drawn pages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.documents.page_picture import encode_picture
from pipelines.schema import DOCUMENTS, MODEL_IMAGE_SHAPE, Row, page_schema
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table

WORDS = ("total", "name", "date", "invoice", "number", "signature", "address", "city", "please", "return")


def document_id(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()


def kept_page(document: str, page_index: int, word_count: int = 12, **values: Any) -> Row:
    """A page of lines of four words, each a dark bar in the picture that is as wide as the word is long."""
    random = np.random.default_rng([int(document_id(document)[:8], 16), page_index])
    picture = np.full(MODEL_IMAGE_SHAPE, 255, dtype=np.uint8)
    chosen, boxes = [], []
    for number in range(word_count):
        word = WORDS[random.integers(len(WORDS))]
        left, top = 50 + 230 * (number % 4), 40 + 36 * (number // 4 % 26)
        box = [left, top, left + 20 * len(word), top + 22]
        x0, y0, x1, y1 = (side * 224 // 1000 for side in box)
        picture[:, y0:y1, x0:x1] = 20 + 2 * len(word)
        chosen.append(word)
        boxes.append(box)
    page = {
        "document_id": document_id(document),
        "uri": document,
        "page_index": page_index,
        "page_count": page_index + 1,
        "width": 850,
        "height": 1100,
        "words": chosen,
        "boxes": boxes,
        "status": "ok",
    }
    return {**page, "picture": encode_picture(picture), **values} if "picture" not in values else {**page, **values}


def write_kept_pages(
    output: str, pages: Sequence[Row], run: int = 1, pages_per_file: int = 5, keep_pictures: bool = True
) -> list[str]:
    """Write `documents/` and `pages/` as a run of that number; returns the URIs of the files of pages.

    Each file has row groups of two pages.
    """
    storage, files = Storage(), []
    schema = page_schema("token-classification", keep_pictures)
    counts = {page["document_id"]: page["uri"] for page in pages}
    rows = [
        {
            "document_id": identity,
            "uri": uri,
            "size_bytes": 1,
            "etag": "",
            "page_count": 1 + max(page["page_index"] for page in pages if page["document_id"] == identity),
            "pages_selected": 1 + max(page["page_index"] for page in pages if page["document_id"] == identity),
            "status": "ok",
        }
        for identity, uri in counts.items()
    ]
    name = f"part-{run:08d}-abcdef"
    write_table(
        storage, join_uri(output, "documents", f"{name}-00000.parquet"), pa.Table.from_pylist(rows, schema=DOCUMENTS)
    )
    for start in range(0, len(pages), pages_per_file):
        block = pages[start : start + pages_per_file]
        first = f"{block[0]['document_id']}-{block[0]['page_index']:06d}"
        files.append(join_uri(output, "pages", f"{name}-{first}.parquet"))
        write_table(storage, files[-1], pa.Table.from_pylist(block, schema=schema), row_group_rows=2)
    return files


def many_pages(documents: int = 8, pages: int = 4) -> list[Row]:
    """Pages of several documents, of which every fifth page is longer than a window."""
    return [
        kept_page(f"/scans/{number:03d}.pdf", page, word_count=700 if (number + page) % 5 == 4 else 8 + page)
        for number in range(documents)
        for page in range(pages)
    ]

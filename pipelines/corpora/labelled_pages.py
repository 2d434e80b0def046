"""Labelled pages in the project's own schema: Parquet as `jobs.extract` writes it, corrected by people or drawn.

Columns as in `pages/*.parquet` of an extraction: `words` and `boxes`, and what is true of them in `labels` (one BIO
label a word), `label` (the page's class) or `answers`. More columns are taken where they are there: `split` (train, dev
or test; without it a hash of the document decides, 80/10/10), `questions` and `keys` as in
`pipelines.corpora.corpus.LABELLED_PAGE`, and `image`, the picture of the page as a PNG or JPEG file, where no file lies
at `uri`. Rows that failed are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpora.corpus import QUESTION, LabelledPage, Question, Report, hashed_split
from pipelines.page import BOX, PageError, Row, Task
from pipelines.storage import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "sequence-classification", "question-answering")
SPLITS = ("train", "dev", "test", "all")

LABELLED_PAGE_FILE = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("page_index", pa.int32(), nullable=False),
        pa.field("page_count", pa.int32(), nullable=False),
        ("words", pa.list_(pa.string())),
        ("boxes", pa.list_(BOX)),
        ("labels", pa.list_(pa.string())),
        ("label", pa.string()),
        ("questions", pa.list_(QUESTION)),
        ("keys", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
        ("split", pa.string()),
        ("image", pa.binary()),
    ]
)
"""The columns that `write_labelled_pages` writes."""

_READ = ("document_id", "uri", "page_index", "page_count", "words", "boxes", "labels", "label", "answers", "questions")
_READ_TOO = ("keys", "split", "status")
_MARK = ".parquet#"


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of a split ("all" takes every one), in the order of files and rows.

    Raises:
        ValueError: there is no Parquet file.
    """
    pages = []
    for uri, row_number, row in _rows(storage, data, (*_READ, *_READ_TOO), report):
        name = f"{uri}, row {row_number}"
        if row.get("status") == "failed" or split not in ("all", row.get("split") or hashed_split(row["document_id"])):
            continue
        try:
            pages.append(_page(row, f"{uri}#{row_number}" if row["has_image"] else row["uri"]))
        except (ValueError, TypeError, KeyError) as error:
            report(name, f"left out: {error}")
    return tuple(pages)


def labels(storage: Storage, data: str, task: Task) -> tuple[str, ...]:
    """All labels that occur, in every split: of words "O" first, then by name, B- before I-; of pages by name."""
    if task == "question-answering":
        return ()
    if task == "sequence-classification":
        found = {row["label"] for _, _, row in _rows(storage, data, ("label",), _ignore) if row.get("label")}
        return tuple(sorted(found))
    words = {label for _, _, row in _rows(storage, data, ("labels",), _ignore) for label in row.get("labels") or ()}
    names = words - {"O", None}
    return ("O", *sorted(names, key=lambda label: (label.partition("-")[2], label)))


def is_embedded_image(uri: str) -> bool:
    """Whether a page's picture lies in a Parquet file of this module: `FILE.parquet#ROW`."""
    return _MARK in uri and uri.rpartition("#")[2].isdigit()


def read_embedded_image(storage: Storage, uri: str) -> bytes:
    """The picture file of a page at `FILE.parquet#ROW`; of the file only the row group that holds it is read.

    Raises:
        PageError: `not_found` where there is no such row or it has no picture; else as `Storage.open`.
    """
    file_uri, _, number = uri.rpartition("#")
    row = int(number)
    with _open(storage, file_uri) as parquet:
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if row < rows:
                image = parquet.read_row_group(group, columns=["image"])["image"][row].as_py()
                if image is not None:
                    return image
                break
            row -= rows
    raise PageError("not_found", f"{uri}: no picture of a page there")


def write_labelled_pages(storage: Storage, uri: str, pages: Iterable[tuple[LabelledPage, bytes | None, str]]) -> int:
    """Write pages, each with its picture (or None where a file lies at its uri) and its split, as one Parquet file.

    Every page is a row group, so that its picture is read alone. Returns how many pages there were.
    """
    sink = pa.BufferOutputStream()
    count = 0
    with pq.ParquetWriter(sink, LABELLED_PAGE_FILE) as writer:
        for page, image, split in pages:
            row = {
                "document_id": page.document_id,
                "uri": page.uri,
                "page_index": page.page_index,
                "page_count": page.page_count,
                "words": page.words,
                "boxes": page.boxes,
                "labels": page.labels,
                "label": page.label,
                "questions": [vars(question) for question in page.questions],
                "keys": [{"key": key, "value": value} for key, value in page.keys],
                "split": split,
                "image": image,
            }
            writer.write_table(pa.Table.from_pylist([row], schema=LABELLED_PAGE_FILE))
            count += 1
    storage.write(uri, sink.getvalue().to_pybytes())
    return count


def _rows(storage: Storage, data: str, columns: tuple[str, ...], report: Report) -> Iterator[tuple[str, int, Row]]:
    """(file, row number, row) of all files; `has_image` says whether the row holds a picture."""
    files = []
    for folder in (join_uri(data, "pages"), data):
        files = [stored.uri for stored in storage.list_existing(folder) if stored.uri.endswith(".parquet")]
        if files:
            break
    if not files:
        raise ValueError(f"{data} has no *.parquet, nor pages/*.parquet: labelled pages are laid out as an extraction")
    for uri in files:
        try:
            with _open(storage, uri) as parquet:
                there = parquet.schema_arrow.names
                images = "image" in there
                number = 0
                for batch in parquet.iter_batches(64, columns=[name for name in columns if name in there]):
                    for row in batch.to_pylist():
                        yield uri, number, {**row, "has_image": images}
                        number += 1
        except (PageError, OSError, pa.ArrowException) as error:
            report(uri, f"left out: {error}")


def _open(storage: Storage, uri: str) -> pq.ParquetFile:
    return pq.ParquetFile(storage.open(uri))


def _page(row: Row, uri: str) -> LabelledPage:
    words, boxes, word_labels = row.get("words"), row.get("boxes"), row.get("labels")
    if words is not None and (boxes is None or len(boxes) != len(words)):
        raise ValueError(f"{len(words)} words and {len(boxes or ())} boxes")
    if word_labels is not None and len(word_labels) != len(words or ()):
        raise ValueError(f"{len(words or ())} words and {len(word_labels)} labels")
    for box in boxes or ():
        if not (0 <= box[0] <= box[2] <= 1000 and 0 <= box[1] <= box[3] <= 1000):
            raise ValueError(f"the box {json.dumps(box)} is not x0 y0 x1 y1 from 0 to 1000")
    return LabelledPage(
        document_id=row["document_id"],
        uri=uri,
        media_type="",
        page_index=row["page_index"],
        page_count=row["page_count"],
        words=None if words is None else tuple(words),
        boxes=None if boxes is None else tuple((box[0], box[1], box[2], box[3]) for box in boxes),
        labels=None if word_labels is None else tuple(label or "O" for label in word_labels),
        label=row.get("label"),
        questions=tuple(_questions(row)),
        keys=tuple((pair["key"], pair["value"]) for pair in row.get("keys") or ()),
    )


def _questions(row: Row) -> Iterator[Question]:
    for given in row.get("questions") or ():
        yield Question(given["text"], tuple(given["answers"] or ()), given["first_word"], given["last_word"])
    if row.get("questions"):
        return
    for answer in row.get("answers") or ():
        texts = () if answer["text"] is None else (answer["text"],)
        yield Question(answer["question"], texts, answer["first_word"], answer["last_word"])


def _ignore(uri: str, message: str) -> Any:
    """What `read` reports needs no second telling."""

"""Labelled pages in the project's own schema: Parquet as `jobs.extract` writes it, corrected by people or drawn.

The columns are those of `pages/*.parquet` of an extraction: `words` and `boxes`, and the ground truth in `labels` (one
BIO label a word), `label` (the page's class) or `answers`. Optional columns are `split` (train, dev or test; without it
a hash of the document decides, 80/10/10), `questions` and `keys` as in `pipelines.datasets.types.LABELLED_PAGE`,
`links` of entities by their first words, as in its `true_links`, and `image`, the page as a PNG or JPEG file, if there
is no file at `uri`. Failed rows are left out.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model.decode import split_label
from pipelines.datasets.annotations import coordinates, shortened
from pipelines.datasets.types import LINK, QUESTION, Box, BoxRepairs, LabelledPage, Question, Report, hashed_split
from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.schema import BOX, Row, Task
from pipelines.storage.files import Storage, join_uri

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
        ("links", pa.list_(LINK)),
        ("split", pa.string()),
        ("image", pa.binary()),
    ]
)
"""The columns that `write_labelled_pages` writes."""

_IDENTITY = ("document_id", "uri", "page_index", "page_count")
_READ = (*_IDENTITY, "words", "boxes", "labels", "label", "answers", "questions", "keys", "links", "split", "status")
_ROW_SEPARATOR = ".parquet#"


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of a split ("all" for every page), in the order of files and rows.

    Boxes are already in thousandths of the page; those that are inverted or leave the page are repaired and reported.
    Links that do not lead from the first word of an entity to that of another are reported and left out.
    Rows without ground truth for the task, and inconsistent ones, are reported and left out.

    Raises:
        ValueError: there is no Parquet file.
    """
    pages: dict[tuple[str, int], LabelledPage] = {}
    for uri, number, row in _rows(storage, data, _READ, report, images=True):
        if row.get("status") == "failed":
            continue
        row_uri = f"{uri}#{number}"
        try:
            if split not in ("all", _split(row)):
                continue
            page = _page(row, row_uri, task, report)
            identity = page.document_id, page.page_index
            if identity in pages:
                raise ValueError(f"page {page.page_index} of {page.document_id} came before")
            pages[identity] = page
        except (ValueError, TypeError, KeyError) as error:
            report(row_uri, f"left out: {error}")
    return tuple(pages.values())


def labels(storage: Storage, data: str, task: Task) -> tuple[str, ...]:
    """All labels that occur in any split: of words "O" first, then by name, B- before I-; of pages by name.

    Raises:
        ValueError: as `read`.
    """
    if task == "question-answering":
        return ()
    if task == "sequence-classification":
        found = {row["label"] for _, _, row in _rows(storage, data, ("label", "status"), _ignore) if row.get("label")}
        return tuple(sorted(found))
    rows = _rows(storage, data, ("labels", "status"), _ignore)
    words = {label for _, _, row in rows for label in row.get("labels") or ()}
    return ("O", *sorted(words - {"O", None}, key=lambda label: (split_label(label)[1], label)))


def is_embedded_image(uri: str) -> bool:
    """Whether a page's image is embedded in a Parquet file: `FILE.parquet#ROW`."""
    return _ROW_SEPARATOR in uri and uri.rpartition("#")[2].isdigit()


def read_embedded_image(storage: Storage, uri: str) -> bytes:
    """The image file embedded at `FILE.parquet#ROW`; only the row group that holds it is read.

    The column `image` holds the bytes of the file, or a struct with them as `bytes` (as in Hugging Face's data sets).

    Raises:
        ProcessingError: `not_found` if there is no such row or it has no image; `unreadable`; else as `Storage.open`.
    """
    file_uri, _, number = uri.rpartition("#")
    row = int(number)
    with _opened(storage, file_uri) as parquet:
        for group in range(parquet.num_row_groups if "image" in parquet.schema_arrow.names else 0):
            rows = parquet.metadata.row_group(group).num_rows
            if row < rows:
                image = parquet.read_row_group(group, columns=["image"])["image"][row].as_py()
                content = image.get("bytes") if isinstance(image, dict) else image
                if isinstance(content, bytes):
                    return content
                break
            row -= rows
    raise ProcessingError("not_found", f"{uri}: no picture of a page there")


def write_labelled_pages(
    storage: Storage, uri: str, pages: Iterable[tuple[LabelledPage, bytes | None, str | None]]
) -> int:
    """Write pages to a file, each with its image (or None if there is a file at its uri) and its split (or None).

    Every page is a row group, so that its image is read alone. The footer lists all row groups and is read with every
    image, so a file should hold hundreds of pages, not tens of thousands. Returns the number of pages.
    """
    sink = pa.BufferOutputStream()
    count = 0
    # Statistics of the other columns would only lengthen the footer; those of `image` tell which rows have none.
    with pq.ParquetWriter(sink, LABELLED_PAGE_FILE, write_statistics=["image"]) as writer:
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
                "links": None
                if page.links is None
                else [{"from_word": source, "to_word": target} for source, target in page.links],
                "split": split,
                "image": image,
            }
            writer.write_table(pa.Table.from_pylist([row], schema=LABELLED_PAGE_FILE))
            count += 1
    storage.write(uri, sink.getvalue().to_pybytes())
    return count


def _rows(
    storage: Storage, data: str, columns: tuple[str, ...], report: Report, *, images: bool = False
) -> Iterator[tuple[str, int, Row]]:
    """(file, row number, row) of all files; with `images`, `has_image` says whether the row holds an image."""
    for uri in _files(storage, data):
        try:
            with _opened(storage, uri) as parquet:
                names = [name for name in columns if name in parquet.schema_arrow.names]
                have_images = _have_images(parquet) if images else [False] * parquet.metadata.num_rows
                number = 0
                for batch in parquet.iter_batches(64, columns=names):
                    for row in batch.to_pylist():
                        yield uri, number, {**row, "has_image": have_images[number]}
                        number += 1
        except ProcessingError as error:
            raise_infrastructure_error(error)
            report(uri, f"left out: {error}")


def _files(storage: Storage, data: str) -> list[str]:
    folders = [data] if data.endswith(".parquet") else [join_uri(data, "pages"), data]
    for folder in folders:
        found = sorted(stored.uri for stored in storage.list_existing(folder) if stored.uri.endswith(".parquet"))
        if found:
            return found
    raise ValueError(f"{data} has no *.parquet, nor pages/*.parquet: labelled pages are laid out as an extraction")


def _have_images(parquet: pq.ParquetFile) -> list[bool]:
    """For each row whether it holds an image; the images are read only if the file's statistics do not tell."""
    if "image" not in parquet.schema_arrow.names:
        return [False] * parquet.metadata.num_rows
    have: list[bool] = []
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group)
        columns = (rows.column(index) for index in range(rows.num_columns))
        statistics = next((column.statistics for column in columns if column.path_in_schema == "image"), None)
        if statistics is not None and statistics.has_null_count and statistics.null_count in (0, rows.num_rows):
            have += [statistics.null_count == 0] * rows.num_rows
        else:
            have += parquet.read_row_group(group, columns=["image"])["image"].is_valid().to_pylist()
    return have


@contextmanager
def _opened(storage: Storage, uri: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(storage.open(uri)) as parquet:
            yield parquet
    except (OSError, pa.ArrowException) as error:
        raise ProcessingError("unreadable", f"{uri}: {error}") from error


def _split(row: Row) -> str:
    split = row.get("split")
    if split is None:
        if "document_id" not in row:
            raise ValueError("the column document_id is missing")
        return hashed_split(row["document_id"])
    if split not in SPLITS[:3]:
        raise ValueError(f"the split is {split!r}, which is none of {', '.join(SPLITS[:3])}")
    return split


def _page(row: Row, row_uri: str, task: Task, report: Report) -> LabelledPage:
    missing = [name for name in _IDENTITY if row.get(name) is None]
    if missing:
        raise ValueError(f"no {' and no '.join(missing)}")
    words, boxes, word_labels = row.get("words"), row.get("boxes"), row.get("labels")
    if task == "token-classification" and word_labels is None:
        raise ValueError("no labels of words, which the task is about")
    if task == "sequence-classification" and not row.get("label"):
        raise ValueError("no label of the page, which the task is about")
    count = len(words or ())
    if len(boxes or ()) != count:
        raise ValueError(f"{count} words and {len(boxes or ())} boxes")
    if word_labels is not None and len(word_labels) != count:
        raise ValueError(f"{count} words and {len(word_labels)} labels")
    if not all(isinstance(word, str) for word in words or ()):
        raise ValueError("a word is no text")
    uri = row_uri if row["has_image"] else row["uri"]
    labels = None if word_labels is None else tuple(label or "O" for label in word_labels)
    return LabelledPage(
        document_id=row["document_id"],
        uri=uri,
        media_type="image/png" if row["has_image"] else mimetypes.guess_type(uri)[0] or "",
        page_index=row["page_index"],
        page_count=row["page_count"],
        words=None if words is None else tuple(words),
        boxes=None if words is None else _boxes(boxes, row_uri, report),
        labels=labels,
        label=row.get("label"),
        questions=tuple(_questions(row, count)),
        keys=tuple((pair["key"], pair["value"]) for pair in row.get("keys") or ()),
        links=_links(row.get("links"), labels or (), row_uri, report),
    )


def _links(
    given: list[Any] | None, labels: Sequence[str], row_uri: str, report: Report
) -> tuple[tuple[int, int], ...] | None:
    """The links between different entities; others are reported. As `decode_entities`, a kind's first I- begins one."""
    if given is None:
        return None
    begins = set()
    before = ""
    for index, label in enumerate(labels):
        prefix, kind = split_label(label)
        if kind and (prefix == "B" or kind != before):
            begins.add(index)
        before = kind
    links: dict[tuple[int, int], None] = {}
    broken = []
    for link in given:
        ends: tuple[Any, Any] = (link.get("from_word"), link.get("to_word")) if isinstance(link, dict) else (None, None)
        source, target = ends
        if source in begins and target in begins and source != target:
            links.setdefault((source, target))
        else:
            broken.append([source, target])
    if broken:
        report(row_uri, f"{len(broken)} links that are no first words of two entities are ignored: {shortened(broken)}")
    return tuple(links)


def _boxes(boxes: Any, row_uri: str, report: Report) -> tuple[Box, ...]:
    repairs = BoxRepairs()
    checked = [coordinates(box, 4) for box in boxes]
    repaired = tuple(repairs.box(x0, y0, x1, y1, width=1000, height=1000) for x0, y0, x1, y1 in checked)
    repairs.report(row_uri, report)
    return repaired


def _questions(row: Row, words: int) -> Iterator[Question]:
    for given in row.get("questions") or ():
        yield _question(given, given["text"], tuple(given["answers"] or ()), words)
    if row.get("questions"):
        return
    for answer in row.get("answers") or ():
        yield _question(answer, answer["question"], () if answer["text"] is None else (answer["text"],), words)


def _question(given: Row, text: str, answers: tuple[str, ...], words: int) -> Question:
    first, last = (-1 if given[name] is None else given[name] for name in ("first_word", "last_word"))
    if (first, last) != (-1, -1) and not 0 <= first <= last < words:
        raise ValueError(f"the answer to {shortened(text)} is words {first} to {last} of {words}")
    return Question(text, answers, first, last)


def _ignore(uri: str, message: str) -> None:
    """Drop a problem that `read` reports too."""

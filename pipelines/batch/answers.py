"""Answers of whole documents: for each question the best answer on any of a document's pages.

The pages are read once, and a document's answers are written when its last page has been seen, so that the memory that
they take is that of the documents between their first and last page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from pipelines.batch.identities import Identities
from pipelines.batch.output_files import list_uris, list_written, run_number
from pipelines.batch.ownership import check_ownership
from pipelines.batch.page_bitmap import PageBitmap
from pipelines.batch.written_pages import page_uri, read_document_index, read_written
from pipelines.schema import ANSWERS, Row
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_tables, write_table

ROWS_PER_FILE = 100_000

READERS = 4
"""Files whose answers are held at a time: some tens of megabytes each."""

_COLUMNS = ("document_id", "uri", "page_index", "answers")


def write_answers(storage: Storage, output: str, questions: Sequence[str], run_id: str) -> None:
    """Write `answers/`: one row for each question and document that could be opened. Earlier answers are removed then.

    Raises:
        OutputClaimedError: another run owns the output by now.
    """
    earlier = [stored.uri for stored in list_written(storage, output, "answers")]
    rows, written = best_answers(storage, output, questions), set[str]()
    while batch := list(islice(rows, ROWS_PER_FILE)):
        check_ownership(storage, output, run_id)
        uri = join_uri(output, "answers", f"part-{run_id}-{len(written):05d}.parquet")
        write_table(storage, uri, pa.Table.from_pylist(batch, schema=ANSWERS))
        written.add(uri)
    check_ownership(storage, output, run_id)
    for uri in earlier:
        if uri not in written:
            storage.delete(uri)


def best_answers(storage: Storage, output: str, questions: Sequence[str]) -> Iterator[Row]:
    """Rows of `ANSWERS`, those of a document together, lazily.

    Scores are comparable between pages: the answer with the highest score is chosen, on a tie that of the first page.
    """
    documents = read_document_index(storage, output)
    seen, left = PageBitmap(documents), documents.pages.copy()
    begun: dict[str, list[Row | None]] = {}
    uris: dict[str, str] = {}
    is_done = np.zeros(len(documents), dtype=np.bool_)
    for row in _pages(storage, output, seen):
        name = row["document_id"]
        answers, uris[name] = begun.setdefault(name, [None] * len(questions)), row["uri"]
        for index, answer in enumerate(row["answers"] or ()):
            best = answers[index]
            if best is None or _rank(answer, row["page_index"]) < _rank(best, best["page_index"]):
                answers[index] = {**answer, "page_index": row["page_index"]}
        (position,) = documents.positions([name])
        left[position] -= 1
        if not left[position]:
            is_done[position] = True
            yield from _document_answers(name, uris.pop(name), questions, begun.pop(name))
    # Documents of which no page is expected, and in an incomplete output those with pages that are missing.
    for _, table in read_tables(storage, list_uris(storage, output, "documents"), ("document_id", "uri", "status")):
        for document, position in zip(
            table.to_pylist(), documents.positions(table["document_id"].to_pylist()).tolist(), strict=True
        ):
            if document["status"] == "ok" and not is_done[position]:
                is_done[position] = True
                name = document["document_id"]
                yield from _document_answers(name, document["uri"], questions, begun.pop(name, [None] * len(questions)))


def _pages(storage: Storage, output: str, seen: PageBitmap) -> Iterator[Row]:
    """The newest row of each expected page."""
    files = (page_uri(output, written.name) for written in read_written(storage, output))
    for uri, table in read_tables(storage, files, _COLUMNS, readers=READERS):
        rows = table.to_pylist()
        indices = np.array([row["page_index"] for row in rows], dtype=np.int32)
        fresh = seen.mark(Identities.of([row["document_id"] for row in rows]), indices, run_number(uri))
        yield from (row for row, is_fresh in zip(rows, fresh.tolist(), strict=True) if is_fresh)


def _document_answers(name: str, uri: str, questions: Sequence[str], answers: Sequence[Row | None]) -> Iterator[Row]:
    for question, answer in zip(questions, answers, strict=True):
        text = None if answer is None else answer["text"]
        yield {
            "document_id": name,
            "uri": uri,
            "question": question,
            "text": text,
            "score": None if answer is None else answer["score"],
            "page_index": None if answer is None or text is None else answer["page_index"],
            "boxes": [] if answer is None else answer["boxes"],
        }


def _rank(answer: Row, page_index: int) -> tuple[float, int]:
    return -answer["score"], page_index

"""Answers of whole documents: to each question the best answer over a document's pages."""

from __future__ import annotations

import pyarrow as pa

from pipelines.ledger import read_tables, table_files
from pipelines.page import ANSWERS, Row
from pipelines.storage import Storage


def best_answers(storage: Storage, output: str) -> pa.Table:
    """The rows of `answers/*.parquet`: one a document and question, from the pages that were read.

    Scores are comparable between pages, so the highest wins; on a tie the first page does.
    """
    best: dict[tuple[str, int], Row] = {}
    columns = ("document_id", "uri", "page_index", "answers")
    for _, table in read_tables(storage, table_files(storage, output, "pages"), columns):
        for page in table.to_pylist():
            for index, answer in enumerate(page["answers"] or ()):
                candidate = _document_answer(page, answer)
                key = (page["document_id"], index)
                if key not in best or _rank(candidate) < _rank(best[key]):
                    best[key] = candidate
    rows = [best[key] for key in sorted(best, key=lambda key: (best[key]["uri"], key[1]))]
    for row in rows:
        if row["text"] is None:
            row["page_index"] = None
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def _document_answer(page: Row, answer: Row) -> Row:
    return {
        "document_id": page["document_id"],
        "uri": page["uri"],
        "question": answer["question"],
        "text": answer["text"],
        "score": answer["score"],
        "page_index": page["page_index"],
        "boxes": answer["boxes"],
    }


def _rank(answer: Row) -> tuple[float, int]:
    return -answer["score"], answer["page_index"]

"""Answers of whole documents: for each question the best answer on any of a document's pages."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipelines.schema import ANSWERS, Row
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, table_files


def best_answers(storage: Storage, output: str, questions: Sequence[str]) -> pa.Table:
    """The rows of `answers/*.parquet`: one for each question and document that could be opened.

    Scores are comparable between pages: the answer with the highest score is chosen, on a tie that of the first page.
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
    rows: list[Row] = []
    documents: dict[str, Row] = {}
    files = table_files(storage, output, "documents")
    for _, table in read_tables(storage, files, ("document_id", "uri", "status")):
        documents |= {row["document_id"]: row for row in table.to_pylist()}
    for document in sorted((row for row in documents.values() if row["status"] == "ok"), key=lambda row: row["uri"]):
        for index, question in enumerate(questions):
            unread = {**document, "page_index": None}
            row = best.get((document["document_id"], index)) or _document_answer(unread, _unread_answer(question))
            rows.append({**row, "page_index": row["page_index"] if row["text"] is not None else None})
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def _unread_answer(question: str) -> Row:
    return {"question": question, "text": None, "score": None, "boxes": []}


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

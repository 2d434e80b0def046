"""Answers of whole documents: for each question the best answer on any of a document's pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.batch.document_tables import DocumentTable
from pipelines.batch.whole_documents import fold_documents
from pipelines.schema import ANSWERS, Row
from pipelines.storage.files import Storage

_COLUMNS = ("document_id", "uri", "page_index", "answers")


def write_answers(storage: Storage, output: str, questions: Sequence[str], run_id: str) -> None:
    """Write `answers/`: one row for each question and document that could be opened. Earlier answers are removed then.

    Raises:
        OutputClaimedError: another run owns the output by now.
    """
    table = DocumentTable(storage, output, "answers", ANSWERS, run_id)
    for row in best_answers(storage, output, questions):
        table.add(row)
    table.finish()


def best_answers(storage: Storage, output: str, questions: Sequence[str]) -> Iterator[Row]:
    """Rows of `ANSWERS`, those of a document together, lazily.

    Scores are comparable between pages: the answer with the highest score is chosen, on a tie that of the first page.
    """

    def begin() -> list[Row | None]:
        return [None] * len(questions)

    for document in fold_documents(storage, output, _COLUMNS, begin, _add_answers):
        if document.error_kind is None:
            yield from _document_answers(document.document_id, document.uri, questions, document.state)


def _add_answers(answers: list[Row | None], row: Row) -> None:
    for index, answer in enumerate(row["answers"] or ()):
        best = answers[index]
        if best is None or _rank(answer, row["page_index"]) < _rank(best, best["page_index"]):
            answers[index] = {**answer, "page_index": row["page_index"]}


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

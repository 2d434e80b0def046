"""Answers of documents: the best one on any page, written while the pages are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.batch import document_tables, whole_documents
from pipelines.batch.answers import best_answers, write_answers
from pipelines.batch.ownership import OutputClaimedError
from pipelines.schema import Row, page_schema
from pipelines.storage.files import Storage
from pipelines.storage.tables import write_table
from tests.pipelines.batch.output_rows import document_row, identity, name_of, page_row, rows_of, write_rows

QUESTIONS = ("Who?", "When?")
RUN = "00000002-abcdef"


def answer(question: str, text: str | None, score: float) -> Row:
    return {"question": question, "text": text, "score": score, "boxes": [], "first_word": None, "last_word": None}


def write_pages(output: Path, run: int, *pages: tuple[str, int, tuple[float, float]]) -> None:
    """Pages by document and index, with the scores of their answers, whose texts tell the page."""
    rows = [
        page_row(name, index)
        | {
            "answers": [
                answer(question, f"{name}{index}", score) for question, score in zip(QUESTIONS, scores, strict=True)
            ]
        }
        for name, index, scores in pages
    ]
    first = f"{rows[0]['document_id']}-{rows[0]['page_index']:06d}"
    table = pa.Table.from_pylist(rows, schema=page_schema("question-answering"))
    write_table(Storage(), str(output / "pages" / f"part-{run:08d}-000000-{first}.parquet"), table)


def answered(output: Path) -> dict[tuple[str, str], tuple[str | None, int | None]]:
    return {
        (name_of(row["document_id"]), row["question"]): (row["text"], row["page_index"])
        for row in best_answers(Storage(), str(output), QUESTIONS)
    }


def test_the_answer_with_the_highest_score_is_chosen_and_on_a_tie_that_of_the_first_page(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 1, [document_row("a", 3), document_row("b", 1)])
    write_pages(tmp_path, 1, ("a", 2, (0.5, 0.9)), ("a", 1, (0.7, 0.1)))
    write_pages(tmp_path, 1, ("b", 0, (0.1, 0.2)), ("a", 0, (0.2, 0.9)))
    assert answered(tmp_path) == {
        ("a", "Who?"): ("a1", 1),
        ("a", "When?"): ("a0", 0),
        ("b", "Who?"): ("b0", 0),
        ("b", "When?"): ("b0", 0),
    }


def test_every_document_that_was_opened_has_a_row_for_each_question(tmp_path: Path) -> None:
    documents = [document_row("a", 2), document_row("none", 0), document_row("bad", 0, error_kind="encrypted")]
    write_rows(tmp_path, "documents", 1, documents)
    write_pages(tmp_path, 1, ("a", 1, (0.5, 0.5)))
    assert answered(tmp_path) == {
        ("a", "Who?"): ("a1", 1),
        ("a", "When?"): ("a1", 1),
        ("none", "Who?"): (None, None),
        ("none", "When?"): (None, None),
    }


def test_rows_that_do_not_count_have_no_say(tmp_path: Path) -> None:
    write_rows(tmp_path, "documents", 2, [document_row("a", 1)])
    write_pages(tmp_path, 1, ("a", 0, (0.99, 0.99)))
    write_pages(tmp_path, 2, ("a", 0, (0.1, 0.1)), ("a", 1, (0.9, 0.9)), ("gone", 0, (0.9, 0.9)))
    rows = list(best_answers(Storage(), str(tmp_path), QUESTIONS))
    assert [(row["document_id"], row["page_index"], round(row["score"], 3)) for row in rows] == [
        (identity("a"), 0, 0.1)
    ] * 2


def test_answers_are_written_in_files_of_limited_size_and_replace_the_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_tables, "ROWS_PER_FILE", 4)
    (tmp_path / "run.json").write_text(json.dumps({"run_id": RUN}))
    write_rows(tmp_path, "documents", 1, [document_row(name, 1) for name in "abc"])
    write_pages(tmp_path, 1, *[(name, 0, (0.5, 0.5)) for name in "abc"])
    earlier = tmp_path / "answers" / "part-00000001-000000-00000.parquet"
    write_table(Storage(), str(earlier), pa.table({"text": ["old"]}))
    for _ in range(2):
        write_answers(Storage(), str(tmp_path), QUESTIONS, RUN)
        files = sorted((tmp_path / "answers").iterdir())
        assert [pq.read_metadata(file).num_rows for file in files] == [4, 2]
        assert [row["text"] for row in rows_of(tmp_path, "answers")] == ["a0", "a0", "b0", "b0", "c0", "c0"]
    with pytest.raises(OutputClaimedError):
        write_answers(Storage(), str(tmp_path), QUESTIONS, "00000001-abcdef")
    assert sorted((tmp_path / "answers").iterdir()) == files


def test_a_document_is_held_no_longer_than_until_its_last_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows have been read as have been written, however many documents there are."""
    names = [f"d{number:03d}" for number in range(40)]
    write_rows(tmp_path, "documents", 1, [document_row(name, 2) for name in names])
    for name in names:
        write_pages(tmp_path, 1, *[(name, index, (0.5, 0.5)) for index in range(2)])
    read: list[str] = []
    pages = whole_documents.read_newest_pages

    def noted(*arguments: Any) -> Any:
        for row in pages(*arguments):
            read.append(row["document_id"])
            yield row

    monkeypatch.setattr(whole_documents, "read_newest_pages", noted)
    for number, row in enumerate(best_answers(Storage(), str(tmp_path), QUESTIONS)):
        assert len(read) == 2 * (number // 2 + 1) and row["document_id"] == read[-1]
    assert number == 2 * len(names) - 1

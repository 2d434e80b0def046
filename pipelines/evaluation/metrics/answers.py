"""Answers to questions: ANLS and exact match.

ANLS, the average normalized Levenshtein similarity, is that of Biten et al., "Scene text visual question answering"
(2019), equations 1 and 2, by which DocVQA is scored (Mathew et al., 2021, section 5.1): of a question the best
similarity to any of its true answers, 1 - NL, where NL is the edit distance over the longer one's length, and 0 where
NL reaches the threshold of 0.5 (at exactly 0.5 the competition's own script gives 0.5; this is the paper's equation);
without regard to case and white space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from pipelines.schema import Row

THRESHOLD = 0.5
"""An answer that differs in half of its characters or more is a different answer, not a misread one."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question of a document, its true answers and the predicted one.

    Attributes:
        question: its text.
        true: wordings that count as right; empty if the document has no answer.
        text: the predicted answer, None for "no answer".
        score: of the prediction, 0-1; -1 if no page of the document could be read.
        page_index: of the page that the answer is from.
    """

    question: str
    true: tuple[str, ...]
    text: str | None
    score: float
    page_index: int

    @property
    def similarity(self) -> float:
        """0-1. If the document has no answer, "no answer" is right (1), unless no page could be read."""
        if not self.true:
            return float(not self.text and self.score >= 0)
        return answer_similarity(self.text, self.true)

    @property
    def is_exact(self) -> bool:
        """Whether the answer equals a true one, without regard to case and white space."""
        if not self.true:
            return self.similarity == 1
        return self.text is not None and _comparable(self.text) in map(_comparable, self.true)


def edit_distance(first: str, second: str) -> int:
    """The Levenshtein distance: the fewest insertions, deletions and replacements of characters between two texts."""
    return Levenshtein.distance(first, second)


def answer_similarity(text: str | None, true: Sequence[str]) -> float:
    """The best similarity of an answer to any of the true ones, with the threshold applied: 0-1; 0 for no answer."""
    given = _comparable(text or "")
    if not given:
        return 0.0
    best = 0.0
    for wording in map(_comparable, true):
        distance = edit_distance(given, wording) / max(len(given), len(wording))
        best = max(best, 1 - distance if distance < THRESHOLD else 0.0)
    return best


def _comparable(text: str) -> str:
    return " ".join(text.lower().split())


def answered_questions(rows: Iterable[Row]) -> list[AnsweredQuestion]:
    """Each question of each document once, with the best-scored answer over the document's pages.

    Scores are comparable between pages; on a tie the first page wins, as in `answers/*.parquet` of the batch job. The
    true answers of all pages count. A failed page answers nothing.

    Args:
        rows: page rows with `questions` and `answers` in the same order.
    """
    found: dict[tuple[str, str, int], AnsweredQuestion] = {}
    for row in rows:
        occurrences: dict[str, int] = {}
        answers = row.get("answers") or [None] * len(row.get("questions") or ())
        for question, answer in zip(row.get("questions") or (), answers, strict=True):
            text = question["text"]
            occurrences[text] = occurrences.get(text, -1) + 1
            key = row["document_id"], text, occurrences[text]
            on_page = AnsweredQuestion(
                question=text,
                true=tuple(question["answers"] or ()),
                text=answer["text"] if answer else None,
                score=answer["score"] if answer else -1.0,
                page_index=row["page_index"],
            )
            found[key] = _better(found[key], on_page) if key in found else on_page
    return list(found.values())


def _better(one: AnsweredQuestion, other: AnsweredQuestion) -> AnsweredQuestion:
    best = min(one, other, key=lambda answer: (-answer.score, answer.page_index))
    true = tuple(dict.fromkeys(one.true + other.true))
    return AnsweredQuestion(best.question, true, best.text, best.score, best.page_index)


def score_answers(answered: Sequence[AnsweredQuestion]) -> dict[str, Any]:
    """`anls` and `exact_match` (0-1, means over questions), and the numbers of `questions`, of `unanswerable` ones and
    of those with `no_answer` predicted."""
    count = max(1, len(answered))
    return {
        "anls": sum(question.similarity for question in answered) / count,
        "exact_match": sum(question.is_exact for question in answered) / count,
        "questions": len(answered),
        "unanswerable": sum(not question.true for question in answered),
        "no_answer": sum(not question.text for question in answered),
    }

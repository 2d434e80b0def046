from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.metrics.answers import (
    AnsweredQuestion,
    answer_similarity,
    answered_questions,
    edit_distance,
    score_answers,
)
from pipelines.schema import Row


def question(text: str, *answers: str) -> Row:
    return {"text": text, "answers": list(answers), "first_word": -1, "last_word": -1}


def page(questions: list[Row], answers: list[tuple[str | None, float]] | None, page_index: int = 0) -> Row:
    return {
        "document_id": "d",
        "page_index": page_index,
        "status": "ok" if answers is not None else "failed",
        "questions": questions,
        "answers": answers and [{"text": text, "score": score} for text, score in answers],
    }


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2)],
)
def test_the_edit_distance_counts_insertions_deletions_and_replacements(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_the_edit_distance_is_a_metric(one: str, two: str, three: str) -> None:
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)
    assert (edit_distance(one, two) == 0) == (one == two)


@pytest.mark.parametrize(
    ("text", "true", "similarity"),
    [
        pytest.param("12 May", ["12 May"], 1, id="right"),
        pytest.param("12 MAY", [" 12  may"], 1, id="case and white space do not count"),
        pytest.param("12 Mai", ["12 May"], 5 / 6, id="one of six characters misread"),
        pytest.param("abcdefgh", ["abcdexyz"], 5 / 8, id="three of eight"),
        pytest.param("abcd", ["abxy"], 0, id="half of the characters differ: the threshold"),
        pytest.param("abcde", ["vwxyz"], 0, id="another answer"),
        pytest.param("12 Mai", ["May 12", "12 May"], 5 / 6, id="the best of several true answers"),
        pytest.param(None, ["12 May"], 0, id="no answer"),
        pytest.param("  ", ["12 May"], 0, id="blank answer"),
        pytest.param("ab", ["abc"], 2 / 3, id="the longer one's length divides"),
    ],
)
def test_hand_worked_similarities(text: str | None, true: list[str], similarity: float) -> None:
    assert answer_similarity(text, true) == pytest.approx(similarity)


def test_the_scores_are_means_over_the_questions() -> None:
    answered = [
        AnsweredQuestion("a", ("yes",), "Yes", 0.9, 0),
        AnsweredQuestion("b", ("12 May",), "12 Mai", 0.9, 0),
        AnsweredQuestion("c", ("x",), None, 0.1, 0),
        AnsweredQuestion("d", (), None, 0.1, 0),
    ]
    assert score_answers(answered) == pytest.approx(
        {"anls": (1 + 5 / 6 + 0 + 1) / 4, "exact_match": 2 / 4, "questions": 4, "unanswerable": 1, "no_answer": 2}
    )


def test_no_questions_score_zero() -> None:
    assert score_answers([])["anls"] == 0


def test_a_question_that_the_document_does_not_answer_wants_no_answer() -> None:
    assert AnsweredQuestion("q", (), None, 0.2, 0).similarity == 1
    assert AnsweredQuestion("q", (), "something", 0.8, 0).similarity == 0


def test_a_document_that_could_not_be_read_gets_no_credit_for_its_silence() -> None:
    (answered,) = answered_questions([page([question("q")], None)])
    assert answered.similarity == 0 and not answered.is_exact


def test_the_best_answer_over_the_pages_of_a_document_counts() -> None:
    asked = [question("who?", "Ann"), question("when?", "May")]
    rows = [
        page(asked, [("Bob", 0.6), (None, 0.3)], 1),
        page(asked, [("Ann", 0.9), (None, 0.2)], 0),
        page(asked, None, 2),
    ]
    who, when = answered_questions(rows)
    assert (who.text, who.page_index, who.similarity) == ("Ann", 0, 1)
    assert (when.text, when.similarity) == (None, 0)


def test_on_equal_scores_the_first_page_wins_in_whatever_order_pages_come() -> None:
    rows = [page([question("q", "a")], [(text, 0.7)], index) for index, text in ((1, "b"), (0, "a"))]
    assert [answered_questions(order)[0].text for order in (rows, rows[::-1])] == ["a", "a"]


def test_true_answers_of_all_pages_count() -> None:
    rows = [page([question("q", *true)], [("b", 0.7)], index) for index, true in enumerate((["a"], [], ["b"]))]
    (answered,) = answered_questions(rows)
    assert answered.true == ("a", "b") and answered.is_exact


def test_a_question_asked_twice_of_a_page_counts_twice() -> None:
    rows = [page([question("q", "a"), question("q", "b")], [("a", 0.7), ("x", 0.7)])]
    assert score_answers(answered_questions(rows))["exact_match"] == 0.5

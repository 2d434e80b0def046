from __future__ import annotations

import pytest

from pipelines.evaluation.metrics.fields import (
    best_fields,
    document_values,
    lenient_text,
    normalize_kleister,
    normalize_sroie,
    score_pairs,
)
from pipelines.schema import Row


def entity(label: str, text: str, first_word: int, score: float = 0.9) -> Row:
    return {
        "label": label,
        "text": text,
        "score": score,
        "first_word": first_word,
        "last_word": first_word + len(text.split()) - 1,
    }


@pytest.mark.parametrize(
    ("true", "predicted", "precision", "recall", "f1"),
    [
        pytest.param([("total", "9.00")], [("total", "9.00")], 1, 1, 1, id="right"),
        pytest.param([("total", "9.00")], [("total", "9.0")], 0, 0, 0, id="another value"),
        pytest.param([("total", "9.00")], [("date", "9.00")], 0, 0, 0, id="another key"),
        pytest.param([("total", "9.00")], [], 0, 0, 0, id="nothing found"),
        pytest.param([], [("total", "9.00")], 0, 0, 0, id="nothing true"),
        pytest.param([], [], 0, 0, 0, id="nothing at all"),
        pytest.param([("a", "1"), ("b", "2")], [("a", "1")], 1, 1 / 2, 2 / 3, id="half found"),
        pytest.param([("a", "1")], [("a", "1"), ("b", "2")], 1 / 2, 1, 2 / 3, id="half spurious"),
        pytest.param([("a", "1"), ("a", "1")], [("a", "1")], 1, 1 / 2, 2 / 3, id="a pair counts as often as it stands"),
    ],
)
def test_hand_worked_pairs(
    true: list[tuple[str, str]], predicted: list[tuple[str, str]], precision: float, recall: float, f1: float
) -> None:
    figures = score_pairs({"receipt": true}, {"receipt": predicted})
    assert (figures["precision"], figures["recall"], figures["f1"]) == pytest.approx((precision, recall, f1))


def test_pairs_are_compared_within_their_document_and_averaged_over_pairs() -> None:
    true = {"one": [("total", "1"), ("date", "x")], "two": [("total", "2")]}
    figures = score_pairs(true, {"one": [("total", "2")], "two": [("total", "2")]})
    assert (figures["right"], figures["predicted"], figures["support"]) == (1, 2, 3)
    assert figures["f1"] == pytest.approx(2 / 5)


def test_a_document_of_which_nothing_was_predicted_is_missed_whole() -> None:
    assert score_pairs({"one": [("total", "1")], "two": [("total", "2")]}, {"one": [("total", "1")]})["recall"] == 0.5


def test_each_key_has_its_figures_and_the_share_of_documents_in_which_it_is_wholly_right() -> None:
    true = {"one": [("party", "A"), ("party", "B"), ("term", "1")], "two": [("party", "C")]}
    figures = score_pairs(true, {"one": [("party", "A"), ("term", "1")], "two": [("party", "C")]})
    assert figures["by_key"]["party"] == pytest.approx(
        {"precision": 1, "recall": 2 / 3, "f1": 4 / 5, "support": 3, "predicted": 2, "right": 2, "accuracy": 1 / 2}
    )
    assert figures["by_key"]["term"]["accuracy"] == 1


def test_of_several_entities_the_best_scored_one_is_the_field() -> None:
    entities = [entity("TOTAL", "8.00", 3, 0.5), entity("TOTAL", "9.00", 20, 0.8), entity("DATE", "1/2/2020", 30, 0.1)]
    assert best_fields(entities, frozenset()) == {"total": "9.00", "date": "1/2/2020"}


def test_lines_of_one_field_are_joined_and_strays_are_not() -> None:
    entities = [
        entity("ADDRESS", "12 HIGH STREET", 5, 0.9),
        entity("ADDRESS", "SPRINGFIELD", 9, 0.95),
        entity("ADDRESS", "THANK YOU", 60, 0.4),
    ]
    assert best_fields(entities, frozenset({"address"})) == {"address": "12 HIGH STREET SPRINGFIELD"}
    assert best_fields(entities, frozenset()) == {"address": "SPRINGFIELD"}


def test_fields_of_receipts_are_compared_exactly_but_for_the_width_of_gaps() -> None:
    assert normalize_sroie(" ABC  SDN\tBHD ") == "ABC SDN BHD"
    assert normalize_sroie("ABC SDN. BHD") != normalize_sroie("ABC SDN BHD") != normalize_sroie("Abc Sdn Bhd")
    assert lenient_text("ABC SDN. BHD") == lenient_text("Abc SdnBhd")


@pytest.mark.parametrize(
    ("value", "expected"), [("New York", "NEW_YORK"), ("new_york", "NEW_YORK"), ("Acme: East  Inc.", "ACME_EAST_INC.")]
)
def test_values_of_contracts_are_compared_upper_cased_with_underscores(value: str, expected: str) -> None:
    assert normalize_kleister("jurisdiction", value) == ("jurisdiction", expected)


def test_a_contract_has_one_value_a_key_but_as_many_parties_as_it_names() -> None:
    pages = [
        {"entities": [entity("PARTY", "Acme Inc.", 0), entity("TERM", "2 years", 9, 0.6)]},
        {"entities": None},
        {
            "entities": [
                entity("PARTY", "ACME INC.", 0),
                entity("PARTY", "Bolt", 5),
                entity("TERM", "3 years", 9, 0.7),
            ]
        },
    ]
    values = document_values(pages, frozenset({"party"}), lambda key, text: text)
    assert values == [("party", "ACME_INC."), ("party", "BOLT"), ("term", "3_YEARS")]


def test_words_that_make_no_value_are_left_out() -> None:
    pages = [{"entities": [entity("EFFECTIVE_DATE", "the first day", 0), entity("TERM", "soon", 5)]}]
    assert document_values(pages, frozenset(), lambda key, text: None if key == "effective_date" else "") == []

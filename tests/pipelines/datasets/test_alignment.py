"""Values found in the words of a page: as they are, in other words, and misread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.alignment import PageText, Span, find_answer, locate, locate_answers, normalise_text


def found(text: str, value: str, *, tolerant: bool = True) -> list[str]:
    words = text.split()
    return [" ".join(words[first : last + 1]) for first, last in locate(words, value, tolerant=tolerant)]


@pytest.mark.parametrize(
    ("text", "value", "places"),
    [
        ("by Nike, Inc. and Eric", "Nike_Inc.", ["Nike, Inc."]),
        ("AN SS4C / 5,PETALING JAYA", "SS4C/5, PETALING", ["SS4C / 5,PETALING"]),
        ("Total RM9.00 cash 9.00", "9.00", ["RM9.00", "9.00"]),
        ("Date:25/12/2018 8:13", "25/12/2018", ["Date:25/12/2018"]),
        ("99¢ Only Stores", "99¢_Only_Stores", ["99¢ Only Stores"]),
        ("Leggett & Platt", "Leggett_and_Platt", ["Leggett & Platt"]),
        ("Société Générale", "SOCIETE GENERALE", ["Société Générale"]),
        ("in the (“Company”), the", "Company", ["(“Company”),"]),
        ("a — b — c", "—", ["—", "—"]),
        ("the State of Oregon, in Oregon", "State of Oregon", ["State of Oregon,"]),
        ("the State of Oregon, in Oregon", "Oregon", ["Oregon,", "Oregon"]),
    ],
)
def test_case_punctuation_and_word_ends_do_not_count(text: str, value: str, places: list[str]) -> None:
    assert found(text, value) == places


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19.00 and 9.001 and 900.00", "9.00"),
        ("smiles", "mile"),
        ("Oregonians", "Oregon"),
        ("2017 12", "20171"),
        ("1,900", "900"),
        ("", "word"),
        ("some words", ""),
        ("some words", "  "),
        ("some words", "-"),
    ],
)
def test_a_part_of_a_word_or_of_a_number_is_no_place(text: str, value: str) -> None:
    assert found(text, value) == []


def test_a_point_between_digits_counts_where_there_is_such_a_place() -> None:
    assert found("item 900 costs 9.00", "9.00") == ["9.00"]
    assert found("costs 900", "9.00") == ["900"]
    assert found("costs 9 .00", "9.00") == ["9 .00"]


@pytest.mark.parametrize("written", ["February 10, 2017", "10th day of February, 2017", "10 Feb 2017,", "02/10/17"])
def test_a_date_is_found_in_other_words(written: str) -> None:
    assert found(f"dated as of {written} by and between", "2017-02-10") == [written]


def test_a_date_as_it_stands_is_preferred_to_another_reading() -> None:
    assert found("03/04/2018 not 04/03/2018", "03/04/2018") == ["03/04/2018"]


@pytest.mark.parametrize("written", ["seven (7) years", "7 years", "seven years", "7-year", "seventh anniversary"])
def test_a_term_is_found_in_other_words(written: str) -> None:
    assert found(f"for a period of {written} from 17 years", "7_years") == [written]


def test_units_of_terms_are_told_apart() -> None:
    assert found("twelve (12) months, not one year", "12_months") == ["twelve (12) months,"]
    assert found("twelve months", "1_year") == []


@pytest.mark.parametrize("written", ["ACME, Incorporated,", "Acme Inc.", "ACME INC"])
def test_a_company_is_found_with_another_form_of_its_suffix(written: str) -> None:
    assert found(f"between {written} and", "Acme_Inc.") == [written]


@pytest.mark.parametrize(
    ("text", "value", "place"),
    [
        ("paid to BOOK TA .K(TAMAN DAYA) SDN BND 789417-W", "BOOK TA .K (TAMAN DAYA) SDN BHD", 2),
        ("DWNER BY CASTLE BLUE S/B", "OWNER BY CASTLE BLUE S/B", 0),
        ("x JALAN PERMAS SATU, BANOAR BARU y", "JALAN PERMAS SATU, BANDAR BARU", 1),
        ("a misread bussiness adress", "misread business address", 1),
    ],
)
def test_some_wrong_characters_are_tolerated(text: str, value: str, place: int) -> None:
    assert [first for first, _ in locate(text.split(), value)] == [place]
    assert found(text, value, tolerant=False) == []


def test_all_misread_places_are_found_each_once() -> None:
    text = "to Gi1ead Sciences and Kite for Gilead Scences now"
    assert found(text, "Gilead Sciences") == ["Gi1ead Sciences", "Gilead Scences"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25/12/2013", "25/12/2018"),
        ("tel 012-2060778", "012-2060 779"),
        ("Ohia", "Ohio"),
        ("entirely other words stand here", "Gilead Sciences"),
    ],
)
def test_numbers_and_short_words_are_never_found_misread(text: str, value: str) -> None:
    assert found(text, value) == []


words = st.lists(st.text(st.characters(exclude_categories=("Cs", "Z", "C")), min_size=1, max_size=8), min_size=1)


@given(words, st.data())
def test_what_is_taken_from_the_words_is_found_there(words: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(len(words) - 1, first + 6)))
    value = " ".join(words[first : last + 1])
    if normalise_text(value):  # what has letters or digits is found without the marks around it
        while not normalise_text(words[first]):
            first += 1
        while not normalise_text(words[last]):
            last -= 1
    assert any(place.first_word <= first and last <= place.last_word for place in locate(words, value))


@given(words, st.text(max_size=12))
def test_places_lie_within_the_words_in_their_order(words: list[str], value: str) -> None:
    places = locate(words, value)
    assert places == sorted(places)
    assert all(0 <= first <= last < len(words) for first, last in places)
    assert locate(PageText(words), value) == places


def test_an_answer_is_the_first_one_found_exactly_before_any_misread_one() -> None:
    words = ["the", "Gilead", "Scences", "and", "the", "Kite", "Pharma", "of", "Gilead"]
    assert find_answer(words, ["Gilead Sciences", "Kite Pharma"]) == Span(5, 6)
    assert find_answer(words, ["Gilead Sciences"]) == Span(1, 2)
    assert find_answer(words, ["Gilead"]) == Span(1, 1)
    assert find_answer(words, ["absent"]) is None
    assert find_answer(words, []) is None


def test_questions_of_a_row_get_the_places_of_their_answers() -> None:
    asked = [
        {"text": "Who?", "answers": ["Ann Lee"], "first_word": -1, "last_word": -1},
        {"text": "When?", "answers": ["never"], "first_word": 5, "last_word": 6},
    ]
    located = locate_answers(["signed", "Ann", "Lee"], asked)
    assert [(one["text"], one["first_word"], one["last_word"]) for one in located] == [
        ("Who?", 1, 2),
        ("When?", -1, -1),
    ]
    assert asked[1]["first_word"] == 5
    assert locate_answers(["word"], None) == []

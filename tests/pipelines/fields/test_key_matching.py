"""Keys and the spellings that they resemble."""

from __future__ import annotations

import pytest

from pipelines.fields import key_matching
from pipelines.fields.key_matching import MIN_SCORE, KeyMatcher, normalise_key


def resembles(key: str, spelling: str) -> bool:
    [found] = KeyMatcher([spelling]).match([key])
    return found != {}


def test_a_key_is_normalised_to_its_letters_and_digits() -> None:
    assert normalise_key("  Référence\nNo.: ") == "reference no"
    assert normalise_key("STRASSE") == normalise_key("Straße")
    assert normalise_key("合計\N{FULLWIDTH COLON}") == "合計"
    assert normalise_key("x" * 1_000_000) == normalise_key("---") == normalise_key(None) == ""


@pytest.mark.parametrize(
    ("key", "spelling"),
    [
        ("TOTAL DUE:", "Total due"),
        ("Total due (USD)", "Total due"),
        ("A. Company name", "Company name"),
        ("3) Company name", "Company name"),
        ("lnvoice date", "Invoice date"),
        ("Account no", "Accountno."),
        ("Téléphone", "Telephone"),
        ("合計\N{FULLWIDTH COLON}", "合計"),
    ],
)
def test_case_accents_punctuation_brackets_enumerations_and_misread_letters_make_no_difference(
    key: str, spelling: str
) -> None:
    assert resembles(key, spelling)


@pytest.mark.parametrize(
    ("key", "spelling"),
    [
        ("Bill to", "Bill no"),
        ("First name", "Last name"),
        ("Start date", "End date"),
        ("Total", "Total due"),
        ("Telephone 1", "Telephone 2"),
        ("Fax", "Tax"),
        ("(USD)", "EUR"),
    ],
)
def test_other_keys_are_not_taken_for_a_spelling(key: str, spelling: str) -> None:
    assert not resembles(key, spelling)


def test_an_exact_key_has_the_highest_score_and_each_spelling_its_own() -> None:
    exact, misread, other = KeyMatcher(["Date", "Invoice date"]).match(["Invoice date", "lnvoice date", "Buyer"])
    assert exact == {1: 100}
    assert list(misread) == [1] and MIN_SCORE <= misread[1] < 100
    assert other == {}


def test_keys_are_compared_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"Key {number}" for number in range(10)]
    together = KeyMatcher(keys).match(keys)
    monkeypatch.setattr(key_matching, "KEYS_AT_A_TIME", 3)
    assert KeyMatcher(keys).match(keys) == together == [{number: 100} for number in range(10)]


def test_keys_without_spaces_are_the_same_with_them_and_with_a_wide_colon() -> None:
    matcher = KeyMatcher(["氏名", "電話番号"])
    assert matcher.match(["氏 名：", "電話 番号："]) == [{0: 100.0}, {1: 100.0}]

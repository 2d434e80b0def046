"""Dates, lengths of time and companies in the ways in which contracts and receipts write them."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.value_formats import (
    Duration,
    company_variants,
    find_dates,
    find_durations,
    read_date,
    read_duration,
    split_company,
)

TENTH = (date(2017, 2, 10),)


@pytest.mark.parametrize(
    "text",
    [
        "2017-02-10",
        "2017/2/10",
        "February 10, 2017",
        "FEBRUARY 10 2017",
        "Feb. 10th, 2017",
        "February 10 , 2017",
        "February 10,2017",
        "10 Feb 2017",
        "10FEB2017",
        "10-Feb-17",
        "10th day of February, 2017",
        "10 th day of February 2017",
        "tenth day of February, 2017",
        "10th of February '17",
        "10 day of February, 2017",
    ],
)
def test_a_date_with_a_named_month_or_the_year_first_has_one_reading(text: str) -> None:
    assert read_date(text) == TENTH


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("02/10/17", (date(2017, 10, 2), date(2017, 2, 10))),
        ("10.02.2017", (date(2017, 2, 10), date(2017, 10, 2))),
        ("25/12/2018", (date(2018, 12, 25),)),
        ("12-25-2018", (date(2018, 12, 25),)),
        ("03/03/99", (date(1999, 3, 3),)),
        ("twenty-first day of May 2001", (date(2001, 5, 21),)),
    ],
)
def test_a_date_of_numbers_is_read_day_first_then_month_first(text: str, readings: tuple[date, ...]) -> None:
    assert read_date(text) == readings


@pytest.mark.parametrize(
    "text", ["31/02/2017", "13/13/2013", "192.168.10.20", "1/2/20345", "Maybe 10, 2017", "10 2017", "", "7 years"]
)
def test_what_is_no_date_has_no_reading(text: str) -> None:
    assert read_date(text) == ()


def test_dates_are_found_within_a_text_with_their_place() -> None:
    text = "made this ___10th___ day of February, 2017, and due on Date:03/04/2018 8:13"
    found = find_dates(text)
    assert [text[one.start : one.end] for one in found] == ["10th___ day of February, 2017", "03/04/2018"]


@given(st.dates(date(1970, 1, 1), date(2069, 12, 31)))
def test_every_date_is_read_in_every_form(day: date) -> None:
    for form in ("%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%d%b%y", "%d-%b-%y", "%B %dth, %Y"):
        assert read_date(day.strftime(form)) == (day,), form
    for form in ("%d/%m/%Y", "%m/%d/%y", "%d.%m.%y"):
        assert day in read_date(day.strftime(form)), form


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("7 years", "7", "year"),
        ("seven years", "7", "year"),
        ("seven (7) years", "7", "year"),
        ("Seven(7)-year", "7", "year"),
        ("one-year", "1", "year"),
        ("eighteen (18) full months", "18", "month"),
        ("twenty-four months", "24", "month"),
        ("one hundred and eighty days", "180", "day"),
        ("55.5 months", "55.5", "month"),
        ("third anniversary", "3", "year"),
        ("second (2nd) anniversary", "2", "year"),
        ("5th anniversary", "5", "year"),
    ],
)
def test_lengths_of_time_are_read(text: str, amount: str, unit: str) -> None:
    assert read_duration(text) == (Decimal(amount), unit)


def test_lengths_are_found_within_a_text_with_their_place() -> None:
    text = "for a period of two (2) years, or the 12-month term; no yearly fee, section 3.2 years"
    found = find_durations(text)
    assert [text[one.start : one.end] for one in found] == ["two (2) years", "12-month", "3.2 years"]


@pytest.mark.parametrize(
    "text", [" " * 200_000, "one " * 50_000, "one hundred and " * 12_000], ids=lambda text: text[:9]
)
def test_a_text_of_nothing_but_blanks_or_numbers_takes_linear_time(text: str) -> None:
    """Milliseconds are meant: in time quadratic in the length, each took minutes or hours."""
    started = time.monotonic()
    assert find_durations(text + "seven (7) days")[-1].duration == Duration(Decimal(7), "day")
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("text", ["years", "a period", "seven", "stone years", "7 yearly"])
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    assert read_duration(text) is None


@pytest.mark.parametrize(
    ("name", "words", "forms"),
    [
        ("Kite Pharma, Inc.", ["Kite", "Pharma"], ["Inc."]),
        ("ACME INCORPORATED", ["ACME"], ["Inc."]),
        ("Otsuka Pharmaceutical Company, Limited", ["Otsuka", "Pharmaceutical"], ["Company", "Ltd."]),
        ("Gtcr L.L.C.", ["Gtcr"], ["LLC"]),
        ("Fund V, L.P.", ["Fund", "V"], ["LP"]),
        ("Fund V Limited Partnership", ["Fund", "V"], ["LP"]),
        ("Kedai Sendirian Berhad", ["Kedai"], ["Sdn", "Bhd."]),
        ("Eric Dean Sprunk", ["Eric", "Dean", "Sprunk"], []),
        ("Inc", ["Inc"], []),
        ("", [], []),
    ],
)
def test_a_company_is_its_name_and_its_suffix(name: str, words: list[str], forms: list[str]) -> None:
    assert split_company(name) == (words, forms)


def test_a_company_is_written_with_any_form_of_its_suffix() -> None:
    assert {"Acme inc", "Acme incorporated"} <= set(company_variants("Acme, Inc."))
    assert {"Acme corp", "Acme corporation"} <= set(company_variants("Acme Corporation"))
    assert {"Acme limited liability company", "Acme llc"} <= set(company_variants("Acme L.L.C."))
    assert company_variants("Ray M. Dolby") == []
